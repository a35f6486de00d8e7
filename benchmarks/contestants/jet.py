"""Hazelcast 5 (Jet), the system whose place fleetflow takes: a small Java program, built when needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import polars as pl

from benchmarks.answers import read_csv
from benchmarks.contestants.base import PROGRAMS, Command, Contestant, clean_environment
from benchmarks.environments import INSTALL_TIMEOUT_S, Missing
from benchmarks.inputs import Input

VERSION = "5.5.0"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
OPEN = (
    "--add-modules=java.se",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.management/sun.management=ALL-UNNAMED",
    "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED",
)
"""What Hazelcast asks for to be as quick as it can, on Java 9 and later."""


class HazelcastJet(Contestant):
    """One member, a map in memory, at-least-once with a snapshot every 10 s, as the system of old ran it."""

    name = f"Hazelcast Jet {VERSION}"
    promise = "in memory, snapshots"
    kind = "stream"

    def __init__(self, cores: int) -> None:
        """`cores` is how many threads run the job."""
        self._cores = cores

    def prepare(self, given: Input) -> None:
        """Fetch Hazelcast and compile the program; raises Missing where Java, Maven or the index is not."""
        home = _home(given)
        if (home / "complete").is_file():
            return
        for program in ("java", "javac", "mvn"):
            if shutil.which(program) is None:
                raise Missing(f"there is no {program}")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        artifact = f"-Dartifact=com.hazelcast:hazelcast:{VERSION}"
        for command in (
            ["mvn", "-q", "-B", COPY, artifact, f"-DoutputDirectory={home}"],
            ["javac", "-nowarn", "-cp", str(_jar(home)), "-d", str(home), str(PROGRAMS / "JetLatest.java")],
        ):
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
                )
            except subprocess.TimeoutExpired as error:
                raise Missing(f"cannot be installed: not done after {INSTALL_TIMEOUT_S} s") from error
            if done.returncode:
                lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
                raise Missing(f"cannot be installed: {lines[0] if lines else done.returncode}")
        (home / "complete").touch()

    def command(self, python: str, given: Input, folder: Path) -> Command:
        """Return the command of the program."""
        home = _home(given)
        program = ["-cp", f"{_jar(home)}:{home}", "JetLatest"]
        arguments = [str(given.directory), str(folder / "answer.csv"), str(self._cores)]
        return Command(["java", *OPEN, *program, *arguments], clean_environment())

    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the map as the program wrote it at its end."""
        return read_csv(folder / "answer.csv")


def _home(given: Input) -> Path:
    # beside the other peers' environments, in the benchmarks' folder of work
    return given.directory.parents[2] / "environments" / f"hazelcast-{VERSION}"


def _jar(home: Path) -> Path:
    return home / f"hazelcast-{VERSION}.jar"
