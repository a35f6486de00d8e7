"""Another version of a plugin under a running job: from a savepoint, by upgrade, and back."""

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("jobs_kit", Path(__file__).with_name("conftest.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)


def package(world, name, *parts):
    world.run("package", "-o", f"{name}.zip", *parts)
    return world.home / f"{name}.zip"


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The packages of both versions of the ping schema, made once."""
    world = kit.World(tmp_path_factory.mktemp("packages"))
    return [package(world, str(n), kit.ping_wheel(world.home / "wheels", n)) for n in (1, 2)]


@pytest.fixture
def ping_1(packages):
    return packages[0]


@pytest.fixture
def ping_2(packages):
    return packages[1]


def fake(world, name, old, new, version="2.0.0"):
    text = kit.PLUGIN.replace(old, new)
    assert text != kit.PLUGIN
    file = kit.wheel(
        world.home / "wheels", "fleetflow-fake", version, {"fleetflow_fake.py": text}, kit.ENTRY_POINTS
    )
    return package(world, name, file)


def test_a_new_schema_from_a_savepoint_misses_nothing(world, ping_1, ping_2):
    world.send(30)
    world.run("submit", ping_1, "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert world.json("list-jobs")[0]["schema"] == "ping 1"
    world.run("save-snapshot", "-C", "trucks", "before")
    assert all("obd_codes" not in record for record in world.vehicles().values())
    world.send(30, codes=",P0300 P0420")
    findings = world.json("check", "-s", "before", ping_2)
    assert ("defaulted", "field obd_codes") in {(each["grade"], each["subject"]) for each in findings}
    world.run("submit", ping_2, "-n", "trucks", "-s", "before", "-w", "1")
    world.until_all_arrived()
    codes = {vin: record.get("obd_codes") for vin, record in world.vehicles().items()}
    assert codes["V00000"] is None
    assert codes["V00059"] == ["P0300", "P0420"]
    world.run("cancel", "trucks")


def test_upgrade_and_rollback_keep_a_running_job_whole(world, ping_1, ping_2):
    world.send(30)
    world.run("submit", ping_1, "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    done = world.json("upgrade", "trucks", ping_2, "--watch", "0")[0]
    assert done["state"] == "running"
    assert done["downtime_ms"] > 0
    world.send(30, codes=",P0300")
    world.until_all_arrived()
    assert world.vehicles()["V00059"]["obd_codes"] == ["P0300"]
    world.run("rollback", "trucks", "--watch", "0")
    assert world.json("list-jobs")[0]["schema"] == "ping 1"
    world.send(30)
    world.until_all_arrived()
    assert "never upgraded" in world.run("rollback", "trucks", code=1)
    world.run("cancel", "trucks")


UNDONE = {
    "cannot be opened": (
        'self.at = folder, folder / f"{name}.csv", name, at',
        "self.at = 1 / 0, 0, 0, 0",
        "ended with code",
    ),
    "knows only a newer state": (
        '(position or {"at": 0})["at"])',
        '{"v": 9}["v"] and position["place"])',
        "ended with code",
    ),
    "hangs when it reads": (
        "    def poll(self, max_bytes):",
        "    def poll(self, max_bytes):\n        while True: pass",
        "",
    ),
}


def test_a_version_that_cannot_run_is_undone(world):
    world.send(30)
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    for name, (old, new, words) in UNDONE.items():
        bad = fake(world, "bad", old, new, "9.0")
        # the one that hangs needs the whole of its time
        guard = "8" if "hangs" in name else "90"
        text = world.run("upgrade", "trucks", bad, "--guard", guard, "--watch", "0", code=6)
        assert "was undone, the version before it runs again" in text, name
        assert words in text, name
        world.send(10)
        world.until_all_arrived()
        assert world.state() == "running"
    world.run("cancel", "trucks")


FAKE = {
    "source renamed": ('name = "fake"\n', 'name = "renamed"\n', "source fake"),
    "partitions changed": ("PARTITIONS = 2", "PARTITIONS = 1", "fake-1"),
    "raises on load": ('MARK = "LOADING"', 'raise RuntimeError("on load")', "on load"),
    "hangs on load": ('MARK = "LOADING"', "import time; time.sleep(99)", "did not load within 5 s"),
    "its sink renamed": ('Sink("fake_rejects"', 'Sink("other_rejects"', "sink fake_rejects"),
}
PING = {
    "field removed": (
        '    Field("obd_codes", pl.List(pl.String()), required=False, default=[]),\n',
        "",
        "field obd_codes",
    ),
    "type changed": ('"sequence", pl.Int64()', '"sequence", pl.Float64()', "field sequence"),
}


def broken(world):
    """Yield name, package and the words of the refusal."""
    for name, (old, new, words) in FAKE.items():
        yield name, fake(world, "bad", old, new), words
    for name, (old, new, words) in PING.items():
        yield name, package(world, "bad", kit.ping_wheel(world.home / "wheels", 2, old, new)), words
    (world.home / "nine.toml").write_text("[flow]\nshards = 9\n")
    file = kit.ping_wheel(world.home / "wheels", 2)
    world.run("--config", "nine.toml", "package", "-o", "bad.zip", file)
    yield "shards changed", world.home / "bad.zip", "[flow] shards"


def test_what_would_not_work_is_refused_with_the_job_still_running(world):
    world.send(30)
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    world.until(lambda: world.status()["healthy"], what="healthy")
    before = world.status()
    for name, file, words in broken(world):
        # only what hangs needs the whole of its time
        timeout = "5" if "hangs" in name else "60"
        assert words in world.run("upgrade", "trucks", file, "--timeout", timeout, code=5), name
        assert world.status() == before, name
    damaged = world.home / "damaged.zip"
    with zipfile.ZipFile(world.home / "bad.zip") as source, zipfile.ZipFile(damaged, "w") as target:
        for entry in source.namelist():
            data = source.read(entry)
            target.writestr(entry, data + b"x" if entry.endswith(".whl") else data)
    assert "is not what its lock says" in world.run("upgrade", "trucks", damaged, code=5)
    assert world.status() == before
    assert json.loads((world.home / "jobs/trucks/job.json").read_text())["release"] == 0
    world.run("cancel", "trucks")


def test_jobs_with_two_versions_of_a_plugin_run_side_by_side(world, ping_1, ping_2):
    for name, file in (("one", ping_1), ("two", ping_2)):
        (world.home / name).mkdir()
        world.run("--set", f"fake.dir={name}", "submit", file, "-n", name, "-w", "1")
    rows = {row["job"]: row["versions"]["fleetflow-ping"] for row in world.json("cluster")}
    assert rows == {"one": "1.0.0", "two": "2.0.0"}
    for name in ("one", "two"):
        world.run("cancel", name)
