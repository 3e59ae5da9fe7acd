"""Which tests go to one process where several share the work: those of a file, and all files that
use a service which is dear to start; it is started once then.
"""

from pathlib import PurePath

import pytest

_BEGIN = {
    "openstack": ("integration/test_openstack",),
    "dashboard": ("integration/dashboard/",),
}
"""How the files begin that use much at a time, and stop it with the last of their tests. The two
come first, each in a process of its own: they are long, and what comes last had better be short.
"""
_END = {
    "keystone": (
        "contract/secrets/",
        "contract/test_archives",
        "functional/test_archives.py",
        "functional/test_keystone_",
        "functional/test_openstack_session.py",
        "functional/test_secrets_in_barbican.py",
    ),
    "elasticsearch": (
        "contract/store/",
        "faults/test_elasticsearch.py",
        "functional/test_backup_elasticsearch.py",
    ),
    "front": ("functional/test_nginx.py", "faults/test_rolling_restart.py"),
    "rabbitmq": (
        "contract/test_audit_notifications.py",
        "contract/test_message_source.py",
        "contract/test_notification_source.py",
        "faults/test_rabbitmq.py",
    ),
    "postgresql": ("contract/database/", "faults/test_postgresql.py"),
}
"""How the files begin that use a service which runs until all tests are through, the longest first:
one process has little to wait for the other then. They come last, because a service that has
nothing to do takes its part of a processor.
"""
_SERVICES = _BEGIN | _END
_ORDER = {
    **{service: place for place, service in enumerate(_BEGIN, -len(_BEGIN))},
    **{service: place for place, service in enumerate(_END, 1)},
}


def group(nodeid: str) -> str:
    """Return what a test goes together with: a service's name, or its file."""
    file = nodeid.partition("::")[0]
    below = str(PurePath(file).relative_to("tests"))
    return next(
        (name for name, files in _SERVICES.items() if below.startswith(files)),
        file,
    )


def sort(items: list[pytest.Item]) -> None:
    """Put what needs a service at the beginning, or at the end."""
    items.sort(key=lambda item: _ORDER.get(group(item.nodeid), 0))
