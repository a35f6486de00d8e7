"""The whole flow, in memory: what goes in, what comes out, and the account of it."""

from datetime import timedelta

import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import RecoveryConfig, init_db_dir
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.builtin.rules import builtin_rules
from fleetflow.contracts.payload import Notice
from fleetflow.contracts.sink import Counts
from fleetflow.testing import MemoryLedger, MemoryQuarantine, MemorySink, MemorySource, csv_payload, run_once

RULES = builtin_rules(86_400)


def run(emissions, recovery=None, sinks=None, **options):
    vehicles, quarantine, ledger = sinks or (MemorySink(), MemoryQuarantine(), MemoryLedger())
    run_once(
        fleetflow_schema(),
        [MemorySource(emissions, **options)],
        [ledger, quarantine, vehicles],
        rules=RULES,
        recovery=recovery,
    )
    return vehicles, quarantine, ledger


def test_each_record_is_applied_superseded_or_quarantined():
    text = "A,1,2,10\nA,1.5,2,20\nB,91,2,10\nnonsense\nC,0,0,5\n,1,2,3\nD,4,5,6\n"
    vehicles, quarantine, ledger = run([csv_payload(text)])
    assert {vin: record["time"] for vin, record in vehicles.records.items()} == {"A": 20.0, "D": 6.0}
    assert sorted((r.rule, r.place.raw) for r in quarantine.rejects.values()) == [
        ("latitude", b"B,91,2,10\n"),
        ("malformed", b"nonsense\n"),
        ("null_island", b"C,0,0,5\n"),
        ("vin", b",1,2,3\n"),
    ]
    assert ledger.counts == {"memory": Counts(read=7, applied=2, superseded=1, quarantined=4)}
    assert [(span.start, span.end, span.records) for span in ledger.spans] == [(0, len(text), 7)]


def test_late_ping_does_not_move_a_vehicle_back():
    vehicles, _, ledger = run([csv_payload("A,1,2,20\n"), csv_payload("A,9,9,10\n", start=9)])
    assert vehicles.records["A"]["latitude"] == 1
    assert ledger.counts["memory"].superseded == 1


def test_notices_reach_the_observers():
    notice = Notice("memory", "memory", "gap", "3 pings were lost upstream", 1.0, {"lost": 3})
    _, _, ledger = run([notice])
    assert ledger.notices == [notice]


class Crash(Exception):
    pass


class CrashingSource(MemorySource):
    """Raises once, when everything was handed on."""

    crashed = False

    def open(self, partition, position):
        opened = super().open(partition, position)
        poll = opened.poll

        def crashing(max_bytes):
            batch = poll(max_bytes)
            if not batch and not type(self).crashed:
                type(self).crashed = True
                raise Crash
            return batch

        opened.poll = crashing
        return opened


def test_crash_and_resume_ends_as_if_nothing_had_happened(tmp_path):
    init_db_dir(tmp_path, 1)
    recovery = RecoveryConfig(str(tmp_path), backup_interval=timedelta(0))
    emissions = [csv_payload(f"V{n % 5},1,{n},{n}\nbad\n", start=n * 100) for n in range(50)]
    sinks = (MemorySink(), MemoryQuarantine(), MemoryLedger())
    CrashingSource.crashed = False
    with pytest.raises((Crash, BytewaxRuntimeError)):
        run_once(fleetflow_schema(), [CrashingSource(emissions)], list(sinks), RULES, recovery=recovery)
    run_once(fleetflow_schema(), [CrashingSource(emissions)], list(sinks), RULES, recovery=recovery)
    calm = run(emissions)
    assert sinks[0].records == calm[0].records
    assert sinks[1].rejects.keys() == calm[1].rejects.keys()


def test_clean_end_leaves_nothing_to_replay(tmp_path):
    init_db_dir(tmp_path, 1)
    recovery = RecoveryConfig(str(tmp_path), backup_interval=timedelta(0))
    emissions = [csv_payload("A,1,2,10\n"), csv_payload("B,1,2,10\n", start=9)]
    run(emissions, recovery)
    _, _, again = run(emissions, recovery)
    assert again.spans == []
    assert again.counts == {}


lines = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("ABC"), st.integers(-100, 100), st.integers(0, 5)).map(
            lambda t: f"{t[0]},{t[1]},7,{t[2]}\n"
        ),
        st.just("junk\n"),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(lines, st.integers(1, 7))
def test_any_input_in_any_portions_ends_as_in_a_slow_reference(lines, portion):
    """The reference: one record after the other, in plain Python."""
    newest, rejected, offset, emissions = {}, 0, 0, []
    for index in range(0, len(lines), portion):
        text = "".join(lines[index : index + portion])
        emissions.append(csv_payload(text, start=offset))
        for line in lines[index : index + portion]:
            fields = line.strip().split(",")
            if len(fields) < 4 or not -90 <= float(fields[1]) <= 90:
                rejected += 1
            else:
                key = (float(fields[3]), offset)
                if fields[0] not in newest or key > newest[fields[0]]:
                    newest[fields[0]] = key
            offset += len(line)
    vehicles, quarantine, ledger = run(emissions, at_once=3)
    assert {vin: (r["time"], r["sequence"]) for vin, r in vehicles.records.items()} == newest
    assert len(quarantine.rejects) == rejected
    total = ledger.counts.get("memory", Counts())
    assert total.read == len(lines) == total.settled
