"""Titles of OBD codes: the project's own table of common generic codes, and a user's fuller one over it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path

from pydantic import Field

from fleetflow.codes.severity import Severity, severity_of
from fleetflow.config import Configuration, Settings
from fleetflow.errors import ConfigurationError

HEADER = ("code", "description")
BAD_ROWS_NAMED = 5


class CodesSettings(Settings):
    """The table [codes]."""

    file: str = Field(
        "",
        description="CSV file code,description with more titles of codes; they come before the built-in ones",
    )


class Codes:
    """Titles and severities of codes. Small letters and spaces around a code do not matter."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._titles = dict(titles)

    @classmethod
    def of(cls, configuration: Configuration) -> Codes:
        """Return the built-in titles with those of `[codes] file` over them.

        Reads files: keep the answer. Raises ConfigurationError for a file that is missing or has bad rows.
        """
        file = configuration.table("codes", CodesSettings).file
        return cls({**builtin_titles(), **(read_titles(configuration.path(file)) if file else {})})

    def title(self, code: str) -> str | None:
        """Return the title of a code, None when it is not known."""
        return self._titles.get(_plain(code))

    def severity(self, code: str) -> Severity:
        """Return how serious a code is, by the rules of `fleetflow.codes.severity`."""
        return severity_of(code)

    def describe(self, code: str) -> str:
        """Return the code and its title; the code alone when it is not known."""
        title = self.title(code)
        return _plain(code) if title is None else f"{_plain(code)} {title}"

    def items(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield code and title of all known codes that begin with `prefix`, in order of code."""
        plain = _plain(prefix)
        return ((code, self._titles[code]) for code in sorted(self._titles) if code.startswith(plain))

    def __len__(self) -> int:
        return len(self._titles)


def builtin_titles() -> dict[str, str]:
    """Return the project's own table: common codes of SAE J2012 (P0, P2, B0, C0, U0), in its own words."""
    text = resources.files("fleetflow.codes").joinpath("codes.csv").read_text("utf-8")
    return parse_titles(text.splitlines(keepends=True), "codes.csv")


def read_titles(file: Path) -> dict[str, str]:
    """Return the titles of a user's CSV file; raises ConfigurationError when it cannot be used."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return parse_titles(lines, str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file of codes {file} cannot be read: {error}", "correct [codes] file"
        ) from error


def parse_titles(lines: Iterable[str], name: str) -> dict[str, str]:
    """Return code to title from CSV lines `code,description`; of two rows of one code the last wins.

    A first row `code,description`, empty lines and further columns are passed over. Raises
    ConfigurationError that names the line of each bad row, the first few of them.
    """
    titles: dict[str, str] = {}
    bad: list[str] = []
    reader = csv.reader(lines)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or (
                not titles and not bad and tuple(cell.lower() for cell in cells[:2]) == HEADER
            ):
                continue
            if len(cells) < 2 or not cells[0] or not cells[1] or " " in cells[0]:
                bad.append(f"line {reader.line_num}: {','.join(row)!r}")
            else:
                titles[_plain(cells[0])] = cells[1]
    except csv.Error as error:
        bad.append(f"line {reader.line_num}: {error}")
    if bad:
        more = f", and {len(bad) - BAD_ROWS_NAMED} more" if len(bad) > BAD_ROWS_NAMED else ""
        raise ConfigurationError(
            f"{name} has rows that are not code,description: {'; '.join(bad[:BAD_ROWS_NAMED])}{more}",
            'write rows such as P0171,"Mixture too lean (bank 1)"',
        )
    return titles


def _plain(code: str) -> str:
    return code.strip().upper()
