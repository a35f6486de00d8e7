"""The life of a job, told with the real commands."""

import os
import signal

from fleetflow.jobs.model import start_time


def test_a_job_outlives_the_shell_and_goes_on_where_it_was_suspended(world):
    world.send(50)
    assert world.run("submit", "-n", "trucks", "-w", "1").strip() == "trucks is running"
    world.until_all_arrived()
    assert [row["job"] for row in world.json("cluster")] == ["trucks"]
    world.run("suspend", "trucks")
    assert world.state() == "suspended"
    assert world.processes() == []
    world.send(50)
    assert world.json("resume", "trucks", "-w", "2", "-p", "2")[0]["state"] == "running"
    world.until_all_arrived()
    assert len(world.json("cluster")) == 2
    assert "fleetflow.jobs: suspended" in world.run("logs", "trucks")
    world.run("cancel", "trucks")
    assert world.run("list-jobs", "--json") == ""
    assert world.state() == "cancelled"
    assert "is cancelled and cannot be resumed" in world.run("resume", "trucks", code=1)


def test_a_savepoint_starts_another_job_and_names_are_told(world):
    world.send(20)
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert world.json("save-snapshot", "trucks", "live") == [
        {"job": "trucks", "state": "running", "savepoint": "live"}
    ]
    world.run("save-snapshot", "-C", "trucks", "last")
    assert world.state() == "cancelled"
    rows = world.json("list-snapshots")
    assert [(row["name"], row["job"], row["schema"], row["problem"]) for row in rows] == [
        ("last", "trucks", "ping 2", ""),
        ("live", "trucks", "ping 2", ""),
    ]
    for path in (world.home / "fake" / "map").glob("*.json"):
        path.unlink()
    world.send(10)
    world.run("submit", "-n", "trucks", "-s", "last", "-w", "1")
    world.until(lambda: len(world.vehicles()) == 10, what="only what came after the savepoint")
    world.run("cancel", "trucks")
    assert len(world.vehicles()) == 10
    world.run("delete-snapshot", "last")
    assert 'there is no savepoint "last"' in world.run("submit", "-n", "trucks", "-s", "last", code=5)
    assert 'there is no job "nobody"' in world.run("suspend", "nobody", code=3)
    assert "cannot name a job" in world.run("suspend", "../x", code=1)


def test_kills_of_a_process_and_of_the_supervisor_miss_nothing(world):
    world.send(40)
    world.run("submit", "-n", "trucks", "-w", "1", "-p", "2")
    world.until_all_arrived()
    before = world.status()
    os.kill(before["processes"][1]["pid"], signal.SIGKILL)
    world.send(40)
    world.until(lambda: world.status()["restarts"] == 1 and world.status()["state"] == "running", 60, "again")
    assert "was killed by SIGKILL" in world.status()["reason"]
    world.until_all_arrived()
    now = world.status()
    os.kill(now["pid"], signal.SIGKILL)
    world.until(
        lambda: not any(start_time(each["pid"]) == each["started"] for each in now["processes"]),
        what="no orphan",
    )
    # the kernel may end its children before it drops a killed supervisor's lock
    world.until(lambda: world.state() == "interrupted", what="interrupted")
    world.send(40)
    world.run("resume", "trucks")
    world.until_all_arrived()
    world.run("cancel", "trucks")
    assert world.processes() == []


def test_a_crash_loop_is_given_up_with_its_reason(world):
    (world.home / "fake" / "crash").touch()
    text = world.run("submit", "-n", "trucks", "-w", "1", code=6)
    assert 'the job "trucks" failed' in text
    assert "the fake source cannot be opened" in "\n".join(world.status()["last_log"])
    assert world.state() == "failed"
    (world.home / "fake" / "crash").unlink()
    world.send(10)
    world.run("resume", "trucks")
    world.until_all_arrived()
    world.run("cancel", "trucks")


def test_a_job_that_is_alive_and_does_not_progress_is_started_again(world):
    world.environment["FLEETFLOW_JOBS_STALL_S"] = "6"
    world.send(10)
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    os.kill(world.status()["processes"][0]["pid"], signal.SIGSTOP)
    world.send(10)
    # on a machine that is slow enough it may not come to progress in time once more
    world.until(lambda: world.status()["restarts"] > 0, 60, what="a restart")
    assert world.status()["reason"] == "no progress for 6 s"
    world.until_all_arrived()
    world.run("cancel", "trucks")


def test_a_job_of_once_completes(world):
    world.send(10)
    world.run("submit", "-n", "trucks", "-w", "1", "--once")
    world.until(lambda: world.status()["state"] == "completed", what="the end")
    world.until_all_arrived()
    assert [row["state"] for row in world.json("list-jobs", "-a")] == ["completed"]
    assert "fleetflow.jobs: completed" in world.run("logs", "-f", "trucks")
