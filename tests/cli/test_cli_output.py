"""What data may do to a terminal: be shown."""

import json
import os
import subprocess
import sys

import pytest

from fleetflow.cli.output import plain, print_table

SHOW = "from fleetflow.cli.output import print_json; print_json({'vin': 'caf\\u00e9 \\ud800 \\x1b[2J'})"


def test_control_characters_are_shown_and_not_obeyed(capsys):
    print_table("", ["vin"], [["A\x1b]0;owned\x07\x9b2J\u202eB"]])
    shown = capsys.readouterr().out
    assert r"A\x1b]0;owned\x07\x9b2J\u202eB" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)


def test_other_writing_stays_as_it_is():
    assert plain("Ümläut 车辆 🚚") == "Ümläut 车辆 🚚"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_can_be_read_whatever_the_terminal_and_the_data_are(encoding):
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"vin": "café \ud800 \x1b[2J"}


@pytest.mark.parametrize("place", ["/proc/nothing", "/dev/null/below"])
def test_what_the_system_refuses_is_a_message_with_a_hint(tmp_path, place):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fleetflow", "--set", f"recovery.dir={place}", "run", "--once"],
        env={**os.environ, "FLEETFLOW_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
