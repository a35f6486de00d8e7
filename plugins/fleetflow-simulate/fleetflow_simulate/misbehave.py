"""Pings as vendors really send them: late, repeated, malformed, from the future, at 0,0."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from fleetflow_simulate.fleet import Ping

LATE_S = 600.0
FUTURE_S = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """Probabilities per ping, each from 0 to 1."""

    late: float = 0.0
    repeated: float = 0.0
    malformed: float = 0.0
    future: float = 0.0
    zero: float = 0.0

    @property
    def any(self) -> bool:
        """Whether anything is asked for."""
        return any((self.late, self.repeated, self.malformed, self.future, self.zero))

    def spoil(
        self,
        pings: Iterable[Ping],
        seed: int,
        encode: Callable[[Ping], bytes],
        garble: Callable[[bytes], bytes],
    ) -> Iterator[tuple[Ping, bytes]]:
        """Yield each ping with its encoded form, spoiled by chance; the chances are those of ping and seed.

        A late ping is an older report of the vehicle that comes now; `garble` makes a form malformed.
        """
        for ping in pings:
            rng = random.Random(f"{seed} {ping.vin} {ping.time}") if self.any else None
            if rng is None:
                yield ping, encode(ping)
                continue
            chosen = ping
            if rng.random() < self.late:
                chosen = replace(chosen, time=round(chosen.time - LATE_S, 3))
            if rng.random() < self.future:
                chosen = replace(chosen, time=round(chosen.time + FUTURE_S, 3))
            if rng.random() < self.zero:
                chosen = replace(chosen, latitude=0.0, longitude=0.0)
            encoded = encode(chosen)
            if rng.random() < self.malformed:
                encoded = garble(encoded)
            yield chosen, encoded
            if rng.random() < self.repeated:
                yield chosen, encoded
