"""Logging as the user configured it: levels, text or JSON lines, or a dictConfig."""

from __future__ import annotations

import json
import logging
import logging.config
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
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


def log_all(logger: logging.Logger, lines: Sequence[tuple[int, str]]) -> None:
    """Log many (level, message) of one moment, in their order, as `logger.log` does one by one.

    For a flood of them: what is written to standard error is one piece of text, of which the moment and the
    names are formatted once per level. Other handlers, filters among them, are given one record per message.
    """
    lines = [line for line in lines if logger.isEnabledFor(line[0])]
    records = {
        level: logger.makeRecord(logger.name, level, __file__, 0, "%s", ("",), None)
        for level in dict.fromkeys(level for level, _ in lines)
    }
    handlers = list(_handlers(logger))
    if logger.filters or not handlers:
        for level, message in lines:
            logger.handle(_with_message(records[level], message))
        return
    for handler in handlers:
        due = [line for line in lines if line[0] >= handler.level]
        if isinstance(handler, _Stderr) and not handler.filters:
            handler.put_all(records, due)
        else:
            for level, message in due:
                handler.handle(_with_message(records[level], message))


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that a record of `logger` comes to, as `Logger.callHandlers` finds them."""
    level: logging.Logger | None = logger
    while level is not None:
        yield from level.handlers
        level = level.parent if level.propagate else None


def _with_message(template: logging.LogRecord, message: str) -> logging.LogRecord:
    # a copy: to find out who logs in which thread and process takes longer than to write the line
    record: logging.LogRecord = object.__new__(type(template))
    record.__dict__.update(template.__dict__, args=(message,))
    return record


class _Stderr(logging.StreamHandler[Any]):
    def put_all(self, records: Mapping[int, logging.LogRecord], lines: Sequence[tuple[int, str]]) -> None:
        """Write lines at once; `records` has one without a message per level."""
        record = None
        self.acquire()
        try:
            if isinstance(self.formatter, _UtcFormatter):
                # the message comes last
                heads = {level: self.format(record) for level, record in records.items()}
                text = [heads[level] + message for level, message in lines]
            else:
                text = [self.format(_with_message(records[level], message)) for level, message in lines]
            if text:
                record = records[lines[0][0]]
                self.stream.write(self.terminator.join([*text, ""]))
                self.flush()
        # as every handler does: what cannot be logged must not end what was to be told of
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
