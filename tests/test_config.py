"""Settings: file, environment, flags; unknown ones are named with the nearest."""

from pathlib import Path

import pytest
from pydantic import Field

from fleetflow import config
from fleetflow.config import Settings, Words
from fleetflow.errors import ConfigurationError


class Beta(Settings):
    url: Words = Field(("http://localhost",), description="where to ask")
    limit: int = Field(1000, ge=1, description="pings per page")


def load(tmp_path, text="", flags=None, **environment):
    (tmp_path / "fleetflow.toml").write_text(text)
    return config.load(
        {"beta": Beta}, environment={"FLEETFLOW_HOME": str(tmp_path), **environment}, flags=flags
    )


def test_later_layers_win_key_by_key(tmp_path):
    loaded = load(
        tmp_path,
        '[beta]\nurl = ["http://a", "http://b"]\nlimit = 5',
        {"beta": {"limit": "7"}},
        FLEETFLOW_BETA_LIMIT="6",
    )
    assert loaded.table("beta", Beta) == Beta(url=("http://a", "http://b"), limit=7)
    origins = {value.key: value.origin for value in loaded.values()}
    assert origins == {"url": str(tmp_path / "fleetflow.toml"), "limit": "flag"}


def test_environment_is_named_as_the_origin(tmp_path):
    loaded = load(tmp_path, FLEETFLOW_BETA_URL="http://a, http://b")
    assert loaded.table("beta", Beta).url == ("http://a", "http://b")
    assert [value.origin for value in loaded.values()] == ["FLEETFLOW_BETA_URL", "default"]


def test_empty_words_are_none(tmp_path):
    assert load(tmp_path, FLEETFLOW_BETA_URL="").table("beta", Beta).url == ()


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("[beta]\nlimt = 1", {}, "did you mean limit?"),
        ("[bta]\nlimit = 1", {}, "did you mean beta?"),
        ("beta = 1", {}, "must be a table"),
        ("[beta", {}, "cannot be read as TOML"),
        ("[beta]\nlimit = 'x'", {}, "[beta] limit = 'x'"),
        ("", {"FLEETFLOW_BETA_LIMT": "1"}, "did you mean FLEETFLOW_BETA_LIMIT?"),
        ("", {"FLEETFLOW_BETA_LIMIT": "0"}, "from FLEETFLOW_BETA_LIMIT"),
        ("", {"FLEETFLOW_CONFIG": "/nowhere.toml"}, "no configuration file /nowhere.toml"),
    ],
)
def test_what_cannot_be_is_said_in_words(tmp_path, text, environment, words):
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **environment)
    assert words in str(caught.value)


def test_relative_paths_start_from_home(tmp_path):
    assert load(tmp_path).path("data/alpha") == tmp_path / "data/alpha"
    assert load(tmp_path).path(Path("/srv")) == Path("/srv")
