"""The hooks, the settings and what commands refuse."""

import pytest
from click.testing import CliRunner
from fleetflow_archive import plugin
from fleetflow_archive.commands import replay_command, trail_command
from fleetflow_archive.settings import ArchiveSettings
from fleetflow_archive.times import shown

from fleetflow import config, plugins
from fleetflow.builtin import core
from fleetflow.errors import FleetflowError


def configuration(home, **environment):
    models = {**core.fleetflow_settings(), **plugin.fleetflow_settings()}
    return config.load(models, environment={"FLEETFLOW_HOME": str(home), **environment})


def test_plugin_answers_every_hook_it_claims(tmp_path):
    found = plugins.only_these([("archive", plugin)])
    settings = configuration(tmp_path, FLEETFLOW_ARCHIVE_DIR="elsewhere", FLEETFLOW_FLOW_SHARDS="3")
    (sink,) = found.gather("fleetflow_sinks", "sink", lambda sink: sink.name, settings)
    assert (sink.name, sink.role) == ("archive", "recorder")
    assert not (tmp_path / "elsewhere").exists(), "nothing is made before a job runs"
    sink.open("0001", None).close()
    assert (tmp_path / "elsewhere/shard=0001").is_dir()
    history = found.at_most_one("fleetflow_history", "history", settings)
    assert history.directory == tmp_path / "elsewhere"
    assert history.trail("A", 0, 1).height == 0
    history.close()
    names = {command.name for command in plugin.fleetflow_commands()}
    assert names == {"trail", "replay", "archive"}


def test_every_setting_has_a_description():
    assert all(field.description for field in ArchiveSettings.model_fields.values())


@pytest.mark.parametrize("arguments", [[], ["--at", "1", "--from", "2"]])
def test_replay_needs_one_time_or_a_stretch(arguments):
    with pytest.raises(FleetflowError, match="either --at or --from"):
        CliRunner().invoke(replay_command, arguments, catch_exceptions=False)


@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "2026-13-01", ""])
def test_what_is_no_time_is_refused_in_words(text):
    done = CliRunner().invoke(trail_command, ["A", "--since", text])
    assert done.exit_code == 2
    assert "is no time" in done.output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01 00:00:00.000"), (1.5, "1970-01-01 00:00:01.500"), (1e300, "1e+300"), (None, "")],
)
def test_times_are_shown_in_utc(seconds, text):
    assert shown(seconds) == text
