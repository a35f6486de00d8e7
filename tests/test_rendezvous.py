"""Processes of a job wait until those before them listen."""

import socket
import sys
from contextlib import ExitStack

import pytest

from fleetflow.rendezvous import LOOK_EVERY_S, MOST_S, wait_for_lower

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(port, state):
    return f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 1\n"


def slept(tmp_path, number, addresses, tables):
    """Return how often it slept; what the kernel tells changes with each sleep, and then stays."""
    table, table6, sleeps = tmp_path / "tcp", tmp_path / "tcp6", []
    table6.write_text(HEAD + row(2100, "0A").replace("0100007F", "0" * 24 + "01000000"))

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) < len(tables):
            table.write_text(HEAD + tables[len(sleeps)])

    table.write_text(HEAD + tables[0])
    wait_for_lower(number, addresses, [table, table6], sleep, lambda: 10 + sum(sleeps))
    return len(sleeps)


ADDRESSES = ["127.0.0.1:2101", "localhost:2102", "127.0.0.1:2103"]
BOTH = row(2101, "0A") + row(2102, "0A")


@pytest.mark.parametrize(
    ("number", "tables", "times"),
    [
        # who is first waits for nobody
        (0, [""], 0),
        (1, [row(2101, "0A")], 0),
        (1, ["", row(2102, "0A"), row(2101, "01"), row(2101, "0A")], 3),
        (2, [row(2101, "0A"), BOTH], 1),
    ],
)
def test_who_comes_later_waits_for_those_before(tmp_path, number, tables, times):
    assert slept(tmp_path, number, ADDRESSES, tables) == times


def test_one_that_never_listens_is_not_waited_for_for_ever(tmp_path):
    assert slept(tmp_path, 1, ADDRESSES, [""]) == pytest.approx(MOST_S / LOOK_EVERY_S, abs=1)


def test_who_listens_by_ipv6_alone_is_found(tmp_path):
    assert slept(tmp_path, 1, ["localhost:2100", "localhost:2101"], [""]) == 0


def test_other_machines_are_not_waited_for(tmp_path):
    assert slept(tmp_path, 2, ["10.0.0.1:2101", "fleet.example:2102", "127.0.0.1:2103"], [""]) == 0
    assert slept(tmp_path, 1, [""], [""]) == 0


def test_where_nobody_tells_who_listens_nothing_is_waited_for(tmp_path):
    wait_for_lower(1, ADDRESSES, [tmp_path / "none"], lambda _: pytest.fail("it slept"))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's own")
def test_the_kernel_tells_who_listens():
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
        sleeps = []

        def sleep(seconds):
            sleeps.append(seconds)
            if len(sleeps) == 3:
                sockets[0].listen()

        wait_for_lower(1, addresses, sleep=sleep)
        assert len(sleeps) == 3
