"""Logging as the user configured it: levels, text or JSON lines, or a dictConfig."""

from __future__ import annotations

import json
import logging
import logging.config
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleetflow.builtin.core import LogSettings
from fleetflow.config import Configuration
from fleetflow.errors import ConfigurationError

TEXT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s"
DATE = "%Y-%m-%dT%H:%M:%S"


def configure(configuration: Configuration) -> None:
    """Set up Python's logging from the table [log]; everything goes to standard error."""
    settings = configuration.table("log", LogSettings)
    if settings.config:
        _from_file(configuration.path(settings.config))
        return
    root, loggers = _levels(settings.level)
    text: dict[str, Any] = {"format": TEXT, "datefmt": DATE, "()": _UtcFormatter}
    lines: dict[str, Any] = {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "fmt": "%(levelname)s %(name)s %(message)s",
        "rename_fields": {"levelname": "level", "name": "logger"},
        "timestamp": "time",
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"chosen": lines if settings.format == "json" else text},
            "handlers": {"stderr": {"()": _Stderr, "formatter": "chosen"}},
            "root": {"level": root, "handlers": ["stderr"]},
            "loggers": {name: {"level": level} for name, level in loggers.items()},
        }
    )


class _Held(threading.local):
    """Lines that a thread holds back, by handler, each with the record of the last one."""

    def __init__(self) -> None:
        self.lines: dict[_Stderr, list[str]] | None = None
        self.last: logging.LogRecord | None = None


_held = _Held()


@contextmanager
def together() -> Iterator[None]:
    """Write what this thread logs meanwhile to standard error at once, in the end.

    For many lines: one call of the system instead of one per line, each of which may wait for other threads
    to let go of the interpreter. Handlers from a file of the user's are not touched. May be nested.
    """
    if _held.lines is not None:
        yield
        return
    _held.lines = {}
    try:
        yield
    finally:
        held, _held.lines = _held.lines, None
        for handler, lines in held.items():
            handler.put("".join(lines), _held.last)
        _held.last = None


class _Stderr(logging.StreamHandler[Any]):
    def emit(self, record: logging.LogRecord) -> None:
        if _held.lines is None:
            super().emit(record)
            return
        try:
            _held.lines.setdefault(self, []).append(self.format(record) + self.terminator)
            _held.last = record
        # as every handler does: what cannot be logged must not end what was to be told of
        except Exception:
            self.handleError(record)

    def put(self, text: str, record: logging.LogRecord | None) -> None:
        self.acquire()
        try:
            self.stream.write(text)
            self.flush()
        # as in `emit`
        except Exception:
            if record is not None:
                self.handleError(record)
        finally:
            self.release()


class _UtcFormatter(logging.Formatter):
    def __init__(self, format: str, datefmt: str) -> None:
        super().__init__(format, datefmt)
        self._second: tuple[int, str] = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        known, text = self._second
        if second != known:
            text = time.strftime(datefmt or DATE, time.gmtime(second))
            # as one, as other threads format, too
            self._second = (second, text)
        return text


def _levels(words: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    root, loggers = "INFO", {}
    known = logging.getLevelNamesMapping()
    for word in words:
        name, separator, level = word.rpartition("=")
        if level.upper() not in known:
            raise ConfigurationError(
                f'"{word}" is not a log level', f"write LEVEL or LOGGER=LEVEL with one of {', '.join(known)}"
            )
        if separator:
            loggers[name] = level.upper()
        else:
            root = level.upper()
    return root, loggers


def _from_file(path: Path) -> None:
    try:
        text = path.read_text("utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **content})
    except (OSError, ValueError, TypeError, AttributeError, ImportError) as error:
        raise ConfigurationError(
            f"the logging configuration {path} cannot be used: {error}",
            "expected a dictConfig (docs.python.org, logging.config) in TOML, or JSON when it ends in .json",
        ) from error
