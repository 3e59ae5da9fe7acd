"""Stored bytes that are too large for a record: zips, large inputs, large results."""

from pratai_common.archives.base import Archives, open_archives

__all__ = ["Archives", "open_archives"]
