"""Another version of a plugin under a running job: from a savepoint, by upgrade, and back."""

import importlib.util
import json
import zipfile
from pathlib import Path

from fleetflow.jobs import package as packages

SPEC = importlib.util.spec_from_file_location("jobs_kit", Path(__file__).with_name("conftest.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)


def package(world, name, *parts):
    target = world.home / f"{name}.zip"
    packages.build(target, parts, None)
    return target


def fake(world, name, old, new, version="2.0.0"):
    text = kit.PLUGIN.replace(old, new)
    assert text != kit.PLUGIN
    file = kit.wheel(
        world.home / "wheels", "fleetflow-fake", version, {"fleetflow_fake.py": text}, kit.ENTRY_POINTS
    )
    return package(world, name, file)


UNDONE = {
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


def test_jobs_with_two_versions_of_a_plugin_run_side_by_side(world):
    for number, name in enumerate(("one", "two"), start=1):
        file = package(world, name, kit.ping_wheel(world.home / "wheels", number))
        (world.home / name).mkdir()
        world.run("--set", f"fake.dir={name}", "submit", file, "-n", name, "-w", "1")
    rows = {row["job"]: row["versions"]["fleetflow-ping"] for row in world.json("cluster")}
    assert rows == {"one": "1.0.0", "two": "2.0.0"}
    for name in ("one", "two"):
        world.run("cancel", name)
