"""Partitions that are asked at different paces end their epochs together, however long a job runs."""

import random

import pytest

from fleetflow.dataflow.epochs import SHORTEST_S, Epochs

EPOCHS = 150
DRAIN_S = 0.1
LATE_S = 0.05


class Plain:
    """Asked whenever it wants to be, as Bytewax does by itself."""

    def __init__(self, interval_s):
        pass

    def expect(self, partitions):
        pass

    def opened(self, partition, now):
        pass

    def ended(self, partition, now):
        pass

    def asked(self, partition, now, awake_at):
        pass

    def wake_at(self, partition, awake_at, now):
        return awake_at


class Partition:
    """One partition, and what Bytewax knows of it."""

    def __init__(self, name, every_s, opened, epochs):
        self.name, self.every_s, self.epochs = name, every_s, epochs
        self.started = self.wanted = self.awake = self.next = opened
        self.epoch = 0
        epochs.opened(name, opened)


def spreads(make, interval_s, paces, processes=1, seed=0):
    """Play Bytewax's rules; returns how far apart epochs were ended, and the share of polls."""
    rng = random.Random(seed)
    known = [make(interval_s) for _ in range(processes)]
    names = [f"part-{number}" for number in range(len(paces))]
    for epochs in known:
        epochs.expect(names)
    parts = [
        Partition(name, every_s, number * 0.2, known[number % processes])
        for number, (name, every_s) in enumerate(zip(names, paces, strict=True))
    ]
    ends = [[] for _ in range(EPOCHS)]
    polls = 0
    while True:
        behind = min(part.epoch for part in parts)
        if behind == EPOCHS:
            expected = sum(EPOCHS * interval_s / (each.every_s + LATE_S / 2) for each in parts)
            return [max(each) - min(each) for each in ends], polls / expected
        # who has ended the epoch already is not asked
        part = min((each for each in parts if each.epoch == behind), key=lambda each: each.next)
        now, polls = part.next, polls + 1
        wanted, part.wanted = part.wanted, now + part.every_s
        part.epochs.asked(part.name, now, wanted)
        part.awake = part.epochs.wake_at(part.name, part.wanted, now)
        # now and then an answer takes its time
        took = rng.choice([0.5] + [0.005] * 30)
        part.next = max(part.awake, now + took) + rng.uniform(0, LATE_S)
        if now - part.started >= interval_s:
            part.epochs.ended(part.name, now)
            ends[part.epoch].append(now)
            part.started, part.epoch = now, part.epoch + 1
            if all(each.epoch == part.epoch for each in parts):
                for each in parts:
                    each.next = max(each.awake, now + DRAIN_S)


@pytest.mark.parametrize("interval_s", [1.0, 10.0])
@pytest.mark.parametrize("paces", [(0.1, 0.25), (0.25, 0.1, 0.1), (0.02, 0.25, 0.1, 0.25)])
def test_they_stay_together(interval_s, paces):
    apart, asked = spreads(Epochs, interval_s, paces)
    # an answer that takes its time at the end of an epoch holds it up
    assert sorted(apart[10:])[len(apart) // 2] < 0.06
    assert max(apart[10:]) < 0.6
    assert asked > (0.6 if interval_s == 1 else 0.8)


@pytest.mark.parametrize("interval_s", [1.0, 10.0])
@pytest.mark.parametrize("paces", [(0.1, 0.25), (0.02, 0.25, 0.1, 0.25)])
def test_those_of_several_processes_do_not_drift_apart(interval_s, paces):
    apart, asked = spreads(Epochs, interval_s, paces, processes=2)
    assert sum(apart[10:]) / len(apart[10:]) < 0.3
    assert max(apart[10:]) < 0.8
    assert asked > (0.5 if interval_s == 1 else 0.8)


def test_without_it_they_drift_apart_until_hardly_anybody_is_asked():
    apart, asked = spreads(Plain, 10.0, (0.1, 0.25))
    assert apart[-1] > 5
    assert asked < 0.8


def test_epochs_that_are_very_short_are_left_alone():
    epochs = Epochs(SHORTEST_S / 2)
    epochs.ended("a", 0.0)
    assert epochs.wake_at("a", 0.2, 0.1) == 0.2


def test_all_end_with_the_last_of_them():
    epochs = Epochs(10.0)
    epochs.opened("a", 0.0)
    epochs.opened("b", 0.3)
    assert epochs.wake_at("a", 9.95, 9.8) == epochs.wake_at("b", 10.25, 9.8) == pytest.approx(10.3, abs=0.05)
    epochs.ended("a", 10.3)
    epochs.asked("b", 10.4, 10.35)
    epochs.ended("b", 10.5)
    assert epochs.wake_at("a", 20.25, 20.0) == epochs.wake_at("b", 20.6, 20.0) == 20.5


def test_who_is_woken_too_late_is_not_put_off():
    epochs = Epochs(10.0)
    epochs.ended("a", 10.0)
    assert epochs.wake_at("a", 15.0, 14.9) == 15.0
    assert epochs.wake_at("a", 19.95, 19.8) == 20.0
    assert epochs.wake_at("a", 20.3, 20.2) == 20.3


def test_a_clock_that_is_put_back_lets_nobody_sleep_on():
    epochs = Epochs(10.0)
    epochs.ended("a", 5000.0)
    epochs.ended("b", 10.0)
    assert epochs.wake_at("b", 20.2, 19.9) == 20.2


def test_who_had_to_wait_for_another_process_ends_the_next_epoch_later_unless_it_has_more():
    epochs = Epochs(10.0)
    epochs.expect(["a", "b"])
    epochs.ended("a", 10.0)
    # 0.3 s, beyond what is usual
    epochs.asked("a", 10.3, 10.0)
    assert epochs.wake_at("a", 20.05, 19.95) == pytest.approx(20.15)
    assert epochs.wake_at("a", 20.05, 20.05) == 20.05


def test_who_had_to_wait_for_a_slow_disk_alone_does_not():
    epochs = Epochs(10.0)
    epochs.expect(["a", "b"])
    epochs.ended("a", 10.0)
    epochs.ended("b", 10.0)
    epochs.asked("a", 10.3, 10.0)
    assert epochs.wake_at("a", 20.05, 19.95) == 20.0
