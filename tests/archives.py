"""Archives for tests that do not care where nodes get them, and what anybody gets by an address."""

from pathlib import Path

import requests

from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.clock import now_ms
from pratai_common.node_urls import NodeUrls
from pratai_common.tokens import TokenKey

KEY = TokenKey(b"the key of a test's installation")
NODE_URLS = NodeUrls("http://api.test", KEY)


def in_folder(folder: Path) -> FilesystemArchives:
    """Return archives in a folder; two in one folder are the same."""
    return FilesystemArchives(folder, NODE_URLS)


def soon() -> int:
    """Return when an address shall expire that the test uses at once."""
    return now_ms() // 1000 + 60


def asked(url: str, method: str = "GET", content: bytes | None = None) -> requests.Response:
    """Return what somebody is answered who has nothing but an address."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, data=content, timeout=60)
