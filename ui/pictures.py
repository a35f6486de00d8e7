"""Make the pictures of the dashboard's pages for the docs, from a real run.

    python ui/pictures.py                # into docs/pictures
    python ui/pictures.py --into FOLDER --vehicles 60 --seconds 40

Starts simulators for both sources, a job and the dashboard in a folder of its own, lets them run, and takes a
picture of every page in the navigation, of the map in dark colours with a vehicle selected, and on a phone.
Needs Playwright for Python and a Chromium; the picture of a page is named after its URL.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from fleetflow_ui import chromium
from PIL import Image

from fleetflow import application, processes
from fleetflow.events.reader import Events

ROOT = Path(__file__).parent.parent
DESK, PHONE = (1440, 900), (390, 844)
PATIENCE_S = 120
HISTORY_S = 3000
"""What one of the sources has to tell when the job starts: trails, codes and events."""
LIMIT_KMH = 106
SPOILT = (
    "1FUJGLDR5CSBC1234,35.21,-97.44",
    "1FUJGLDR5CSBC1234,135.21,-97.44,{moment}",
    "3AKJHHDR9JSJV5535,35.46,not a number,{moment}",
    ",35.46,-97.52,{moment}",
    "3AKJHHDR9JSJV5535,0,0,{moment}",
)
"""Lines of a logger that is broken: too short, off the globe, no number, no VIN, no position."""
MARKS = (
    {"status": "CRASHED", "note": "reported by its driver"},
    {"status": "SELECTED"},
    {"status": "MAINTENANCE", "note": "brake hose"},
    {"status": "SELECTED"},
    {"status": "CRASHED", "note": "hit by hail"},
    {"status": "SELECTED"},
)
COLOURS = 256
"""A palette makes a picture a third as large."""
EXACT = 160
"""So many of them are the most frequent colours as they are: otherwise land and cards get a tint."""


class Run:
    """Simulators, a job and the dashboard, in a folder that goes away."""

    def __init__(self, home: Path, vehicles: int) -> None:
        self.port, beta = free_port(), free_port()
        self._home = home
        self._parts: list[subprocess.Popen[bytes]] = []
        self._log = (home / "log").open("wb")
        off = os.environ.get("FLEETFLOW_PLUGINS_DISABLED", "")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("FLEETFLOW_")} | {
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_BETA_URL": f"http://localhost:{beta}/pings",
            "FLEETFLOW_PLUGINS_DISABLED": off,
        }
        if "speed" in {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}:
            # simulated trucks keep to what the law allows
            self.environment["FLEETFLOW_SPEED_LIMIT_KMH"] = str(LIMIT_KMH)
        fleet = ("--vehicles", str(vehicles // 2), "--fault-rate", "0.6")
        alpha = ("simulate", "alpha", "--dir", str(home / "data/alpha"), *fleet)
        begin = str(int(time.time() - HISTORY_S))
        self.call(
            *alpha,
            "--seed",
            "1",
            "--interval",
            "10",
            "--start",
            begin,
            "--pings-per-vehicle",
            str(HISTORY_S // 10),
            "--backfill",
        )
        self._part(*alpha, "--interval", "5")
        self._part("simulate", "beta", "--port", str(beta), "--seed", "2", "--interval", "5", *fleet)
        self.call("submit", "--name", "trucks")
        self._part("ui", "--port", str(self.port))

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "fleetflow", "--log-level", "WARNING", *arguments]

    def _part(self, *arguments: str) -> None:
        self._parts.append(processes.start(self._command(*arguments), self.environment, self._log))

    def call(self, *arguments: str) -> None:
        """Run one command to its end."""
        subprocess.run(
            self._command(*arguments),
            env=self.environment,
            check=True,
            timeout=PATIENCE_S,
            stdout=self._log,
            stderr=self._log,
        )

    def pages(self) -> list[str]:
        """Return the URLs of all pages, in the order of the navigation."""
        plugins, configuration = application.load(environment=self.environment)
        pages: list[Any] = plugins.gather("fleetflow_pages", "page", lambda page: page.url, configuration)
        return [page.url for page in sorted(pages, key=lambda page: (page.order, page.url))]

    def spoil(self) -> None:
        """Let records arrive that are no pings, so that there is something to see on /quality."""
        with (self._home / "data/alpha/logger-7.csv").open("a", encoding="ascii") as file:
            for line in SPOILT:
                file.write(f"{line.format(moment=int(time.time()))}\n")

    def mark(self) -> str:
        """Mark some vehicles, so that the pictures show every colour; returns one to select.

        That is one with codes and an event, if there is one.
        """
        plugins, configuration = application.load(environment=self.environment)
        vehicles = plugins.only("fleetflow_vehicles_map", "the vehicles map", "", configuration)
        events = Events.of(configuration)
        try:
            records = [record for record in vehicles.records() if not record.get("status")]
            found = [str(record["vin"]) for record in records]
            coded = [str(record["vin"]) for record in vehicles.records() if record.get("obd_codes")]
            told = {stored.event.vin for stored in events.list(limit=1000)}
            chosen = next((vin for vin in coded if vin in told), [*coded, *told, *found][0])
            for vin, fields in zip((vin for vin in found[5::9] if vin != chosen), MARKS, strict=False):
                vehicles.update(vin, fields)
            return chosen
        finally:
            events.close()
            vehicles.close()

    def wait(self, seconds: float) -> None:
        """Wait until the dashboard answers, then until there is something to see."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        time.sleep(seconds)

    def stop(self) -> None:
        """End everything."""
        try:
            self.call("cancel", "trucks")
        finally:
            processes.stop_all(self._parts, 10)
            self._log.close()


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def picture(page: Any, file: Path) -> None:
    """Save what a page shows, in few colours."""
    in_palette(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size // 1024} kB")


def in_palette(image: Image.Image) -> Image.Image:
    """Return a picture of at most `COLOURS` colours: the most frequent ones, and such as cover the others.

    Of the method for the others rare colours survive: one crash in hundreds.
    """
    pixels = np.asarray(image).reshape(-1, 3)
    found, of, count = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    exact = found[np.argsort(-count)[:EXACT]]
    covering = image.quantize(COLOURS - EXACT, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    others = np.array(covering.getpalette(), np.uint8).reshape(-1, 3)[: COLOURS - EXACT]
    palette = np.concatenate([exact, others]).astype(int)
    nearest = [int(np.abs(palette - colour).sum(axis=1).argmin()) for colour in found.astype(int)]
    shown = Image.fromarray(np.array(nearest, np.uint8)[of.ravel()].reshape(image.size[::-1]), "P")
    shown.putpalette(palette.astype(np.uint8).ravel().tolist())
    return shown


def select_one(page: Any, vin: str) -> None:
    """Select a vehicle by searching for it."""
    page.get_by_label("Find a vehicle by VIN").fill(vin)
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.locator(".ff-panel").wait_for()
    page.get_by_label("Find a vehicle by VIN").fill("")
    page.get_by_role("button", name="Follow").click()


def take_all(run: Run, into: Path, executable: str, vin: str) -> None:
    """Take every picture."""
    with chromium.launched(executable) as browser:

        def shoot(url: str, name: str, size: tuple[int, int], theme: str, act: Any = None) -> None:
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
            page = context.new_page()
            page.set_default_timeout(PATIENCE_S * 1000)
            page.goto(f"http://localhost:{run.port}/{url}")
            page.wait_for_function("window.Bokeh?.documents?.length && Bokeh.documents[0].is_idle")
            if act is not None:
                act(page)
            # tiles and charts come in after the page is idle
            page.wait_for_timeout(6000)
            picture(page, into / f"{name}.png")
            context.close()

        def select(page: Any) -> None:
            select_one(page, vin)

        def pick(page: Any) -> None:
            page.locator(".slick-row").nth(1).locator("input, .slick-cell").first.click()

        for url in run.pages():
            shoot(url, url, DESK, "light", pick if url in {"vehicles", "quality"} else None)
        shoot("dashboard", "dashboard-selected", DESK, "dark", select)
        shoot("dashboard", "dashboard-phone", PHONE, "light", select)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "docs/pictures")
    parser.add_argument("--vehicles", type=int, default=160)
    parser.add_argument("--seconds", type=float, default=40, help="how long everything runs before")
    options = parser.parse_args()
    executable = chromium.executable()
    if executable is None:
        parser.error(f"there is no Chromium on this machine: none of {', '.join(chromium.NAMES)}")
    if importlib.util.find_spec("playwright") is None:
        parser.error("Playwright for Python is missing: pip install playwright")
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        run = Run(Path(home), options.vehicles)
        try:
            run.wait(options.seconds / 2)
            run.spoil()
            run.wait(options.seconds / 2)
            take_all(run, options.into, executable, run.mark())
        finally:
            run.stop()


if __name__ == "__main__":
    main()
