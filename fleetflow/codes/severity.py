"""How serious a code is, by rule: what a dispatcher must know at once stands out, whatever its title."""

from __future__ import annotations

import re
from typing import Literal

Severity = Literal["info", "warning", "critical"]

RULES: tuple[tuple[Severity, str, str], ...] = (
    ("critical", "an airbag or a belt pretensioner was fired, or its firing circuit fails", r"B00[0-478]."),
    ("critical", "the engine or the transmission is too hot", r"P0217|P0218|P0298"),
    ("critical", "the oil pressure is too low", r"P0524"),
    ("critical", "the brakes: pump, booster, pedal, pressure, fluid", r"C002[0-2]|C004[0-9A-F]|U0121|U0129"),
    ("warning", "other parts of the restraint system", r"B00..|U0151"),
    (
        "warning",
        "other parts of brakes, traction and stability control",
        r"C00..|P057[1-3]|P0504|P0703|U012.",
    ),
    ("warning", "misfire", r"P03(0[0-9]|1[0-46])"),
    ("warning", "oil pressure cannot be measured", r"P052[0-3]"),
    ("warning", "cooling fan", r"P048[0-3]|P069[12]"),
    ("warning", "fuel pressure or fuel leak", r"P008[78]|P009[34]"),
    ("warning", "throttle or crankshaft: the engine may stop", r"P21(01|11|12|35|38)|P033[5-9]"),
    ("warning", "system voltage or generator", r"P056[0-3]|P062[0-2]|U3003"),
    ("warning", "the transmission slips or asks for attention", r"P0700|P073[0-6]|P0729|P0868|P0894"),
    ("warning", "insulation of the high-voltage battery", r"P0AA6"),
    ("warning", "no communication with a control module that drives", r"U010[0-7]|U013[01]"),
)
"""Severity, what it is about, and the codes as a regular expression; the first that matches wins."""

_COMPILED = tuple((severity, re.compile(pattern)) for severity, _, pattern in RULES)


def severity_of(code: str) -> Severity:
    """Return the severity of a code by `RULES`, `info` when none matches: known by its number alone."""
    plain = code.strip().upper()
    for severity, pattern in _COMPILED:
        if pattern.fullmatch(plain):
            return severity
    return "info"
