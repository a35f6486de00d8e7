"""A directory that is written to, and partitions that read it."""

import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha.partition import AlphaPartition
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.source import AlphaSource

from fleetflow.contracts.payload import Notice, Payload
from fleetflow.native.library import library

DEADLINE_S = 20.0
WAYS = ["in C", "in Python"] if library() is not None else ["in Python"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test read in both ways; only in Python where it replaces what that way calls."""
    ways = ["in Python"] if "in_python" in metafunc.fixturenames else WAYS
    metafunc.parametrize("way", ways, indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read files in this way."""
    chosen = getattr(request, "param", WAYS[0])
    if chosen == "in Python":
        monkeypatch.setattr("fleetflow_alpha.reading.file_reader", lambda: None)
        monkeypatch.setattr("fleetflow_alpha.shard.file_reader", lambda: None)
    return str(chosen)


@pytest.fixture
def in_python() -> None:
    """Ask for reading in Python alone: the test replaces what is called there."""


class Reader:
    """One partition, and all that it emitted."""

    def __init__(self, partition: AlphaPartition) -> None:
        self.partition = partition
        self.payloads: list[Payload] = []
        self.notices: list[Notice] = []

    def poll(self, max_bytes: int = 1 << 24) -> list[Payload]:
        """Poll once; returns the payloads."""
        emissions = self.partition.poll(max_bytes)
        payloads = [emission for emission in emissions if isinstance(emission, Payload)]
        self.payloads += payloads
        self.notices += [emission for emission in emissions if isinstance(emission, Notice)]
        return payloads

    def drain(self, max_bytes: int = 1 << 24) -> list[Payload]:
        """Poll until caught up; returns the payloads."""
        return self.until(self.partition.caught_up, max_bytes)

    def until(self, condition: Callable[[], bool], max_bytes: int = 1 << 24) -> list[Payload]:
        """Poll until `condition` holds; returns the payloads."""
        payloads = self.poll(max_bytes)
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            payloads += self.poll(max_bytes)
        return payloads

    def settle(self) -> None:
        """Wait until the thread has looked once; with `poll_s=60` it rests from then on."""
        self.drain()
        deadline = time.monotonic() + DEADLINE_S
        while self.partition.next_poll_s() < 1:
            assert time.monotonic() < deadline
            self.poll()

    def noticed(self, kind: str) -> list[Notice]:
        """Return the notices of a kind."""
        return [notice for notice in self.notices if notice.kind == kind]

    def stored(self) -> Any:
        """Return the position as the recovery store hands it back."""
        return pickle.loads(pickle.dumps(self.partition.position()))


class Readers:
    """Opens sources on one directory, and closes what is still open at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._open: list[AlphaPartition] = []

    def __call__(self, position: Any = None, shard: int = 0, **settings: Any) -> Reader:
        chosen = {"shards": 1, "poll_s": 0.01, "rotation_wait_s": 0.05, **settings}
        source = AlphaSource(self.directory, AlphaSettings.model_validate(chosen))
        return self.on(source, source.partitions()[shard], position)

    def on(self, source: AlphaSource, partition: str, position: Any = None) -> Reader:
        """Open a partition of a given source."""
        opened = source.open(partition, position)
        self._open.append(opened)
        return Reader(opened)

    def close(self) -> None:
        """Close every partition."""
        for partition in self._open:
            partition.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "alpha"
    path.mkdir()
    return path


@pytest.fixture
def read(folder: Path) -> Iterator[Readers]:
    readers = Readers(folder)
    yield readers
    readers.close()


@pytest.fixture
def overwrite() -> Callable[[Path, bytes], None]:
    """Write over a file in place, so that its times show it even where a clock's tick is long."""

    def write(path: Path, data: bytes) -> None:
        before = path.stat()
        deadline = time.monotonic() + DEADLINE_S
        while True:
            path.write_bytes(data)
            after = path.stat()
            assert after.st_ino == before.st_ino
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                return
            assert time.monotonic() < deadline

    return write


@pytest.fixture
def content() -> Callable[[list[Payload]], dict[str, bytes]]:
    """Join payloads per resource, after checking that they follow each other."""

    def join(payloads: list[Payload]) -> dict[str, bytes]:
        joined: dict[str, bytes] = defaultdict(bytes)
        for payload in payloads:
            assert payload.start == len(joined[payload.resource])
            assert payload.end == payload.start + len(payload.data)
            joined[payload.resource] += payload.data
        return dict(joined)

    return join
