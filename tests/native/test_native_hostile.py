"""Whatever bytes come, C reads and writes nothing but its own memory, and gives all of it back."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fleetflow.native import library

HERE = Path(__file__).parent
SOURCES = Path(library.__file__).parent / "c"
ROUNDS = 20_000
SANITIZERS = (
    "-g",
    "-O1",
    "-std=c11",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
)


def run(program, *arguments, detect_leaks):
    return subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"ASAN_OPTIONS": f"detect_leaks={detect_leaks}"},
    )


def test_hostile_bytes_lead_nowhere(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None or not SOURCES.is_dir():
        pytest.skip("there is no C compiler, or no source")
    program = tmp_path / "hostile"
    sources = [str(source) for source in (HERE / "hostile.c", *SOURCES.glob("*.c"))]
    command = [compiler, *SANITIZERS, f"-I{SOURCES}", "-o", str(program), *sources, "-lpthread", "-lm"]
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    probe = [compiler, *SANITIZERS, "-o", str(tmp_path / "empty"), str(empty)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("the compiler has no sanitizers")
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    # leaks are looked for by tracing the process, which not every machine allows
    leaks = run(tmp_path / "empty", detect_leaks=1).returncode == 0
    done = run(program, ROUNDS, detect_leaks=int(leaks))
    assert done.returncode == 0, done.stderr[-4000:]
    lines, pages = map(int, done.stdout.split())
    # a good part was read, and a good part was not
    assert ROUNDS / 2 < lines <= ROUNDS
    assert ROUNDS / 8 < pages < ROUNDS
