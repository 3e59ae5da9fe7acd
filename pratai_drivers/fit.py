"""What a container must be, to be the right one for an event. Pure."""

from typing import NamedTuple

from pratai_common.messages import Job


class Fit(NamedTuple):
    """All that makes a container the right one for an event. ``memory`` is in MB.

    The package's content is named by ``version`` and ``archive_sha256``, its secrets by a digest
    (``secrets_cache``). Environments hold secrets, too: never shown.
    """

    project_id: str
    function_id: str
    version: int
    runtime: str
    archive_sha256: str
    memory: int
    cpus: float
    network: str
    isolation: str
    environment: tuple[tuple[str, str], ...]
    secrets: str = ""

    @classmethod
    def of(cls, job: Job, secrets: str = "") -> "Fit":
        """Return what fits a job whose function is given these secrets."""
        package = job.package
        return cls(
            project_id=package.project_id,
            function_id=package.function_id,
            version=package.version,
            runtime=package.runtime,
            archive_sha256=package.archive_sha256,
            memory=job.memory,
            cpus=job.cpus,
            network=job.network,
            isolation=job.isolation,
            environment=tuple(sorted(job.environment.items())),
            secrets=secrets,
        )
