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

    def ended(self, partition, now):
        pass

    def asked(self, partition, now, awake_at):
        pass

    def wake_at(self, awake_at, now):
        return awake_at


class Group:
    """Two partitions of one worker and source, which Bytewax looks at together."""

    def __init__(self, every_s, starts, epochs):
        self.every_s, self.epochs = every_s, epochs
        self.started = self.wanted = self.awake = starts
        self.next = starts
        self.epoch = 0


def spreads(make, interval_s, paces, seed=0):
    """Play Bytewax's rules; returns how far apart the groups ended each epoch, and the share of polls."""
    rng = random.Random(seed)
    groups = [Group(every_s, number * 0.2, make(interval_s)) for number, every_s in enumerate(paces)]
    ends = [[] for _ in range(EPOCHS)]
    polls = 0
    while True:
        behind = min(group.epoch for group in groups)
        if behind == EPOCHS:
            expected = sum(EPOCHS * interval_s / (each.every_s + LATE_S / 2) for each in groups)
            return [max(each) - min(each) for each in ends], polls / expected
        # who has ended the epoch already is not asked
        group = min((each for each in groups if each.epoch == behind), key=lambda each: each.next)
        now, polls = group.next, polls + 1
        ended = now - group.started >= interval_s
        wanted, group.wanted = group.wanted, now + group.every_s
        for partition in "ab":
            group.epochs.asked(partition, now, wanted)
            group.awake = group.epochs.wake_at(group.wanted, now)
            if ended:
                group.epochs.ended(partition, now)
        # now and then an answer takes its time
        took = rng.choice([0.5] + [0.005] * 30)
        group.next = max(group.awake, now + took) + rng.uniform(0, LATE_S)
        if ended:
            ends[group.epoch].append(now)
            group.started, group.epoch = now, group.epoch + 1
            if all(each.epoch == group.epoch for each in groups):
                for each in groups:
                    each.next = max(each.awake, now + DRAIN_S)


@pytest.mark.parametrize("interval_s", [1.0, 10.0])
@pytest.mark.parametrize("paces", [(0.1, 0.25), (0.25, 0.1, 0.1), (0.02, 0.25, 0.1, 0.25)])
def test_they_stay_together(interval_s, paces):
    apart, asked = spreads(Epochs, interval_s, paces)
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
    assert epochs.wake_at(0.2, 0.1) == 0.2


def test_ends_of_several_partitions_are_one():
    epochs = Epochs(10.0)
    epochs.ended("a", 10.0)
    epochs.asked("b", 10.1, 9.0)
    epochs.ended("b", 10.2)
    assert epochs.wake_at(19.95, 19.8) == 20.0


def test_who_is_woken_too_late_is_not_put_off():
    epochs = Epochs(10.0)
    epochs.ended("a", 10.0)
    assert epochs.wake_at(15.0, 14.9) == 15.0
    assert epochs.wake_at(19.95, 19.8) == 20.0
    assert epochs.wake_at(20.3, 20.2) == 20.3


def test_who_had_to_wait_ends_the_next_epoch_later_unless_it_has_more():
    epochs = Epochs(10.0)
    epochs.ended("a", 10.0)
    # 0.3 s, beyond what is usual
    epochs.asked("a", 10.3, 10.0)
    assert epochs.wake_at(20.05, 19.95) == pytest.approx(20.15)
    assert epochs.wake_at(20.05, 20.05) == 20.05
