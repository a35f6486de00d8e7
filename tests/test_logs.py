"""Logging as configured: levels, JSON lines, a dictConfig of one's own."""

import io
import json
import logging
import re

import pytest

from fleetflow import config, logs
from fleetflow.builtin import core
from fleetflow.errors import ConfigurationError


@pytest.fixture(autouse=True)
def untouched_logging():
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.getLogger("fleetflow_beta").setLevel(logging.NOTSET)


def configure(tmp_path, **settings):
    environment = {"FLEETFLOW_HOME": str(tmp_path)}
    logs.configure(config.load(core.fleetflow_settings(), environment=environment, flags={"log": settings}))


def test_one_logger_can_be_louder_than_the_rest(tmp_path, capsys):
    configure(tmp_path, level="WARNING fleetflow_beta=DEBUG")
    logging.getLogger("fleetflow_beta").debug("Added 3 pings. Highest sequence number is: 602")
    logging.getLogger("other").info("not shown")
    err = capsys.readouterr().err
    assert "fleetflow_beta: Added 3 pings. Highest sequence number is: 602" in err
    assert "not shown" not in err


def test_json_lines_are_json(tmp_path, capsys):
    configure(tmp_path, format="json")
    logging.getLogger("x").warning('a "quoted" word')
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "x", 'a "quoted" word')


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_dictconfig_replaces_everything(tmp_path, suffix):
    target = tmp_path / "out.log"
    content = {
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(target)}},
        "root": {"level": "INFO", "handlers": ["file"]},
    }
    toml = "\n".join(
        [
            "[handlers.file]",
            'class = "logging.FileHandler"',
            f'filename = "{target}"',
            "[root]",
            'level = "INFO"',
            'handlers = ["file"]',
        ]
    )
    (tmp_path / f"logging.{suffix}").write_text(json.dumps(content) if suffix == "json" else toml)
    configure(tmp_path, config=f"logging.{suffix}")
    logging.getLogger("x").info("hello")
    for handler in logging.getLogger().handlers:
        handler.close()
    assert target.read_text() == "hello\n"


def test_what_is_not_a_level_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match='"x=LOUD" is not a log level'):
        configure(tmp_path, level="x=LOUD")


def test_a_configuration_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml cannot be used"):
        configure(tmp_path, config="nowhere.toml")


LINES = [
    (logging.INFO, "first"),
    (logging.WARNING, "second"),
    (logging.DEBUG, "no"),
    (logging.INFO, "100 %s"),
]


@pytest.mark.parametrize("format", ["text", "json"])
def test_many_lines_at_once_are_those_that_come_one_by_one(tmp_path, capsys, format):
    configure(tmp_path, format=format)
    log = logging.getLogger("x")
    for level, message in LINES:
        log.log(level, "%s", message)
    moment = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+(\+00:00|Z)?"
    expected = re.sub(moment, "T", capsys.readouterr().err)
    logs.log_all(log, LINES)
    assert re.sub(moment, "T", capsys.readouterr().err) == expected
    assert expected.count("\n") == 3
    logs.log_all(log, [])
    assert capsys.readouterr().err == ""


def test_many_lines_at_once_come_to_every_handler_as_records_of_their_own(tmp_path, capsys):
    configure(tmp_path)
    records = []

    class Keeping(logging.Handler):
        def emit(self, record):
            records.append(record)

    keeping, log = Keeping(logging.WARNING), logging.getLogger("x")
    keeping.addFilter(lambda record: record.getMessage() != "filtered")
    log.addHandler(keeping)
    try:
        logs.log_all(log, [*LINES, (logging.ERROR, "filtered"), (logging.ERROR, "last")])
        assert [(record.levelno, record.getMessage()) for record in records] == [
            (logging.WARNING, "second"),
            (logging.ERROR, "last"),
        ]
        assert capsys.readouterr().err.count("\n") == 5
        log.propagate = False
        logs.log_all(log, LINES)
        assert capsys.readouterr().err == ""
    finally:
        log.propagate = True
        log.removeHandler(keeping)


def test_a_filter_sees_each_of_many_lines(tmp_path, capsys):
    configure(tmp_path)
    log = logging.getLogger("x")

    def no_second(record):
        return record.getMessage() != "second"

    for place in (log, logging.getLogger().handlers[0]):
        place.addFilter(no_second)
        try:
            logs.log_all(log, LINES)
        finally:
            place.removeFilter(no_second)
        assert [line.partition("x: ")[2] for line in capsys.readouterr().err.splitlines()] == [
            "first",
            "100 %s",
        ]


def test_lines_that_cannot_be_written_end_nothing(tmp_path, capsys):
    configure(tmp_path)
    handler = logging.getLogger().handlers[0]
    closed = io.StringIO()
    closed.close()
    handler.setStream(closed)
    logs.log_all(logging.getLogger("x"), LINES)
    assert "--- Logging error ---" in capsys.readouterr().err


def test_times_in_the_log_are_utc_in_milliseconds(tmp_path, capsys):
    configure(tmp_path)
    log = logging.getLogger("x")
    for created, expected in ((0.25, "1970-01-01T00:00:00.250Z"), (61.0, "1970-01-01T00:01:01.000Z")):
        record = log.makeRecord("x", logging.INFO, "", 0, "timed", (), None)
        record.created, record.msecs = created, created % 1 * 1000
        log.handle(record)
        assert capsys.readouterr().err.startswith(expected)
