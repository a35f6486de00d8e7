"""The plugin manager: what is listed, what is refused, and in which words."""

import types

import pytest

from fleetflow import plugins
from fleetflow.contracts.rule import Rule
from fleetflow.errors import PluginError
from fleetflow.plugins import hookimpl
from fleetflow.testing import configuration


def rule(name):
    return Rule(name, "", lambda now: None)


def with_rules(*names):
    class Given:
        @hookimpl
        def fleetflow_rules(self, configuration):
            return [rule(name) for name in names]

    return Given()


def gather(loaded):
    return loaded.gather("fleetflow_rules", "validation rule", lambda rule: rule.name, configuration())


def test_every_installed_plugin_is_listed_with_its_hooks():
    infos = {info.name: info for info in plugins.load().infos}
    assert infos["ping"].distribution == "fleetflow-ping"
    assert infos["ping"].hooks == ("fleetflow_migrations", "fleetflow_schema")
    assert infos["rules"].origin.endswith("fleetflow/builtin/rules.py")
    assert {info.state for info in infos.values()} == {"active"}


def test_a_disabled_plugin_is_listed_and_not_used():
    loaded = plugins.load(disabled=["ping"])
    (info,) = [info for info in loaded.infos if info.name == "ping"]
    assert info.state == "disabled"
    with pytest.raises(PluginError, match="no installed plugin provides the ping schema"):
        loaded.only("fleetflow_schema", "the ping schema", "pip install fleetflow-ping", configuration())


def test_disabling_what_is_not_installed_is_refused():
    with pytest.raises(PluginError, match="not installed: pong"):
        plugins.load(disabled=["pong"])


def test_a_plugin_that_fails_on_import_stops_the_job_in_words():
    class Broken:
        name = "broken"
        dist = types.SimpleNamespace(name="fleetflow-broken", version="0.0.1")

        def load(self):
            raise ImportError("no module named lost")

    state = plugins._register(plugins.pluggy.PluginManager("fleetflow"), "broken", Broken().load)
    assert state == ("failed", (), "", "ImportError: no module named lost")
    info = plugins.PluginInfo("broken", "fleetflow-broken", "0.0.1", "", "failed", (), state[3])
    with pytest.raises(
        PluginError, match=r'"broken" \(fleetflow-broken 0.0.1\) could not be loaded: ImportError'
    ):
        plugins.Plugins(plugins.pluggy.PluginManager("fleetflow"), [info]).require_sound()


def test_a_hook_that_this_fleetflow_does_not_know_is_named():
    class Future:
        @hookimpl
        def fleetflow_teleport(self):
            return []

    (info,) = [info for info in plugins.load(extra=[("future", Future())]).infos if info.name == "future"]
    assert info.state == "failed"
    assert "fleetflow_teleport" in info.problem


def test_two_plugins_of_one_name_are_told_apart():
    (first, second) = [i for i in plugins.load(extra=[("rules", with_rules())]).infos if i.name == "rules"]
    assert (first.state, second.state) == ("active", "failed")
    assert "already taken" in second.problem


def test_two_that_claim_one_thing_are_both_named():
    loaded = plugins.only_these([("one", with_rules("speed")), ("two", with_rules("speed"))])
    with pytest.raises(PluginError, match='validation rule "speed" is claimed by') as caught:
        gather(loaded)
    assert '"one"' in caught.value.message
    assert '"two"' in caught.value.message


def test_a_hook_that_raises_is_reported_under_the_plugins_name():
    class Raises:
        @hookimpl
        def fleetflow_rules(self, configuration):
            raise KeyError("lost")

    with pytest.raises(PluginError, match='plugin "raises" failed in fleetflow_rules: KeyError'):
        gather(plugins.only_these([("raises", Raises())]))
