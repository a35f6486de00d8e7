"""Units for a platform that supervises the job: systemd, Kubernetes, compose.

The job's processes are one unit, so `fleetflow run` starts them all in one container or service; the
platform restarts it as a whole. The recovery store is on a volume of its own, with one writer.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """The job to supervise."""

    name: str
    home: str
    workers: int
    processes: int
    snapshot_s: int
    image: str


STOP_S = 30
"""How long the platform waits for the last snapshot before it kills."""


def render(kind: str, wanted: Wanted) -> str:
    """Return the text of a unit of `kind`. JSON is YAML: what Kubernetes and compose read is exact."""
    if kind == "systemd":
        return _systemd(wanted)
    document = _stateful_set(wanted) if kind == "kubernetes" else _compose(wanted)
    return json.dumps(document, indent=2) + "\n"


def _arguments(wanted: Wanted) -> list[str]:
    return ["run", "-w", str(wanted.workers), "-p", str(wanted.processes)]


def _systemd(wanted: Wanted) -> str:
    command = " ".join(
        _quoted(word) for word in [sys.executable, "-P", "-m", "fleetflow", *_arguments(wanted)]
    )
    home = wanted.home.replace("%", "%%")
    return f"""[Unit]
Description=fleetflow job {wanted.name}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
ExecStart={command}
WorkingDirectory={home}
Environment={_quoted("FLEETFLOW_HOME=" + wanted.home)}
Environment=FLEETFLOW_RECOVERY_SNAPSHOT_S={wanted.snapshot_s}
Restart=on-failure
RestartSec=1
KillMode=mixed
TimeoutStopSec={STOP_S}
UMask=0077
NoNewPrivileges=true

[Install]
WantedBy=multi-user.target
"""


def _quoted(word: str) -> str:
    # % and $ are systemd's own, quotes are the shell's (systemd.service(5))
    return shlex.quote(word).replace("%", "%%").replace("$", "$$")


def _stateful_set(wanted: Wanted) -> dict[str, Any]:
    labels = {"app": wanted.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": wanted.name, "labels": labels},
        "spec": {
            "serviceName": wanted.name,
            # one pod: two would share the positions
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": STOP_S,
                    "containers": [
                        {
                            "name": "job",
                            "image": wanted.image,
                            "command": ["fleetflow", *_arguments(wanted)],
                            "env": [
                                {"name": "FLEETFLOW_HOME", "value": "/data"},
                                {"name": "FLEETFLOW_RECOVERY_SNAPSHOT_S", "value": str(wanted.snapshot_s)},
                            ],
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                            "securityContext": {"allowPrivilegeEscalation": False},
                        }
                    ],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "10Gi"}},
                    },
                }
            ],
        },
    }


def _compose(wanted: Wanted) -> dict[str, Any]:
    return {
        "services": {
            wanted.name: {
                "image": wanted.image,
                "command": ["fleetflow", *_arguments(wanted)],
                "environment": {
                    "FLEETFLOW_HOME": "/data",
                    "FLEETFLOW_RECOVERY_SNAPSHOT_S": str(wanted.snapshot_s),
                },
                "volumes": ["data:/data"],
                "restart": "on-failure",
                "stop_grace_period": f"{STOP_S}s",
            }
        },
        "volumes": {"data": {}},
    }
