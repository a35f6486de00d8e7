"""Kills of a random process at a random moment: no ping is missed. FLEETFLOW_CHAOS_SEED reruns it."""

import contextlib
import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetflow.savepoints import savepoint

SPEC = importlib.util.spec_from_file_location("chaos_kit", Path(__file__).with_name("conftest.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

# a short form by default; FLEETFLOW_CHAOS_ROUNDS=100 for the whole
ROUNDS = int(os.environ.get("FLEETFLOW_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("FLEETFLOW_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)


def kill_one(world, chance, number=signal.SIGKILL):
    pids = world.processes()
    if pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(pids), number)


def make_run(world, chance):
    """Resume until the job runs, as an operator would, each time on another number of workers."""
    deadline = time.monotonic() + 60
    while True:
        state = world.state()
        if state == "running":
            return
        assert time.monotonic() < deadline, state
        if state in {"suspended", "interrupted", "failed"}:
            subprocess.run(
                [
                    *(sys.executable, "-P", "-m", "fleetflow", "resume", "trucks"),
                    *("-w", str(chance.randint(1, 4)), "-p", str(chance.randint(1, 2))),
                ],
                env=world.environment,
                cwd=world.home,
                capture_output=True,
                check=False,
                timeout=60,
            )


def during(world, chance, *arguments):
    """Kill something at a random moment of a command, among the candidates the command itself."""
    command = [sys.executable, "-P", "-m", "fleetflow", *map(str, arguments)]
    with subprocess.Popen(
        command, env=world.environment, cwd=world.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.5, 5))
        if chance.random() < 0.3:
            process.kill()
        else:
            kill_one(world, chance)
        process.wait(90)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_whatever_is_killed_whenever_no_ping_is_missed(world):
    print(f"FLEETFLOW_CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    world.environment["FLEETFLOW_JOBS_ATTEMPTS"] = "1000"
    packages = []
    for version in (1, 2):
        file = world.home / f"{version}.zip"
        world.run("package", "-o", file, kit.ping_wheel(world.home / "wheels", version))
        packages.append(file)
    world.send(10)
    world.run("submit", packages[0], "-n", "trucks", "-w", "1", "-p", "2")
    for number in range(ROUNDS):
        world.send(4)
        what = chance.choice(["kill", "kill", "back-off", "pause", "export", "upgrade", "rollback"])
        print(f"round {number}: {what}")
        if what == "kill":
            time.sleep(chance.uniform(0, 1))
            kill_one(world, chance)
        elif what == "back-off":
            for _ in range(3):
                kill_one(world, chance)
                time.sleep(chance.uniform(0, 0.4))
        elif what == "pause":
            pids = world.processes()
            kill_one(world, chance, signal.SIGSTOP)
            time.sleep(chance.uniform(0, 1))
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        elif what == "export":
            during(world, chance, "save-snapshot", "trucks", f"round-{number}")
        elif what == "upgrade":
            during(world, chance, "upgrade", "trucks", chance.choice(packages), "--accept-lossy")
        else:
            during(world, chance, "rollback", "trucks")
        world.send(4)
        make_run(world, chance)
    world.until(lambda: len(world.vehicles()) >= world.sent, 90, what="all vehicles")
    world.run("cancel", "trucks")
    expected = {f"V{number:05d}": (1.0, 2.0, float(number), "fake") for number in range(world.sent)}
    found = {
        vin: (each["latitude"], each["longitude"], each["time"], each["source"])
        for vin, each in world.vehicles().items()
    }
    assert found == expected
    folder = world.home / "recovery" / "savepoints"
    for row in world.json("list-snapshots"):
        assert savepoint.verify(folder / row["name"], "fleetflow").name == row["name"]
    assert world.processes() == []
