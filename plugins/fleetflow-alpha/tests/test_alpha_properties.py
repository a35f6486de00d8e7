"""Whatever happens to the files: nothing twice, nothing left out, nothing mixed."""

import os
import pickle
import shutil
import tempfile
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha.names import resource, to_key, to_name
from fleetflow_alpha.partition import AlphaPartition
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.source import AlphaSource
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleetflow.contracts.payload import Payload

NAMES = st.sampled_from(["A.csv", "B.csv", "\udcff.csv"])
BYTES = st.lists(st.sampled_from([b"a", b"b\n", b"\n", b"\r\n", b"\xff,", b"cc"]), max_size=6).map(b"".join)
CONTENT = st.one_of(BYTES, st.tuples(BYTES, st.integers(1, 60)).map(lambda pair: pair[0] * pair[1]))


def whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


class Files(RuleBasedStateMachine):
    """A directory under random changes, and a partition that reads it, is closed, and is opened again.

    `emitted` is what came per resource, `versions` every content that a file ever had. `disturbed` counts
    per file what was not an append.
    """

    in_c = True
    """Whether files are read in C, where that was compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="alpha"))
        self.emitted: dict[str, bytes] = defaultdict(bytes)
        self.versions: dict[str, list[bytes]] = defaultdict(list)
        self.disturbed: dict[str, int] = defaultdict(int)
        self.clean: set[str] = set()
        self.saved: tuple[bytes, dict[str, int]] | None = None
        self.rotations = 0
        self.partition = self.open(None)

    def open(self, position: Any) -> AlphaPartition:
        chosen = AlphaSettings(shards=1, poll_s=0.002, block_bytes=4096, rotation_wait_s=0)
        with pytest.MonkeyPatch.context() as patch:
            if not self.in_c:
                patch.setattr("fleetflow_alpha.reading.file_reader", lambda: None)
                patch.setattr("fleetflow_alpha.shard.file_reader", lambda: None)
            return AlphaSource(self.folder, chosen).open("alpha-00", position)

    def teardown(self) -> None:
        self.partition.close()
        shutil.rmtree(self.folder)

    def changed(self, name: str, disturbed: bool) -> None:
        path = self.folder / name
        self.versions[to_key(name)].append(path.read_bytes() if path.exists() else b"")
        if disturbed:
            self.disturbed[to_key(name)] += 1
            self.clean.discard(name)

    @rule(name=NAMES, data=CONTENT)
    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)
        self.changed(name, disturbed=False)

    @rule(name=NAMES, data=BYTES)
    def correct(self, name: str, data: bytes) -> None:
        path = self.folder / name
        if not path.exists():
            return
        before = path.stat()
        with path.open("r+b") as file:
            file.seek(len(whole_lines(path.read_bytes())))
            file.write(data)
            file.truncate()
        # as if a clock's tick had passed
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
        self.changed(name, disturbed=False)

    @rule(name=NAMES, share=st.floats(0, 1))
    def truncate(self, name: str, share: float) -> None:
        path = self.folder / name
        if path.exists():
            os.truncate(path, int(path.stat().st_size * share))
            self.changed(name, disturbed=True)

    @rule(name=NAMES, data=CONTENT, keep=st.floats(0, 1))
    def rename_over(self, name: str, data: bytes, keep: float) -> None:
        path, new = self.folder / name, self.folder / ".new"
        old = path.read_bytes() if path.exists() else b""
        new.write_bytes(old[: int(len(old) * keep)] + data)
        new.replace(path)
        self.changed(name, disturbed=True)

    @rule(name=NAMES, data=CONTENT)
    def copy_over(self, name: str, data: bytes) -> None:
        path = self.folder / name
        before = path.stat() if path.exists() else None
        path.write_bytes(data)
        if before is not None:
            # as if a clock's tick had passed
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
        self.changed(name, disturbed=True)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        path = self.folder / name
        if path.exists():
            path.unlink()
            self.changed(name, disturbed=True)

    @rule(name=NAMES, successor=st.none() | CONTENT)
    def rotate(self, name: str, successor: bytes | None) -> None:
        path = self.folder / name
        if not path.exists():
            return
        was_clean, old = name in self.clean, path.read_bytes()
        self.rotations += 1
        path.rename(self.folder / f"{name}.{self.rotations}")
        if successor is not None:
            path.write_bytes(successor)
        self.changed(name, disturbed=True)
        self.drain()
        if was_clean and whole_lines(old):
            mine = [data for key, data in self.emitted.items() if key.split("~")[0] == to_key(name)]
            assert any(data.startswith(whole_lines(old)) for data in mine)

    @rule(max_bytes=st.sampled_from([1, 50, 5000, 1 << 20]))
    def poll(self, max_bytes: int) -> None:
        for emission in self.partition.poll(max_bytes):
            if not isinstance(emission, Payload):
                continue
            before = self.emitted[emission.resource]
            after = before + emission.data
            assert (emission.start, emission.end) == (len(before), len(after))
            assert emission.data.endswith(b"\n")
            assert emission.digest == zlib.crc32(after)
            versions = self.versions[emission.resource.split("~")[0]]
            assert any(version.startswith(after) for version in versions), "bytes of two contents are mixed"
            self.emitted[emission.resource] = after

    @rule()
    def drain(self) -> None:
        for _ in range(1000):
            self.poll(1 << 20)
            if self.partition.caught_up():
                break
        else:
            raise AssertionError("never caught up")
        for path in self.folder.glob("*.csv"):
            key, lines = to_key(path.name), whole_lines(path.read_bytes())
            generations = [at for at in range(1, 200) if self.emitted.get(resource(key, at))]
            last = self.emitted[resource(key, generations[-1])] if generations else b""
            assert last == lines or not lines
            if not self.disturbed[key]:
                assert generations in ([], [1])
            self.clean.add(path.name)

    @rule()
    def resume(self) -> None:
        position = pickle.dumps(self.partition.position())
        self.partition.close()
        self.partition = self.open(pickle.loads(position))

    @rule()
    def save(self) -> None:
        self.saved = pickle.dumps(self.partition.position()), dict(self.disturbed)

    @precondition(lambda self: self.saved and self.saved[1] == dict(self.disturbed))
    @rule()
    def go_back(self) -> None:
        assert self.saved is not None
        position = pickle.loads(self.saved[0])
        self.partition.close()
        # what follows the older position comes again, and exactly that: `poll` checks it
        files = position["files"]
        for key in {name.split("~")[0] for name in self.emitted}:
            generation, offset = files[key][:2] if key in files else (1, 0)
            for number in range(generation + 1, 200):
                self.emitted.pop(resource(key, number), None)
            self.emitted[resource(key, generation)] = self.emitted[resource(key, generation)][:offset]
        # a file that nobody had seen then may be rotated before anybody sees it
        self.clean &= {to_name(key) for key in files}
        self.partition = self.open(position)

    @invariant()
    def position_is_of_what_was_emitted(self) -> None:
        for key, values in self.partition.position()["files"].items():
            emitted = self.emitted[resource(key, values[0])]
            assert values[1:3] == (len(emitted), zlib.crc32(emitted))


Files.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class FilesInPython(Files):
    """The same without anything in C."""

    in_c = False


FilesInPython.TestCase.settings = Files.TestCase.settings
TestFiles = Files.TestCase
TestFilesInPython = FilesInPython.TestCase


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=12), min_size=2, max_size=8, unique=True))
def test_names_become_different_text_and_come_back(raws: list[bytes]) -> None:
    names = [os.fsdecode(raw) for raw in raws]
    keys = [to_key(name) for name in names]
    assert [to_name(key) for key in keys] == names
    resources = {resource(key, generation) for key in keys for generation in (1, 2, 3)}
    assert len(resources) == 3 * len(names)
    assert all(text.encode("utf-8") for text in resources)
