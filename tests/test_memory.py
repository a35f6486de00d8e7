"""The collector of garbage: out of the way while modules are loaded, as usual in what runs long."""

import subprocess
import sys

import pytest

from fleetflow import memory

SHOW = (
    "import gc, fleetflow.memory as m; before = gc.get_freeze_count(); m.load_quickly(); {};"
    " print(gc.get_threshold(), gc.get_freeze_count() > before)"
)


@pytest.mark.parametrize(
    ("then", "shown"),
    [
        ("pass", f"{memory.LOADING} False"),
        ("m.keep_loaded()", f"{memory.RUNNING} True"),
        ("m.keep_loaded(m.SELDOM)", f"{memory.SELDOM} True"),
    ],
)
def test_the_collector_is_seldom_asked_while_modules_are_loaded(then, shown):
    done = subprocess.run(
        [sys.executable, "-P", "-c", SHOW.format(then)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == shown


def test_a_command_collects_again_once_it_is_loaded(tmp_path):
    program = (
        "import atexit, gc, sys; atexit.register(lambda: print(gc.get_threshold()));"
        "sys.argv = ['fleetflow', 'plugins']; from fleetflow.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == str(memory.SELDOM)
