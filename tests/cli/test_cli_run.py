"""`fleetflow run` with several processes: how many workers they have, and that one may fail."""

import pytest

from fleetflow import cluster
from fleetflow.builtin.core import RunSettings
from fleetflow.cli import run


class Fake:
    """A cluster that ends with the next of `codes`."""

    codes: list[int]
    started: int

    def __init__(self, *arguments):
        type(self).started += 1

    def wait(self):
        return self.codes.pop(0)

    def stop(self):
        self.codes.clear()


@pytest.fixture
def fake(monkeypatch):
    Fake.started = 0
    monkeypatch.setattr(cluster, "Cluster", Fake)
    monkeypatch.setattr(run.signal, "signal", lambda number, handler: None)
    return Fake


@pytest.mark.parametrize(
    ("codes", "code", "started"),
    [([0], 0, 1), ([1, 0], 0, 2), ([-11, 1, 0], 0, 3), ([1, 1, -9, 0], -9, 3)],
)
def test_all_processes_are_started_again_when_one_fails(fake, tmp_path, codes, code, started):
    fake.codes = codes
    assert run._run_cluster(1, 2, tmp_path, 1, {}) == code
    assert fake.started == started


@pytest.mark.parametrize(
    ("settings", "asked", "size"),
    [
        ({}, (None, None), (2, 1)),
        ({}, (None, 3), (1, 3)),
        ({}, (4, 3), (4, 3)),
        ({"processes": 2}, (None, None), (1, 2)),
        ({"workers": 3}, (None, 2), (3, 2)),
    ],
)
def test_several_processes_have_one_worker_each_unless_told_otherwise(settings, asked, size):
    assert RunSettings(**settings).size(*asked) == size
