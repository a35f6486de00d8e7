"""Keep drawn tiles: the latest in memory up to a number of bytes, and all in a folder if one is given."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from threading import Lock

DEFAULT_MEMORY_BYTES = 32 * 1024 * 1024


def fingerprint() -> str:
    """Name of what tiles are drawn from: changes when the package's code or data does."""
    digest = blake2b(digest_size=8)
    package = Path(__file__).parent
    for path in sorted([*package.glob("*.py"), *package.glob("data/*")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class TileCache:
    """Bytes by key; the least recently used leave memory first. May be used by several threads at once.

    Keys are relative paths such as ``light/5/8/12.png``. In `folder` tiles lie under the fingerprint of
    what drew them, so a new version never shows old tiles. The folder itself has no bound: all tiles of
    zooms 3 to 8 over the contiguous United States are about 15 MB a theme. A failed write is not an error.
    """

    def __init__(
        self, memory_bytes: int = DEFAULT_MEMORY_BYTES, folder: Path | None = None, version: str = ""
    ) -> None:
        self._limit = memory_bytes
        self._folder = folder / version if folder is not None else None
        self._tiles: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()
        self.used_bytes = 0

    def get(self, key: str) -> bytes | None:
        """The tile, from memory only; does not block on a disk."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def load(self, key: str) -> bytes | None:
        """The tile, from memory or else from the folder."""
        tile = self.get(key)
        if tile is None and self._folder is not None:
            try:
                tile = (self._folder / key).read_bytes()
            except OSError:
                return None
            self._remember(key, tile)
        return tile

    def put(self, key: str, tile: bytes) -> None:
        """Keep a tile; in the folder a reader sees the whole file or none."""
        self._remember(key, tile)
        if self._folder is None:
            return
        target = self._folder / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(tile)
            Path(name).replace(target)
        except OSError:
            return

    def _remember(self, key: str, tile: bytes) -> None:
        with self._lock:
            self.used_bytes += len(tile) - len(self._tiles.pop(key, b""))
            self._tiles[key] = tile
            while self.used_bytes > self._limit:
                self.used_bytes -= len(self._tiles.popitem(last=False)[1])
