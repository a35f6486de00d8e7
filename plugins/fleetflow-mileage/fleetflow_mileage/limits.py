"""Daily limits, for all vehicles or per group."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fleetflow.errors import ConfigurationError

NO_LIMIT = 2**62
"""Millimetres that no vehicle reaches."""
Value = TypeVar("Value")


class Limits:
    """Which daily limit a vehicle has, in millimetres."""

    def __init__(self, default_km: float, limits: dict[str, float], groups: dict[str, str]) -> None:
        self._default = _mm(default_km)
        self._limits = {_plain(group): _mm(km) for group, km in limits.items()}
        self._groups = groups

    @classmethod
    def read(cls, default_km: float, limits: Path | None, groups: Path | None) -> Limits:
        """Read the CSV files `group,limit_km` and `vin,group`; raises ConfigurationError for bad rows."""
        return cls(
            default_km,
            _table(limits, ("group", "limit_km"), _kilometres) if limits else {},
            _table(groups, ("vin", "group"), str) if groups else {},
        )

    def group(self, vin: str) -> str | None:
        """Return the group of a vehicle, None when it has none."""
        return self._groups.get(vin)

    def of(self, vin: str) -> int:
        """Return the limit of a vehicle: of its group if that has one, else the one for all."""
        group = self._groups.get(vin)
        return self._default if group is None else self._limits.get(_plain(group), self._default)


def _mm(kilometres: float) -> int:
    return round(kilometres * 1_000_000) or NO_LIMIT


def _plain(group: str) -> str:
    return "".join(group.split()).casefold()


def _kilometres(text: str) -> float:
    value = float(text)
    if not 0 < value < 1_000_000:
        raise ValueError(text)
    return value


def _table(file: Path, header: tuple[str, str], read: Callable[[str], Value]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            for row in reader:
                cells = tuple(cell.strip() for cell in row)
                if not any(cells) or (not found and tuple(cell.lower() for cell in cells[:2]) == header):
                    continue
                try:
                    key, value = cells[0], read(cells[1])
                    if not key or not cells[1]:
                        raise ValueError(row)  # noqa: TRY301 - one remedy for all bad rows
                except (ValueError, IndexError) as error:
                    raise ConfigurationError(
                        f"{file} line {reader.line_num} is {','.join(row)!r}, expected {','.join(header)}",
                        "correct the line; of two lines of one " + header[0] + " the last one counts",
                    ) from error
                found[key] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}", "correct [mileage]") from error
    return found
