"""Partitions that are asked at different paces end their epochs together, however long a job runs."""

import random

import pytest

from fleetflow.dataflow.epochs import NEAR_S, SHORTEST_S, Epochs, Interval

EPOCHS = 150
DRAIN_S = 0.1
LATE_S = 0.05


class Plain:
    """Asked whenever it wants to be, as Bytewax does by itself."""

    def __init__(self, interval):
        pass

    def ended(self, partition, now):
        pass

    def asked(self, partition, now, awake_at):
        pass

    def wake_at(self, awake_at, now):
        return awake_at


class Group:
    def __init__(self, name, every_s, starts, epochs):
        self.name, self.every_s, self.epochs = name, every_s, epochs
        self.started = self.wanted = self.awake = starts
        self.next = starts
        self.epoch = 0


def spreads(make, interval_s, paces, seed=0):
    """Play Bytewax's rules; returns how far apart the groups ended each epoch, and the longest pause."""
    rng, interval = random.Random(seed), Interval()
    groups = [
        Group(str(number), every_s, number * 0.2, make(interval)) for number, every_s in enumerate(paces)
    ]
    ends = [[] for _ in range(EPOCHS)]
    longest, asked_at = 0.0, {}
    while True:
        behind = min(group.epoch for group in groups)
        if behind == EPOCHS:
            return [max(each) - min(each) for each in ends], longest
        # who has ended the epoch already is not asked
        group = min((each for each in groups if each.epoch == behind), key=lambda each: each.next)
        now = group.next
        group.epochs.asked(group.name, now, group.wanted)
        longest = max(longest, now - asked_at.get(group.name, now))
        asked_at[group.name] = now
        group.wanted = now + group.every_s
        group.awake = group.epochs.wake_at(group.wanted, now)
        group.next = max(group.awake, now + 0.001) + rng.uniform(0, LATE_S)
        if now - group.started >= interval_s:
            group.epochs.ended(group.name, now)
            ends[group.epoch].append(now)
            group.started, group.epoch = now, group.epoch + 1
            if all(each.epoch == group.epoch for each in groups):
                for each in groups:
                    each.next = max(each.awake, now + DRAIN_S)


@pytest.mark.parametrize("interval_s", [1.0, 10.0])
@pytest.mark.parametrize("paces", [(0.1, 0.25), (0.25, 0.1, 0.1), (0.02, 0.25, 0.1, 0.25)])
def test_they_stay_together(interval_s, paces):
    apart, longest = spreads(Epochs, interval_s, paces)
    assert max(apart[10:]) < 0.3
    # nobody is left alone for longer than it takes them to end an epoch
    assert longest < max(paces) + NEAR_S + 0.8


def test_without_it_they_drift_apart_until_hardly_anybody_is_asked():
    apart, _ = spreads(Plain, 10.0, (0.1, 0.25))
    assert apart[-1] > 5


def test_ends_one_right_after_the_other_are_one():
    epochs = Epochs(Interval())
    for step in range(2):
        now = step * 0.9 * SHORTEST_S
        epochs.asked("a", now, now)
        epochs.ended("a", now)
    assert epochs.wake_at(now + 0.01, now) == now + 0.01


def test_a_clock_that_was_set_is_forgotten():
    interval = Interval()
    interval.seen(3.0)
    assert interval.shortest_s() == 3.0
    for _ in range(50):
        interval.seen(10.0)
    assert interval.shortest_s() == 10.0


def test_who_is_woken_too_late_is_not_put_off():
    epochs = Epochs(Interval())
    epochs.ended("a", 0.0)
    epochs.asked("a", 0.1, 0.0)
    epochs.ended("a", 10.0)
    assert epochs.wake_at(15.0, 14.9) == 15.0
    assert epochs.wake_at(19.95, 19.9) == 20.0
    assert epochs.wake_at(20.3, 20.2) == 20.3
