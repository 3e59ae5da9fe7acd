"""Archives as objects in one container of Swift.

Whoever has the address of an archive gets it from Swift itself (a "temporary URL"), so nodes need
neither an account there nor the API. The key of these addresses is derived from the installation's.
"""

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import requests
import swiftclient
import urllib3
from keystoneauth1 import loading
from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException as AuthError
from oslo_config import cfg
from swiftclient.utils import generate_temp_url

from pratai_common.archives.base import Archives
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.tokens import TokenKey

_GROUP = "swift"
_SERVICE_TYPE = "object-store"
_URL_KEY = "x-container-meta-temp-url-key"
_FORMER_URL_KEY = "x-container-meta-temp-url-key-2"
_RETRIES = 2
_LONGEST_PAUSE_SECONDS = 2


class SwiftArchives(Archives):
    """See Archives. ``adapter`` finds Swift in Keystone's catalogue and has tokens for it;
    ``timeout`` is how long Swift may be silent, seconds.
    """

    def __init__(self, adapter: Adapter, container: str, key: TokenKey, timeout: float) -> None:
        self._adapter = adapter
        self._container = container
        self._url_key = key.derive("swift temporary urls").hex()
        self._timeout = timeout
        self._local = threading.local()
        self._endpoint: str | None = None

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts, key: TokenKey) -> "SwiftArchives":
        """See Archives. Options: [archives], and [swift] as keystoneauth reads it."""
        conf.register_opts(_session_opts(), group=_GROUP)
        conf.set_default("timeout", conf.archives.timeout, group=_GROUP)
        auth = loading.load_auth_from_conf_options(conf, _GROUP)
        session = loading.load_session_from_conf_options(conf, _GROUP, auth=auth)
        adapter = loading.load_adapter_from_conf_options(conf, _GROUP, session=session)
        return cls(adapter, conf.archives.container, key, conf.archives.timeout)

    def prepare(self) -> None:
        """See Archives. Makes the container and sets the key of its addresses.

        Addresses by the key before it stay valid.
        """
        with _unavailable("the container of archives cannot be made"):
            connection = self._connection()
            connection.put_container(self._container)
            former = connection.head_container(self._container).get(_URL_KEY)
            if former != self._url_key:
                headers = {_URL_KEY: self._url_key}
                headers |= {_FORMER_URL_KEY: former} if former else {}
                connection.post_container(self._container, headers)

    def put(self, content: bytes) -> str:
        """See Archives. Swift compares what it got with its MD5, and answers when disks have it."""
        sha256 = hashlib.sha256(content).hexdigest()
        with _unavailable("an archive cannot be written"):
            self._connection().put_object(
                self._container,
                sha256,
                contents=io.BytesIO(content),
                content_length=len(content),
                content_type="application/octet-stream",
                etag=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
        return sha256

    def _get(self, sha256: str) -> bytes:
        with _unavailable("an archive cannot be read"):
            try:
                _, content = self._connection().get_object(self._container, sha256)
            except swiftclient.ClientException as error:
                if error.http_status == 404:
                    raise ArchiveMissingError(sha256) from error
                raise
        return cast("bytes", content)

    def url(self, sha256: str, expires: int) -> str:
        """See Archives."""
        parts = urlsplit(self._storage_url())
        path = f"{parts.path.rstrip('/')}/{self._container}/{sha256}"
        signed = generate_temp_url(path, expires, self._url_key, "GET", absolute=True)
        return urlunsplit((parts.scheme, parts.netloc, "", "", "")) + str(signed)

    def _connection(self) -> Any:
        """Return this thread's connection: one may not be used by several."""
        if not hasattr(self._local, "connection"):
            session = self._adapter.session
            self._local.connection = swiftclient.Connection(
                session=session,
                preauthurl=self._storage_url(),
                retries=_RETRIES,
                max_backoff=_LONGEST_PAUSE_SECONDS,
                cacert=session.verify if isinstance(session.verify, str) else None,
                insecure=session.verify is False,
                timeout=self._timeout,
            )
        return self._local.connection

    def _storage_url(self) -> str:
        """Return Swift's own address; Keystone is asked for it once."""
        if self._endpoint is None:
            with _unavailable("Keystone does not say where Swift is"):
                self._endpoint = self._adapter.get_endpoint()
        if self._endpoint is None:
            raise ArchivesUnavailableError("Keystone's catalogue has no Swift")
        return self._endpoint


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options of the session with Swift, for oslo-config-generator: other ways than a
    password have others.
    """
    return [(_GROUP, [*_session_opts(), *loading.get_auth_plugin_conf_options("password")])]


def _session_opts() -> list[cfg.Opt]:
    adapter = loading.get_adapter_conf_options(include_deprecated=False)
    cfg.set_defaults(adapter, service_type=_SERVICE_TYPE)
    auth, session = loading.get_auth_common_conf_options(), loading.get_session_conf_options()
    return [*auth, *session, *adapter]


@contextmanager
def _unavailable(what: str) -> Iterator[None]:
    """Turn what Swift or Keystone fails with into our own; it never has an address with a key."""
    try:
        yield
    except (
        swiftclient.ClientException,
        AuthError,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ) as error:
        raise ArchivesUnavailableError(f"{what}: {error}") from error
