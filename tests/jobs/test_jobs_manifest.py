"""Units for platforms: complete, exact, and stopped with patience."""

import configparser
import json

import pytest

from fleetflow.jobs.manifest import Wanted, render

WANTED = Wanted("trucks", "/srv/fleet 100%", 1, 4, 10, "registry/fleet:1")


def test_systemd_unit_restarts_and_escapes_what_is_its_own():
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(render("systemd", WANTED))
    service = dict(unit["Service"])
    assert service["ExecStart"].endswith("-m fleetflow run -w 1 -p 4")
    assert service["WorkingDirectory"] == "/srv/fleet 100%%"
    assert service["Restart"] == "on-failure"
    assert "Environment='FLEETFLOW_HOME=/srv/fleet 100%%'" in render("systemd", WANTED)


@pytest.mark.parametrize("kind", ["kubernetes", "compose"])
def test_containers_run_the_job_on_a_volume_of_their_own(kind):
    document = json.loads(render(kind, WANTED))
    if kind == "kubernetes":
        assert document["spec"]["replicas"] == 1
        container = document["spec"]["template"]["spec"]["containers"][0]
        volume = document["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
        assert container["volumeMounts"][0]["name"] == volume
        assert document["spec"]["selector"]["matchLabels"] == document["metadata"]["labels"]
    else:
        container = document["services"]["trucks"]
        assert container["volumes"] == ["data:/data"]
    assert container["command"] == ["fleetflow", "run", "-w", "1", "-p", "4"]
    assert container["image"] == "registry/fleet:1"
