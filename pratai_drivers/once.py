"""``pratai-driver --once``: a node for one function, on the machine of whoever writes it.

The function is built and run as on any node: by the same engine, builder and executor, in a
container with the same limits on the same kind of network. There are no other daemons, no sockets
and no store: the code comes from a folder, and the result goes to standard output.
"""

import hashlib
import json
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.daemon import Stop
from pratai_common.errors import (
    ArchiveMissingError,
    BuildError,
    EngineError,
    PackageError,
    Reason,
    WithheldError,
)
from pratai_common.languages import language_of
from pratai_common.messages import Job, LogPiece, Package, Result
from pratai_common.package import check
from pratai_common.provisions import Provisions
from pratai_common.records import Body
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Engine, GivenUp, wanted
from pratai_drivers.executor import Executor
from pratai_drivers.folders import builds_path, node_path, runs_path
from pratai_drivers.interruption import Interruption
from pratai_drivers.leftovers import NodeLock, Sweeper
from pratai_drivers.packing import files_of, zip_of
from pratai_drivers.pool import Pool
from pratai_drivers.secrets_cache import SecretsCache
from pratai_drivers.starter import Starter

_PROJECT = "local"
_LOOK_SECONDS = 0.5
_DONE, _FAILED, _REFUSED, _NODE_FAILED, _INTERRUPTED = 0, 1, 4, 5, 130
"""The exit codes, as the client has them for the same."""

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "once",
        metavar="PATH",
        help="Build the function in this folder, or zip, run it once as a node does, and end. Its "
        "result goes to standard output, its logs to standard error.",
    ),
    cfg.StrOpt(
        "payload",
        metavar="PATH",
        help="With --once: file with what the event brings, in JSON; - is standard input. Default: "
        "null.",
    ),
    cfg.StrOpt("runtime", default="python3", help="With --once: what it runs on."),
    cfg.IntOpt(
        "memory",
        default=limits.DEFAULT_MEMORY_MB,
        min=limits.MIN_MEMORY_MB,
        max=limits.MAX_MEMORY_MB,
        help="With --once: its memory, MB.",
    ),
    cfg.IntOpt(
        "timeout",
        default=limits.DEFAULT_TIMEOUT_SECONDS,
        min=1,
        max=limits.MAX_TIMEOUT_SECONDS,
        help="With --once: how long it may run, seconds.",
    ),
    cfg.MultiStrOpt(
        "env",
        default=[],
        metavar="NAME=VALUE",
        help="With --once: environment variable; may be repeated.",
    ),
    cfg.BoolOpt(
        "watch",
        default=False,
        help="With --once: go on until interrupted, and run it again when a file of it changes.",
    ),
]


def main(conf: cfg.ConfigOpts, kind: type[Engine]) -> int:
    """Do what ``--once`` asks; returns the exit code."""
    path = Path(conf.once)
    try:
        payload = _payload(conf.payload)
        _zip_of(path, conf.runtime)  # what is refused is refused at once
    except (PackageError, OSError, ValueError) as error:
        return _tell(str(error), _REFUSED)
    _settle(conf)
    stop = Stop()
    try:
        with _name_of_its_own(conf), _opened(kind.from_conf(conf), conf) as node:
            return node.watch(path, payload, stop) if conf.watch else node.run(path, payload, stop)
    except EngineError as error:
        return _tell(f"the node cannot work: {error}", _NODE_FAILED)


def _settle(conf: cfg.ConfigOpts) -> None:
    """Set what is otherwise here than on a node with others."""
    conf.set_default("state_path", str(_own_state_path()))
    # What is not run again needs no spares, and no files unpacked for them.
    conf.set_override("spares", 0, "pool")
    conf.set_override("blanks", 0, "pool")
    if not conf.runtime_folders:
        conf.set_override("runtimes", [conf.runtime])
    root = logging.getLogger()
    if not conf.debug:
        root.setLevel(logging.ERROR)  # what a node warns of is an operator's affair
    for handler in root.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)


class LocalNode:
    """A node without others: its engine is open, and its runtimes' images are made."""

    def __init__(self, conf: cfg.ConfigOpts, engine: Engine, runtimes: dict[str, str]) -> None:
        self._conf = conf
        self._engine = engine
        self._had = frozenset(engine.images())
        self._archives = _Archives()
        starter = Starter(engine, conf)
        pool = Pool(starter, conf, runtimes, lambda: 0)
        self._builder = Builder(engine, self._archives, conf, runtimes)
        self._executor = Executor(
            starter,
            pool,
            self._builder,
            self._archives,
            SecretsCache(_no_secrets, 0.0),
            _print_log,
            lambda: None,
            now_ms,
        )

    def watch(self, path: Path, payload: bytes, stop: Stop) -> int:
        """Run the function, and again whenever a file of it changes, until interrupted."""
        seen = None
        while not stop.requested:
            now = _stamps(path)
            if now != seen:
                if seen is not None:
                    _tell("--- changed: once more")
                seen = now
                self.run(path, payload, stop)
            stop.wait(_LOOK_SECONDS)
        return _INTERRUPTED

    def run(self, path: Path, payload: bytes, stop: Stop) -> int:
        """Build the function and run it; returns the exit code."""
        interruption = Interruption()
        stop.on_stop = lambda: interruption.interrupt(Reason.CANCELLED, "it was interrupted")
        if stop.requested:  # while the images of runtimes were made
            interruption.interrupt(Reason.CANCELLED, "it was interrupted")
        try:
            package = self._archives.keep(_zip_of(path, self._conf.runtime), self._conf.runtime)
            image = self._builder.image(package, _say, lambda: interruption.reason is not None)
            try:
                code = self._run(path.resolve().stem, package, payload, interruption)
            finally:
                self._let_go(image)
        except (PackageError, OSError) as error:
            code = _tell(str(error), _REFUSED)
        except BuildError as error:
            code = _tell(f"the build failed: {error}", _FAILED)
        finally:
            stop.on_stop = lambda: None
            interruption.close()
        return _INTERRUPTED if stop.requested else code

    def _run(self, name: str, package: Package, payload: bytes, interruption: Interruption) -> int:
        results: list[Result] = []
        job = _job(self._conf, name, package, payload)
        self._executor.run(job, results.append, interruption)
        return _tell_result(results[0])

    def _let_go(self, image: str) -> None:
        """Remove a function's image that was not here before; its dependencies stay."""
        if image not in self._had and self._engine.remove_image(image):
            self._builder.records.gone(image)


class _Archives:
    """Where the zips of a local node are: in its memory."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}

    def keep(self, content: bytes, runtime: str) -> Package:
        """Keep a zip in place of the former one, and return what it is to a node."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._content = {sha256: content}
        return Package(
            project_id=_PROJECT,
            function_id=_PROJECT,
            version=1,
            runtime=runtime,
            archive_sha256=sha256,
            archive_url="",
        )

    def fetch(self, url: str, sha256: str, most: int, given_up: GivenUp = wanted) -> bytes:
        """See Fetcher."""
        if sha256 not in self._content:
            raise ArchiveMissingError(sha256)
        return self._content[sha256]


@contextmanager
def _opened(engine: Engine, conf: cfg.ConfigOpts) -> Iterator[LocalNode]:
    runtimes = engine.prepare(_say)
    for left in (runs_path(conf), builds_path(conf)):
        shutil.rmtree(left, ignore_errors=True)
    engine.open()
    try:
        Sweeper(node_path(conf).parent, conf.driver.name, engine.sweep, 0.0).once()
        yield LocalNode(conf, engine, runtimes)
    finally:
        engine.close()


@contextmanager
def _name_of_its_own(conf: cfg.ConfigOpts) -> Iterator[None]:
    """Give the node a name that no other has on this machine, and hold it: several may run beside
    one another, and one that is free removes what was left under it.
    """
    home = hashlib.sha256(str(Path(conf.state_path).resolve()).encode()).hexdigest()[:8]
    number = 1
    while True:
        conf.set_override("name", f"once-{home}-{number}", "driver")
        with NodeLock(node_path(conf)) as lock:
            if lock.take():
                yield
                return
        number += 1


def _own_state_path() -> Path:
    """Return where its things are where no configuration says so: whoever runs it can write."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "pratai"


def _job(conf: cfg.ConfigOpts, name: str, package: Package, payload: bytes) -> Job:
    return Job(
        request_id=str(uuid.uuid4()),
        attempt=1,
        node=conf.driver.name,
        epoch=0,
        project_id=_PROJECT,
        token=b"",
        instance="",
        package=package,
        function_name=name,
        memory=conf.memory,
        cpus=1.0,
        timeout=conf.timeout,
        network="bridge",
        isolation="container",
        environment=_variables(conf.env),
        source="http",
        created_at=now_ms(),
        input=Body.inline(payload),
    )


def _variables(given: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (each.partition("=") for each in given)}


def _payload(path: str | None) -> bytes:
    """Return what the event brings; raises ValueError where it is no JSON, and OSError."""
    if path is None:
        return b"null"
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        json.loads(content)
    except ValueError as error:
        raise ValueError(f"the payload is no JSON: {error}") from error
    return content


def _zip_of(path: Path, runtime: str) -> bytes:
    """Return the zip of a function; raises PackageError where the API would refuse it, OSError."""
    content = zip_of(path) if path.is_dir() else path.read_bytes()
    check(content, language_of(runtime))
    return content


def _stamps(path: Path) -> dict[Path, tuple[int, int]]:
    """Return what changes where a file of a function does; one may go while it is looked at."""
    stamps = {}
    for each in files_of(path) if path.is_dir() else [path]:
        try:
            found = each.stat()
        except FileNotFoundError:
            continue
        stamps[each] = (found.st_mtime_ns, found.st_size)
    return stamps


def _no_secrets(_job: Job, _given_up: GivenUp) -> Provisions:
    raise WithheldError(Reason.SECRET_UNAVAILABLE, "there are no secrets here")


def _tell_result(result: Result) -> int:
    """Print how a run ended; returns the exit code."""
    if result.reason is not None:
        code = _NODE_FAILED if result.reason == Reason.NODE_LOST else _FAILED
        return _tell(f"{result.reason}: {result.message}", code)
    output = b"" if result.output is None else result.output.content or b""
    sys.stdout.buffer.write(output.rstrip(b"\n") + b"\n")
    sys.stdout.flush()
    peak = "" if result.peak_memory is None else f", {result.peak_memory / limits.MIB:.0f} MiB"
    return _tell(f"success: imports {result.init_ms:.0f} ms, run {result.run_ms:.0f} ms{peak}")


def _print_log(piece: LogPiece) -> None:
    _say(piece.content)


def _tell(line: str, code: int = _DONE) -> int:
    _say(f"{line}\n".encode())
    return code


def _say(output: bytes) -> None:
    sys.stderr.buffer.write(output)
    sys.stderr.flush()
