"""What a partition tells of its files, in words."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fleetflow.contracts.payload import Notice

SAME_KIND = 10
"""Of one kind at most this many notices come from one poll; the further ones are summed up in one more."""

PROGRESS_EVERY_S = 1.0


class Notices:
    """Collects the notices of one poll. Every notice of a file names its `resource` in `data`."""

    def __init__(self, source: str, partition: str) -> None:
        self._source, self._partition = source, partition
        self._notices: list[Notice] = []
        self._kinds: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()
        self._progress: tuple[int, int] | None = None
        self._progress_at = 0.0

    def take(self) -> list[Notice]:
        """Return what was noticed since the last call."""
        for kind, count in self._kinds.items():
            if count > SAME_KIND:
                more, unread = count - SAME_KIND, self._unread[kind]
                message = f"{more} more files: {kind}" + (
                    f", {unread} bytes were never read" if unread else ""
                )
                self._add(kind, message, {"files": more, "unread": unread})
        self._kinds.clear()
        self._unread.clear()
        notices, self._notices = self._notices, []
        return notices

    def are_told(self, behind: int, files: int) -> bool:
        """Whether there is nothing to `take`, also of this progress."""
        return not self._notices and (behind, files) == self._progress

    def progress(self, behind: int, files: int, now: float) -> None:
        """Tell the bytes that were not looked through yet, when they changed, about once per second."""
        due = now - self._progress_at >= PROGRESS_EVERY_S or behind == 0
        if (behind, files) == self._progress or not due:
            return
        self._progress, self._progress_at = (behind, files), now
        self._add(
            "progress",
            f"{behind} bytes in {files} files are to be read",
            {"behind": behind, "unit": "bytes", "files": files},
        )

    def directory(self, directory: str, trouble: str) -> None:
        """The directory cannot be listed (`trouble` says why), or can be again (empty)."""
        if trouble:
            self._add("unreadable", f"directory {directory}: {trouble}; waiting for it", {})
        else:
            self._add("recovered", f"directory {directory} can be read again", {})

    def unreadable(self, resource: str, why: str) -> None:
        """A file cannot be opened or read; it is tried again."""
        self._file("unreadable", f"{resource}: {why}; trying again", resource)

    def recovered(self, resource: str) -> None:
        """A file that was reported as unreadable can be read."""
        self._file("recovered", f"{resource} can be read again", resource)

    def endless(self, resource: str, offset: int, length: int) -> None:
        """A line has no end within a length that no record has."""
        self._file(
            "error",
            f"{resource}: the line at byte {offset} has no end within {length} bytes; it is handed on when "
            f"its newline is there",
            resource,
            offset=offset,
        )

    def deleted(self, resource: str, unread: int, rotated_to: str) -> None:
        """A file is gone, under its own name and, if it was found under another one, read to the end."""
        how = f"renamed to {rotated_to}, and read there" if rotated_to else "deleted"
        self._file("deleted", f"{resource} was {how}; {_never_read(unread)}", resource, unread=unread)

    def shortened(self, resource: str, unread: int) -> None:
        """A file lost bytes at its end that were never read; what was read of it is still there."""
        self._file("truncated", f"{resource} was truncated; {_never_read(unread)}", resource, unread=unread)

    def other_content(self, before: str, after: str, unread: int, truncated: bool, rotated_to: str) -> None:
        """A file holds other content than what was read of it: it is read from 0 as the resource `after`."""
        how = "truncated" if truncated else "replaced"
        if rotated_to:
            how = f"renamed to {rotated_to} and read there, then replaced"
        self._file(
            "truncated" if truncated else "replaced",
            f"{before} was {how}; {_never_read(unread)}; its new content is {after}",
            before,
            unread=unread,
            successor=after,
        )

    def _file(self, kind: str, message: str, resource: str, **data: Any) -> None:
        self._kinds[kind] += 1
        if self._kinds[kind] > SAME_KIND:
            self._unread[kind] += data.get("unread", 0)
            return
        self._add(kind, message, {"resource": resource, **data})

    def _add(self, kind: str, message: str, data: dict[str, Any]) -> None:
        self._notices.append(Notice(self._source, self._partition, kind, message, time.time(), data))


def _never_read(unread: int) -> str:
    return f"its last {unread} bytes known were never read" if unread else "everything known of it was read"
