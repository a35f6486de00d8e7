"""The ledger: the account is exact at every moment, and goes back with the positions."""

import json
import threading

from click.testing import CliRunner
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow import config, plugins
from fleetflow.builtin import core
from fleetflow.builtin import ledger as plugin
from fleetflow.contracts.payload import Notice, Span
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.ledger.commands import ledger_group, status_command
from fleetflow.ledger.reader import Ledger
from fleetflow.ledger.sink import LedgerSink
from fleetflow.plugins import hookimpl
from fleetflow.testing import empty

NOTHING = empty(fleetflow_schema())
ONE_EACH = {"alpha": Counts(3, 1, 1, 1)}


def span(start, end, resource="a.csv"):
    return Span("alpha", "alpha-0", resource, start, end, end - start, 7)


def test_counters_go_back_to_the_snapshot_on_resume(tmp_path):
    sink = LedgerSink(tmp_path)
    shard = sink.open("0000", None)
    shard.write(ShardBatch(NOTHING), ONE_EACH)
    state = shard.snapshot()
    shard.write(ShardBatch(NOTHING), ONE_EACH)
    shard.close()
    assert Ledger(tmp_path).counts()["alpha"].read == 6
    again = sink.open("0000", state)
    assert Ledger(tmp_path).counts() == ONE_EACH
    again.write(ShardBatch(NOTHING), ONE_EACH)
    again.close()
    assert Ledger(tmp_path).counts() == {"alpha": Counts(6, 2, 2, 2)}


def test_a_fresh_start_counts_from_zero(tmp_path):
    shard = LedgerSink(tmp_path).open("0000", None)
    shard.write(ShardBatch(NOTHING), ONE_EACH)
    shard.close()
    LedgerSink(tmp_path).open("0000", None).close()
    assert Ledger(tmp_path).counts() == {}


def test_every_reader_sees_a_balanced_account_at_every_moment(tmp_path):
    done = threading.Event()
    seen = []

    def read():
        ledger = Ledger(tmp_path)
        while not done.is_set():
            seen.extend(ledger.counts().values())
        ledger.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        shards = [LedgerSink(tmp_path).open(f"{number:04d}", None) for number in range(4)]
        for _ in range(50):
            for shard in shards:
                shard.write(ShardBatch(NOTHING), ONE_EACH)
    finally:
        done.set()
        reader.join()
    for shard in shards:
        shard.close()
    assert seen
    assert all(counts.read == counts.settled for counts in seen)
    assert Ledger(tmp_path).counts()["alpha"] == Counts(600, 200, 200, 200)


def test_a_difference_is_shown_and_never_adjusted(tmp_path, caplog):
    shard = LedgerSink(tmp_path).open("0000", None)
    shard.write(ShardBatch(NOTHING), {"alpha": Counts(read=5, applied=4)})
    shard.close()
    assert "read 5 but settled 4" in caplog.text
    result = invoke(tmp_path, status_command, "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["sources"]["alpha"]["unaccounted"] == 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
@settings(max_examples=30, deadline=None)
def test_ranges_are_those_of_a_slow_reference(tmp_path_factory, lengths, data):
    """Contiguous spans, each perhaps repeated after a crash, make one range without gap."""
    folder = tmp_path_factory.mktemp("ledger")
    spans, start = [], 0
    for length in lengths:
        spans.append(span(start, start + length))
        start += length
    repeat = data.draw(st.integers(0, len(spans)))
    shard = LedgerSink(folder).open("0000", None)
    for each in [*spans, *spans[repeat:]]:
        shard.write(ShardBatch(NOTHING, spans=(each,)), {})
    shard.close()
    (found,) = Ledger(folder).ranges()
    assert (found.start, found.end, found.records) == (0, start, start)
    assert found.replayed == sum(lengths[repeat:])


def test_a_gap_begins_a_range_of_its_own(tmp_path):
    shard = LedgerSink(tmp_path).open("0000", None)
    shard.write(ShardBatch(NOTHING, spans=(span(0, 5), span(9, 12), span(0, 3, "b.csv"))), {})
    shard.close()
    assert [(r.resource, r.start, r.end) for r in Ledger(tmp_path).ranges("alpha")] == [
        ("a.csv", 0, 5),
        ("a.csv", 9, 12),
        ("b.csv", 0, 3),
    ]


def test_notices_are_kept_once_and_progress_only_newest(tmp_path):
    gap = Notice("beta", "beta-0", "gap", "3 pings were lost upstream", 1.0, {"lost": 3})
    behind = [
        Notice("beta", "beta-0", "progress", "", 1.0 + n, {"behind": n, "unit": "pings"}) for n in range(3)
    ]
    shard = LedgerSink(tmp_path).open("0000", None)
    shard.write(ShardBatch(NOTHING, notices=(gap, gap, *behind)), {})
    shard.close()
    assert Ledger(tmp_path).notices() == [gap]
    assert Ledger(tmp_path).progress() == {"beta": {"beta-0": {"behind": 2, "unit": "pings"}}}


class Vehicles:
    @hookimpl
    def fleetflow_vehicles_map(self):
        return self

    def count(self):
        return 42


def invoke(tmp_path, command, *arguments):
    loaded = config.load(
        {**core.fleetflow_settings(), **plugin.fleetflow_settings()},
        environment={"FLEETFLOW_HOME": str(tmp_path), "FLEETFLOW_LEDGER_DIR": str(tmp_path)},
    )
    runner = CliRunner()
    import click

    @click.group()
    @click.pass_context
    def top(ctx):
        ctx.obj = loaded
        ctx.meta["plugins"] = plugins.only_these([("vehicles", Vehicles())])

    top.add_command(command)
    return runner.invoke(top, [command.name, *arguments], catch_exceptions=False)


def test_status_tells_the_whole_account(tmp_path):
    shard = LedgerSink(tmp_path).open("0000", None)
    shard.write(ShardBatch(NOTHING, spans=(span(0, 3),)), ONE_EACH)
    shard.close()
    state = json.loads(invoke(tmp_path, status_command, "--json").output)
    assert state["vehicles"] == 42
    assert state["sources"]["alpha"]["positions"] == {"a.csv": 3}
    assert state["total"] == {"read": 3, "applied": 1, "superseded": 1, "quarantined": 1, "unaccounted": 0}
    assert "alpha" in invoke(tmp_path, status_command).output
    (line,) = invoke(tmp_path, ledger_group, "ranges", "--json").output.splitlines()
    assert json.loads(line)["end"] == 3


def test_no_ledger_yet_is_an_empty_account(tmp_path):
    assert json.loads(invoke(tmp_path, status_command, "--json").output)["sources"] == {}
