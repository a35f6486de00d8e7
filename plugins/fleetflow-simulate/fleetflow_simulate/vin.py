"""Vehicle identification numbers with valid check digits.

Source: 49 CFR 565.15 (table III, the values of letters, and table IV, the weights) and ISO 3779.
"""

from __future__ import annotations

import random

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
DIGITS = "0123456789"
VALUES = {
    **{digit: int(digit) for digit in DIGITS},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
CHECK_POSITION = 8
MANUFACTURERS = ("1FU", "1XK", "1XP", "1M1", "1M2", "4V4", "1HT", "3AK", "1FV", "2NK", "3HS", "5PV")
"""World manufacturer identifiers of makers of heavy trucks."""
MODEL_YEARS = "EFGHJKLMNPRS"
"""Codes of the model years 2014 to 2025."""


def check_digit(vin: str) -> str:
    """Return the check digit that belongs into position 9 of `vin` (what stands there is ignored)."""
    remainder = sum(VALUES[letter] * weight for letter, weight in zip(vin, WEIGHTS, strict=True)) % 11
    return "X" if remainder == 10 else str(remainder)


def is_valid(vin: str) -> bool:
    """Whether `vin` has 17 allowed characters and the right check digit."""
    return (
        len(vin) == 17 and all(letter in VALUES for letter in vin) and vin[CHECK_POSITION] == check_digit(vin)
    )


def fleet(count: int, seed: int) -> list[str]:
    """Return `count` distinct valid VINs; the first ones are the same whatever `count` is."""
    rng = random.Random(f"vin {seed}")
    first = rng.randrange(100_000, 800_000)
    vins = []
    for number in range(count):
        maker = rng.choice(MANUFACTURERS)
        model = "".join(rng.choices(LETTERS + DIGITS, k=5))
        # the serial number alone makes them distinct
        serial = f"{(first + number) % 1_000_000:06d}"
        unchecked = f"{maker}{model}0{rng.choice(MODEL_YEARS)}{rng.choice(LETTERS)}{serial}"
        vins.append(unchecked[:CHECK_POSITION] + check_digit(unchecked) + unchecked[CHECK_POSITION + 1 :])
    return vins
