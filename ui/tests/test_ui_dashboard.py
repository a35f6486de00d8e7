"""The page /dashboard: without a browser, and in a real one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from bokeh.document import Document
from fleetflow_ui.context import Context
from fleetflow_ui.map_page import MapPage, build
from fleetflow_ui.plugin import fleetflow_pages
from fleetflow_ui.settings import UiSettings
from fleetflow_ui.snapshot import FleetReader, mercator

from fleetflow import plugins
from fleetflow.contracts.vehicles import Changes
from fleetflow.errors import StoreError

HOSTILE = "<script>x</script>"
NO_PLUGINS = plugins.only_these(())
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]


def record(vin, latitude=35.0, longitude=-95.0, **more):
    return {
        "vin": vin,
        "latitude": latitude,
        "longitude": longitude,
        "time": time.time(),
        "source": "alpha",
        **more,
    }


class FakeMap:
    def __init__(self):
        self.changes = []

    def changed_since(self, revision):
        return Changes(
            len(self.changes), [record for records in self.changes[revision:] for record in records]
        )

    def close(self):
        pass


@pytest.fixture
def vehicles():
    return FakeMap()


@pytest.fixture
def context(vehicles):
    return Context(
        UiSettings(), FleetReader(lambda: vehicles, 1.0), fleetflow_pages(), True, NO_PLUGINS, None
    )


def test_mercator_agrees_with_known_corners():
    x, y = mercator([0.0, 85.0511287798], [0.0, 180.0])
    assert x == pytest.approx([0.0, 20_037_508.34], abs=1)
    assert y == pytest.approx([0.0, 20_037_508.34], rel=1e-4, abs=1)


def test_an_empty_fleet_is_said_in_words(context):
    page = MapPage(context)
    page.update()
    assert "No vehicle yet" in page.headline.text
    assert len(page.source.data["x"]) == 0


def test_vehicles_appear_and_move(context, vehicles):
    page = MapPage(context)
    vehicles.changes.append([record("A"), record("B", 40.0)])
    context.reader.look(vehicles)
    page.update()
    first = list(page.source.data["y"])
    vehicles.changes.append([record("A", 36.0, obd_codes=["P0171"], status="CRASHED")])
    context.reader.look(vehicles)
    page.update()
    assert page.source.data["vin"] == ["A", "B"]
    assert page.source.data["y"][0] > first[0]
    assert page.source.data["y"][1] == first[1]
    assert page.source.data["codes"] == ["P0171", "none"]
    assert page.source.data["fill"][0] != page.source.data["fill"][1]
    assert "2 vehicles" in page.headline.text


def test_unchanged_snapshots_send_nothing(context, vehicles):
    page = MapPage(context)
    vehicles.changes.append([record("A")])
    context.reader.look(vehicles)
    page.update()
    before = page.source.data
    context.reader.look(vehicles)
    page.update()
    assert page.source.data is before or page.source.data == before
    assert context.reader.fleet.version == 1


def test_a_map_that_cannot_be_read_is_said_as_text(vehicles):
    def fail():
        raise StoreError(f"layout 9 {HOSTILE}", "use a newer fleetflow")

    reader = FleetReader(fail, 0.01).start()
    deadline = time.monotonic() + 10
    while not reader.fleet.problem and time.monotonic() < deadline:
        time.sleep(0.01)
    reader.stop()
    page = MapPage(Context(UiSettings(), reader, fleetflow_pages(), True, NO_PLUGINS, None))
    page.update()
    assert "layout 9 &lt;script&gt;" in page.headline.text


def test_the_page_is_added_by_the_hook_fleetflow_pages(context):
    (page,) = [page for page in fleetflow_pages() if page.url == "dashboard"]
    document = Document()
    page.build(document, context)
    assert document.roots
    build(document, context)


@pytest.fixture
def running(tmp_path):
    """The real command on a free port, with the real vehicles map in a folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")}
    environment |= {
        "FLEETFLOW_HOME": str(tmp_path),
        "FLEETFLOW_UI_REFRESH_S": "0.2",
        "FLEETFLOW_BETA_URL": "",
    }
    command = [sys.executable, "-P", "-m", "fleetflow", "--log-level", "WARNING", "ui", "--port", str(port)]
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, environment, tmp_path, command
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_every_url_answers_and_a_taken_port_is_named(running):
    port, environment, _, command = running
    for path in ("/", "/dashboard", "/healthz", "/tiles/light/4/3/6.png", "/tiles/dark/4/3/6.png"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            assert answer.status == 200
            assert answer.read()
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert f"port {port} on 127.0.0.1" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_dots_move_in_a_real_browser(running):
    sync_api = pytest.importorskip("playwright.sync_api")
    port, environment, home, _ = running
    now = int(time.time())

    def drive(latitude, moment):
        (home / "data/alpha").mkdir(parents=True, exist_ok=True)
        with (home / "data/alpha/fleet.csv").open("a") as file:
            file.write(f"{HOSTILE},{latitude},-95,{moment}\nB,{latitude},-90,{moment},P0171\n")
        subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", "--log-level", "WARNING", "run", "-w", "1", "--once"],
            env=environment,
            check=True,
            timeout=60,
        )

    columns = "Bokeh.documents[0].get_model_by_name('vehicles')?.data_source.data"
    rows = f"Array.from({columns}?.y ?? [])"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1000, "height": 700})
            page.goto(f"http://localhost:{port}/dashboard")
            page.wait_for_function(
                "window.Bokeh?.documents?.length && Bokeh.documents[0].is_idle", timeout=30_000
            )
            page.get_by_text("No vehicle yet").wait_for(timeout=10_000)
            drive(35.0, now - 60)
            page.wait_for_function(f"{rows}.length == 2", timeout=20_000)
            before = page.evaluate(rows)
            drive(36.0, now)
            page.wait_for_function(f"{rows}[0] > {before[0]}", timeout=20_000)
            after = page.evaluate(rows)
            assert all(later > earlier for earlier, later in zip(before, after, strict=True))
            x, y = page.evaluate(
                """() => {
                    const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("map"));
                    const box = view.el.getBoundingClientRect(), frame = view.frame;
                    const data = Bokeh.documents[0].get_model_by_name("vehicles").data_source.data;
                    const row = Array.from(data.vin).indexOf("<script>x</script>");
                    const x = frame.x_scale.compute(data.x[row]), y = frame.y_scale.compute(data.y[row]);
                    return [box.x + x, box.y + y];
                }"""
            )
            page.mouse.move(x, y)
            page.get_by_text(HOSTILE).wait_for(timeout=10_000)
        finally:
            browser.close()
