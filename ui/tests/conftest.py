"""A fleet without stores, and the real server with a real browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import polars as pl
import pytest
from bokeh.document import Document
from fleetflow_ui import chromium, shell
from fleetflow_ui.context import Context
from fleetflow_ui.map.page import MapPage
from fleetflow_ui.plugin import fleetflow_pages
from fleetflow_ui.settings import UiSettings
from fleetflow_ui.snapshot import FleetReader

from fleetflow import application, plugins
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.contracts.vehicles import Changes

PATIENCE_S = 60


class FakeMap:
    """A vehicles map whose change feed is a list of lists of records; its revision is its length.

    `sizes` has how many records each answer held.
    """

    def __init__(self, *changes):
        self.changes = list(changes)
        self.sizes = []

    def changed_since(self, revision, most=None):
        reached = revision if revision <= len(self.changes) else 0
        found = []
        while reached < len(self.changes) and (most is None or len(found) < most):
            found += self.changes[reached]
            reached += 1
        self.sizes.append(len(found))
        return Changes(reached, found)

    def count(self):
        return len({each["vin"] for records in self.changes for each in records})

    def close(self):
        pass


@pytest.fixture
def vehicles():
    return FakeMap()


@pytest.fixture
def context(vehicles, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("FLEETFLOW_")]:
        if name != "FLEETFLOW_PLUGINS_DISABLED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEETFLOW_HOME", str(tmp_path))
    _, configuration = application.load()
    reader = FleetReader(lambda: vehicles, 1.0)
    return Context(UiSettings(), reader, fleetflow_pages(), True, plugins.only_these(()), configuration)


@pytest.fixture
def page(context):
    """A session's map, without a browser."""
    document = Document()
    return MapPage(document, context, shell.dress(document, context, "dashboard", "Map"))


class Site:
    """The real command on a free port, with the real stores in a folder of its own."""

    def __init__(self, home: Path):
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("FLEETFLOW_")}
        self.environment |= {
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_UI_REFRESH_S": "0.2",
            # the tests' pings are as old as the run: long before the last test they would be stale
            "FLEETFLOW_UI_STALE_S": "3000",
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_PLUGINS_DISABLED": os.environ.get("FLEETFLOW_PLUGINS_DISABLED", ""),
        }
        self.command = [sys.executable, "-P", "-m", "fleetflow", "--log-level", "WARNING"]
        self.process = None
        self.sequence = 0

    @property
    def url(self):
        return f"http://localhost:{self.port}"

    def start(self):
        self.process = subprocess.Popen([*self.command, "ui", "--port", str(self.port)], env=self.environment)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
            except OSError:
                assert self.process.poll() is None
                time.sleep(0.1)
            else:
                return self
        raise AssertionError("the dashboard does not answer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0

    def drive(self, *rows):
        """Let pings arrive in the vehicles map, as the job's sink writes them.

        A row is (vin, latitude, longitude, time) and codes, if any.
        """
        found, configuration = self._loaded()
        (sink,) = (
            sink
            for sink in found.gather("fleetflow_sinks", "sink", lambda sink: sink.name, configuration)
            if sink.role == "pings"
        )
        self.sequence += 1
        pings = pl.DataFrame(
            {
                "vin": [row[0] for row in rows],
                "latitude": [float(row[1]) for row in rows],
                "longitude": [float(row[2]) for row in rows],
                "time": [float(row[3]) for row in rows],
                "sequence": [self.sequence] * len(rows),
                "obd_codes": [list(row[4:]) for row in rows],
                "source": ["alpha"] * len(rows),
                "received_at": [time.time()] * len(rows),
            },
            schema_overrides={"obd_codes": pl.List(pl.String)},
        )
        shard = sink.open("0", None)
        shard.write(ShardBatch(pings, counts={"alpha": Counts(read=len(rows))}), {})
        shard.snapshot()
        shard.close()

    def mark(self, vin, **fields):
        """Set fields on a vehicle, as people and detectors do."""
        found, configuration = self._loaded()
        vehicles = found.only("fleetflow_vehicles_map", "the map", "", configuration)
        assert vehicles.update(vin, fields)
        vehicles.close()

    def _loaded(self):
        return application.load(environment=self.environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site")).start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def browser():
    executable = chromium.executable()
    if executable is None:
        pytest.skip("there is no chromium on this machine")
    pytest.importorskip("playwright.sync_api")
    with chromium.launched(executable) as browser:
        yield browser


class Tab:
    """One tab in the browser; closing it fails for what its console has told, but `expected` texts."""

    def __init__(self, browser, site, path="dashboard", width=1000, height=680, expected=(), **more):
        self.site = site
        self.expected = tuple(expected)
        self.requests = []
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, **{"color_scheme": "light", **more}
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog {dialog.message}"))
        self.open(path)

    def _on_console(self, message):
        told = f"{message.type}: {message.text}"
        if message.type in {"error", "warning"} and not any(each in told for each in self.expected):
            self.problems.append(told)

    def open(self, path):
        self.page.goto(f"{self.site.url}/{path}")
        self.ready()

    def ready(self):
        self.page.wait_for_function("window.Bokeh?.documents?.length && Bokeh.documents[0].is_idle")
        self.page.wait_for_selector(".state")

    def close(self):
        self.context.close()
        assert self.problems == []

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind is None:
            self.close()
        else:
            self.context.close()

    def rows(self, renderer, column="y"):
        return self.page.evaluate(self._rows(renderer, column))

    def wait_rows(self, renderer, condition, column="y"):
        """Wait until the numbers of a layer's column, as `rows`, fulfil a condition in JavaScript."""
        self.page.wait_for_function(f"(rows => {condition})({self._rows(renderer, column)})")

    @staticmethod
    def _rows(renderer, column):
        source = f"Bokeh.documents[0].get_model_by_name('{renderer}')?.data_source"
        return f"Array.from({source}?.data?.{column} ?? [])"

    def place(self, renderer, row):
        """Where a dot is on the screen, once the view holds still."""
        self.page.wait_for_function(
            """() => {
                const {start, end} = Bokeh.documents[0].get_model_by_name("map").x_range
                const view = `${start} ${end} ${Bokeh.documents[0].is_idle}`
                window.still = window.last === view ? (window.still ?? 0) + 1 : 0
                window.last = view
                return window.still > 4
            }""",
            polling=100,
        )
        return self.page.evaluate(
            """([name, row]) => {
                const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("map"))
                const box = view.el.getBoundingClientRect(), frame = view.frame
                const {x, y} = Bokeh.documents[0].get_model_by_name(name).data_source.data
                return [box.x + frame.x_scale.compute(x[row]), box.y + frame.y_scale.compute(y[row])]
            }""",
            [renderer, row],
        )


@pytest.fixture
def tab(browser, site):
    def open_tab(*arguments, of=site, **more):
        return Tab(browser, of, *arguments, **more)

    return open_tab
