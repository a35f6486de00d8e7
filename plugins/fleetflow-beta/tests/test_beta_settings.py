import pickle
from pathlib import Path
from zlib import crc32

import pytest
from fleetflow_beta import plugin
from fleetflow_beta.settings import BetaSettings
from fleetflow_beta.source import BetaSource

from fleetflow import config
from fleetflow.errors import ConfigurationError, StoreError


def load(tmp_path: Path, **environment: str) -> config.Configuration:
    return config.load(
        plugin.fleetflow_settings(), environment={"FLEETFLOW_HOME": str(tmp_path), **environment}
    )


def test_every_setting_has_a_default_and_a_description() -> None:
    for name, field in BetaSettings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_default_is_the_local_service(tmp_path: Path) -> None:
    (source,) = plugin.fleetflow_sources(load(tmp_path))
    assert source.name == "beta"
    assert list(source.partitions()) == ["beta-0", "beta-1", "beta-2", "beta-3"]
    assert [str(url) for url in BetaSettings().url] == ["http://localhost:8000/pings"]


def test_empty_url_turns_the_source_off(tmp_path: Path) -> None:
    assert plugin.fleetflow_sources(load(tmp_path, FLEETFLOW_BETA_URL="")) == []


def test_secrets_are_not_shown_by_the_configuration(tmp_path: Path) -> None:
    configuration = load(
        tmp_path,
        FLEETFLOW_BETA_URL="http://ann:hunter2@h/p, https://h/q?token=hunter2",
        FLEETFLOW_BETA_AUTHORIZATION="Bearer hunter2",
    )
    shown = [str(value) for value in configuration.values()]
    shown += [" ".join(map(str, value.value)) for value in configuration.values() if value.key == "url"]
    shown += [repr(configuration.as_dict()), repr(configuration.table("beta", BetaSettings))]
    assert not any("hunter2" in text for text in shown)
    assert "http://h/p https://h/q?token=***" in shown


@pytest.mark.parametrize(
    "content",
    [
        'url = "ftp://ann:hunter2@h/"',
        'url = ["http://ann:hunter2@h/p", "http://h/p"]',
        'url = "http://ann:hunter2@h/?since=1"',
        "authorization = ['hunter2']",
        'authorization = "hunter2\\n"',
        'authorization = "hunter2ü"',
        "backoff_min_s = 5.0\nbackoff_max_s = 1.0",
    ],
)
def test_unusable_settings_are_refused_without_showing_secrets(tmp_path: Path, content: str) -> None:
    (tmp_path / "fleetflow.toml").write_text(f"[beta]\n{content}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path)
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value}{caught.value!r}"


def test_missing_ca_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        plugin.fleetflow_sources(load(tmp_path, FLEETFLOW_BETA_CA_FILE="none.pem"))


def test_a_service_keeps_its_partition_whatever_else_is_listed() -> None:
    urls = [f"http://127.0.0.1:1/{name}" for name in "abcdefgh"]
    assert [crc32(url.encode()) % 4 for url in urls] == PINNED
    source = BetaSource(BetaSettings(url=("http://ann:pw@127.0.0.1:1/a",), backoff_min_s=60))  # type: ignore[arg-type]
    holders = []
    for partition in source.partitions():
        opened = source.open(partition, None)
        try:
            holders += [partition] if not opened.caught_up() else []
        finally:
            opened.close()
    assert holders == [f"beta-{PINNED[0]}"]


PINNED = [crc32(f"http://127.0.0.1:1/{name}".encode()) % 4 for name in "abcdefgh"]


def test_service_that_is_not_listed_any_more_keeps_its_place() -> None:
    entry = {"generation": 2, "since": 41, "mark": (41, 7), "anchor": (40, 6)}
    partition = BetaSource(BetaSettings(url=())).open("beta-1", {"v": 1, "urls": {"http://gone/": entry}})
    assert list(partition.poll(100)) == []
    assert partition.caught_up()
    assert partition.next_poll_s() > 0
    position = pickle.loads(pickle.dumps(partition.position()))
    assert position == {"v": 1, "urls": {"http://gone/": entry}}
    partition.close()


def test_position_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(StoreError, match="version 9"):
        BetaSource(BetaSettings(url=())).open("beta-0", {"v": 9, "urls": {}})
