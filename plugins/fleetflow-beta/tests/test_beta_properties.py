"""Any history of a service, read with crashes at any moment, against a reference that is slow and simple."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

from beta_service import Service, reading, wait_for
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st


@dataclass
class Step:
    add: int
    skip: int
    polls: int
    crash: bool
    stored: bool
    fault: int | None


steps = st.builds(
    Step,
    add=st.integers(0, 25),
    skip=st.sampled_from([0, 0, 0, 1, 4]),
    polls=st.integers(0, 4),
    crash=st.booleans(),
    stored=st.booleans(),
    fault=st.sampled_from([None, None, 500, 404]),
)


def run(service: Service, plan: list[Step], limit: int) -> None:
    history: set[tuple[int, float]] = set()
    position: Any = None
    ranges: list[tuple[int, int]] = []
    committed: list[tuple[int, int]] = []
    emitted: set[tuple[int, float]] = set()
    lost = 0
    for number, step in enumerate(plan):
        service.next += step.skip
        lost += step.skip
        before = service.next
        service.add(step.add)
        history |= {(s, json.loads(service.pings[s])["time"]) for s in range(before, service.next)}
        if step.fault is not None:
            service.faults.append(
                lambda handler, since, limit, code=step.fault: handler.answer(b"", code)  # type: ignore[misc]
            )
        last = number == len(plan) - 1
        with reading(
            service.url, limit=limit, position=pickle.loads(pickle.dumps(position)), poll_s=0.002
        ) as reader:
            for _ in range(step.polls):
                wait_for(lambda: reader.partition.next_poll_s() == 0 or reader.partition.caught_up())
                reader.poll(max_bytes=2000)
            if last or not step.crash:
                reader.until(reader.partition.caught_up)
            # what was emitted after the position that is stored counts only when it comes again
            position_now = reader.partition.position()
        emitted |= {(e["sequence"], e["time"]) for e in reader.elements}
        ranges = committed + [(p.start, p.end) for p in reader.payloads]
        if last or not step.crash or step.stored:
            position, committed = position_now, ranges
    assert emitted == history
    assert position["urls"].get(service.url, {"since": -1})["since"] <= service.next - 1
    reached = 0
    missing = 0
    for start, end in committed:
        assert start >= reached
        assert end > start
        missing += start - reached
        reached = end
    assert missing <= lost


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plan=st.lists(steps, min_size=1, max_size=5), limit=st.integers(1, 12))
def test_every_ping_is_emitted_whatever_happens(plan: list[Step], limit: int) -> None:
    service = Service()
    try:
        run(service, plan, limit)
    finally:
        service.stop()


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=st.integers(1, 30),
    second=st.integers(1, 60),
    crash=st.booleans(),
    limit=st.integers(1, 12),
    polls=st.integers(0, 4),
)
def test_every_ping_after_a_restart_is_emitted(
    first: int, second: int, crash: bool, limit: int, polls: int
) -> None:
    service = Service()
    try:
        service.add(first)
        with reading(service.url, limit=limit, poll_s=0.002) as reader:
            for _ in range(polls):
                wait_for(lambda: reader.partition.next_poll_s() == 0 or reader.partition.caught_up())
                reader.poll(max_bytes=1000)
            if not crash:
                reader.until(reader.partition.caught_up)
            position = reader.partition.position()
        service.restart(second)
        with reading(
            service.url, limit=limit, position=pickle.loads(pickle.dumps(position)), poll_s=0.002
        ) as resumed:
            times = {json.loads(text)["time"] for text in service.pings.values()}
            resumed.until(lambda: times <= {element["time"] for element in resumed.elements})
        assert len(resumed.notices("restart")) == (1 if position["urls"] else 0)
    finally:
        service.stop()
