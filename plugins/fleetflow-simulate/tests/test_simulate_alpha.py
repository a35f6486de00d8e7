"""The writer of alpha files."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from fleetflow_simulate.commands import simulate


def write(folder, *arguments):
    command = [
        "alpha",
        "--dir",
        str(folder),
        "--seed",
        "1",
        "--start",
        "2026-01-01",
        "--backfill",
        *arguments,
    ]
    result = CliRunner().invoke(simulate, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_same_seed_and_start_give_the_same_bytes(tmp_path):
    first = write(tmp_path / "a", "--vehicles", "3", "--pings", "300")
    assert first == write(tmp_path / "b", "--vehicles", "3", "--pings", "300")
    assert len(first) == 3
    assert b"".join(first.values()).count(b"\n") == 300
    vin, latitude, longitude, time = next(iter(first.values())).split(b"\n")[0].split(b",")[:4]
    assert len(vin) == 17
    assert 25 < float(latitude) < 50
    assert -106 < float(longitude) < -79
    assert float(time) >= 1_767_225_600


def test_a_second_run_appends(tmp_path):
    first = write(tmp_path, "--vehicles", "2", "--pings", "10")
    both = write(tmp_path, "--vehicles", "2", "--pings", "10", "--start", "2026-01-02")
    assert all(
        both[name].startswith(content) and len(both[name]) > len(content) for name, content in first.items()
    )


def test_files_in_order_of_time(tmp_path):
    files = write(tmp_path, "--vehicles", "20", "--pings", "200", "--files", "4")
    assert len(files) == 4
    for content in files.values():
        times = [float(line.split(b",")[3]) for line in content.splitlines()]
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ("--repeated", lambda lines: len(lines) == 200),
        ("--malformed", lambda lines: all(b"not-a-number" in line for line in lines)),
        ("--zero", lambda lines: all(b",0.0000000,0.0000000," in line for line in lines)),
        (
            "--future",
            lambda lines: min(float(line.split(b",")[3]) for line in lines) >= 1_767_225_600 + 3 * 86_400,
        ),
        ("--late", lambda lines: min(float(line.split(b",")[3]) for line in lines) < 1_767_225_600),
    ],
)
def test_each_misbehaviour_is_seen(tmp_path, option, seen):
    (content,) = write(tmp_path, "--vehicles", "1", "--pings", "100", option, "1").values()
    assert seen(content.splitlines())


def test_half_written_lines_are_finished_by_the_next_write(tmp_path):
    whole = write(tmp_path / "a", "--vehicles", "2", "--pings", "400")
    assert whole == write(tmp_path / "b", "--vehicles", "2", "--pings", "400", "--partial", "1")


def test_backfill_needs_an_end(tmp_path):
    result = CliRunner().invoke(simulate, ["alpha", "--dir", str(tmp_path), "--backfill"])
    assert result.exit_code == 2
    assert "--pings" in result.output
