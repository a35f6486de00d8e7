"""Logging as configured: levels, JSON lines, a dictConfig of one's own."""

import json
import logging
import threading

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


def test_what_is_logged_together_is_written_in_the_end_in_order_and_by_its_thread_alone(tmp_path, capsys):
    configure(tmp_path)
    log = logging.getLogger("x")
    with logs.together():
        log.info("first")
        with logs.together():
            log.warning("second")
        other = threading.Thread(target=log.info, args=("of another thread",))
        other.start()
        other.join()
        assert capsys.readouterr().err.count("\n") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("x: ")[2] for line in lines] == ["first", "second"]
    log.info("at once")
    assert "at once" in capsys.readouterr().err


def test_what_was_logged_together_is_written_when_an_error_ends_it(tmp_path, capsys):
    configure(tmp_path)
    with pytest.raises(KeyError), logs.together():
        logging.getLogger("x").info("before")
        raise KeyError("x")
    assert "x: before" in capsys.readouterr().err


def test_times_in_the_log_are_utc_in_milliseconds(tmp_path, capsys):
    configure(tmp_path)
    log = logging.getLogger("x")
    for created, expected in ((0.25, "1970-01-01T00:00:00.250Z"), (61.0, "1970-01-01T00:01:01.000Z")):
        record = log.makeRecord("x", logging.INFO, "", 0, "timed", (), None)
        record.created, record.msecs = created, created % 1 * 1000
        log.handle(record)
        assert capsys.readouterr().err.startswith(expected)
