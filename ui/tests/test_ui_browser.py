"""The map in a real browser, with the real server and stores."""

import io
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

HOSTILE = "<script>document.title='gone'</script>"
VIEW = "dashboard?at=40.0,-90.0,6.0"
NOW = int(time.time())
FLEET = (
    # in a change feed, and so on the page, in the order of the VINs: the hostile one is the last
    (HOSTILE, 35.0, -95.0, NOW - 60),
    ("1FLT0000000000001", 35.0, -90.0, NOW - 60, "P0171"),
    ("1FLT0000000000002", 40.0, -98.0, NOW - 60),
    ("1FLT0000000000003", 41.0, -88.0, NOW - 4000),
)


@pytest.fixture(scope="module")
def fleet(site, browser):
    """The empty page is looked at before the first vehicle comes."""
    site.drive(*FLEET)
    site.mark("1FLT0000000000002", status="CRASHED")
    return site


def test_an_empty_map_says_so_and_fills_without_a_reload(tab, site):
    with tab() as open_tab:
        open_tab.page.get_by_text("No vehicle yet").wait_for()
        open_tab.page.get_by_text("no vehicles yet").wait_for()
        site.drive(*FLEET)
        open_tab.wait_rows("vehicles", "rows.length == 4")
        before = open_tab.rows("vehicles")
        site.drive((HOSTILE, 36.0, -95.0, NOW - 50), ("1FLT0000000000001", 35.5, -90.0, NOW - 50, "P0171"))
        open_tab.wait_rows("vehicles", f"rows.filter((y, i) => y > {before}[i]).length == 2")
        site.mark("1FLT0000000000002", status="CRASHED")
        open_tab.wait_rows("crashed", "rows.length == 1")
        open_tab.page.get_by_text("4 vehicles").first.wait_for()


def test_every_url_answers_and_a_taken_port_is_named(site):
    for path in ("/", "/dashboard", "/healthz", "/tiles/light/4/3/6.png", "/tiles/dark/4/3/6.png"):
        with urllib.request.urlopen(f"{site.url}{path}", timeout=30) as answer:
            assert answer.status == 200
            assert answer.read()
    second = subprocess.run(
        [*site.command, "ui", "--port", str(site.port)],
        env=site.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 1
    assert f"port {site.port} on 127.0.0.1" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_hostile_vehicle_is_text_in_hover_search_and_panel_and_leaves_a_trail(tab, fleet):
    with tab() as open_tab:
        page = open_tab.page
        open_tab.wait_rows("vehicles", "rows.length == 3")
        page.mouse.move(*open_tab.place("vehicles", 2))
        page.locator(".ff-tip").get_by_text(HOSTILE).wait_for()
        page.mouse.click(*open_tab.place("vehicles", 2))
        panel = page.locator(".ff-panel")
        panel.get_by_role("heading", name=HOSTILE).wait_for()
        panel.get_by_text("alpha", exact=True).wait_for()
        fleet.drive((HOSTILE, 37.0, -95.2, NOW - 20))
        open_tab.wait_rows("trail", "rows.length >= 2")
        panel.get_by_text("km/h north").wait_for()
        page.wait_for_function("location.search.includes('vin=%3Cscript')")
        page.keyboard.press("Escape")
        panel.wait_for(state="hidden")
        page.keyboard.press("/")
        page.keyboard.type("<scr")
        page.get_by_role("option", name=HOSTILE).wait_for()
        page.keyboard.press("Enter")
        panel.get_by_role("heading", name=HOSTILE).wait_for()
        assert page.title() == "Map · fleetflow"


def test_online_tiles_that_do_not_come_leave_the_built_in_map_as_it_is(tab, fleet):
    with socket.socket() as taken:
        # bound and not listening: nobody answers, as when the internet is away
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        other = type(fleet)(fleet.home)
        other.environment |= {
            "FLEETFLOW_UI_TILES_URL": nowhere + "/{Z}/{X}/{Y}.png",
            "FLEETFLOW_UI_TILES_ATTRIBUTION": "somebody else",
        }
        other.start()
        try:
            refused = ("ERR_CONNECTION_REFUSED", nowhere)
            with tab(VIEW) as right, tab(VIEW, of=other, expected=refused) as left:
                left.page.get_by_text("somebody else").wait_for()
                asked = []
                left.page.on("requestfailed", lambda request: asked.append(request.url))
                left.page.get_by_role("button", name="+").click()
                right.page.get_by_role("button", name="+").click()
                deadline = time.monotonic() + 30
                while (difference := differing(left, right)) > 0.005 or len(colours(left)) < 3:
                    assert time.monotonic() < deadline, f"{difference:.1%} of the map differ"
                    left.page.wait_for_timeout(100)
                assert any(url.startswith(nowhere) for url in asked)
        finally:
            other.stop()


def land(open_tab):
    """The part of the map that nothing covers, as pixels."""
    clip = {"x": 420, "y": 300, "width": 480, "height": 300}
    return Image.open(io.BytesIO(open_tab.page.screenshot(clip=clip))).convert("RGB")


def colours(open_tab):
    return {colour for count, colour in land(open_tab).getcolors(1 << 20) if count > 300}


def differing(left, right):
    """The share of pixels of which the colours differ, other than by a rounding."""
    difference = np.asarray(land(left), int) - np.asarray(land(right), int)
    return (abs(difference).max(axis=2) > 8).mean()


def test_search_by_keyboard_goes_to_the_vehicle(tab, fleet):
    with tab() as open_tab:
        page = open_tab.page
        page.get_by_label("Find a vehicle by VIN").fill("1flt")
        page.get_by_role("option", name="1FLT0000000000003").wait_for()
        page.keyboard.press("ArrowDown")
        page.get_by_role("option", name="1FLT0000000000003").click()
        page.get_by_text("Not heard of for 1 h").wait_for()
        page.get_by_role("button", name="Close").click()
        page.locator(".ff-panel").wait_for(state="hidden")


def test_each_counter_is_a_filter(tab, fleet):
    with tab() as open_tab:
        page = open_tab.page
        open_tab.wait_rows("vehicles", "rows.length == 3")
        for button, dots, crashed in (
            ("Normal 3", 3, 0),
            ("Selected 0", 0, 0),
            ("Crashed 1", 0, 1),
            ("Other 0", 0, 0),
            ("Stale 1", 1, 0),
            ("Live 3", 2, 1),
            ("alpha 4", 3, 1),
            ("P0171 1", 1, 0),
        ):
            page.get_by_role("button", name=button).click()
            open_tab.wait_rows("vehicles", f"rows.length == {dots}")
            open_tab.wait_rows("crashed", f"rows.length == {crashed}")
            page.get_by_role("button", name="Show all").click()
            # what is chosen is forgotten before this is: a click that comes earlier would add to it
            page.get_by_role("button", name="Show all").wait_for(state="hidden")
            open_tab.wait_rows("vehicles", "rows.length == 3")


def test_vehicles_selected_by_a_command_are_green_squares_with_a_counter(tab, fleet):
    fleet.mark("1FLT0000000000001", status="SELECTED", status_before_selected="SPEEDING")
    try:
        with tab() as open_tab:
            page = open_tab.page
            open_tab.wait_rows("marked", "rows.length == 1")
            page.get_by_role("button", name="Selected 1").click()
            open_tab.wait_rows("vehicles", "rows.length == 0")
            page.mouse.move(*open_tab.place("marked", 0))
            page.locator(".ff-tip").get_by_text("Selected").wait_for()
            page.locator(".ff-tip").get_by_text("Speeding").wait_for()
    finally:
        fleet.mark("1FLT0000000000001", status=None, status_before_selected=None)


def test_dark_colours_come_without_a_reload_and_stay_and_fit_brings_the_fleet_back(tab, fleet):
    ground = "Bokeh.documents[0].get_model_by_name('ground').tile_source.url"
    range_ = "Bokeh.documents[0].get_model_by_name('map').x_range"
    width = f"({range_}.end - {range_}.start)"
    with tab() as open_tab:
        page = open_tab.page
        assert "/light/" in page.evaluate(ground)
        page.evaluate("window.same = true")
        page.get_by_role("button", name="Dark colours").click()
        page.wait_for_function(f"{ground}.includes('/dark/')")
        assert page.evaluate("same")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 18, 24)"
        page.reload()
        open_tab.ready()
        assert "/dark/" in page.evaluate(ground)
        open_tab.wait_rows("vehicles", "rows.length == 3")
        fitted = page.evaluate(width)
        page.get_by_role("button", name="+").click()
        page.get_by_role("button", name="+").click()
        page.wait_for_function(f"{width} < {fitted} / 3")
        # how wide it was exactly may have been told before the server knew the window
        zoomed = page.evaluate(width)
        page.get_by_role("button", name="Fit").click()
        page.wait_for_function(f"{width} > 3 * {zoomed}")


def test_a_first_visit_in_a_dark_system_asks_for_no_light_tile_and_comes_to_rest(tab, fleet):
    for path in ("dashboard", VIEW):
        with tab(path, color_scheme="dark") as open_tab:
            open_tab.wait_rows("vehicles", "rows.length == 3")
            open_tab.page.wait_for_function(
                "performance.getEntriesByType('resource').some((each) => each.name.includes('/tiles/dark/'))"
            )
            assert [url for url in open_tab.requests if "/tiles/light/" in url] == []
            asked = [url for url in open_tab.requests if url.partition("?")[0].endswith("/dashboard")]
            assert len(asked) == 2, "the page was asked for once more, and then never again"
            cookies = {each["name"]: each["value"] for each in open_tab.context.cookies()}
            assert cookies["fleetflow-theme"] == "dark"


def test_a_page_is_ready_though_tiles_came_after_the_view_or_colours_had_changed(browser, fleet):
    held = []
    with browser.new_context(viewport={"width": 1000, "height": 680}, color_scheme="light") as context:
        page = context.new_page()
        # tiles come only when they are let go
        holding = True
        page.route("**/tiles/**", lambda route: held.append(route) if holding else route.continue_())
        with page.expect_request("**/tiles/light/**"):
            page.goto(f"{fleet.url}/{VIEW}")
        with page.expect_request("**/tiles/dark/**"):
            page.get_by_role("button", name="Dark colours").click()
        holding = False
        for route in held:
            route.continue_()
        page.wait_for_function("Bokeh.documents[0].is_idle")


def test_a_browser_without_cookies_gets_dark_colours_too(browser, fleet):
    with browser.new_context(color_scheme="dark") as context:
        context.add_init_script(
            "Object.defineProperty(Document.prototype, 'cookie', {get: () => '', set: () => {}})"
        )
        page = context.new_page()
        page.goto(f"{fleet.url}/vehicles")
        page.wait_for_function("window.Bokeh?.documents?.[0]?.get_model_by_name('browser')?.theme == 'dark'")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 18, 24)"


def test_two_tabs_select_and_filter_on_their_own(tab, fleet):
    with tab() as first, tab("dashboard?at=38,-93,4&vin=1FLT0000000000001") as second:
        second.page.locator(".ff-panel").get_by_text("1FLT0000000000001").first.wait_for()
        first.wait_rows("vehicles", "rows.length == 3")
        first.page.get_by_role("button", name="Crashed 1").click()
        first.wait_rows("vehicles", "rows.length == 0")
        assert len(second.rows("vehicles")) == 3
        assert (
            first.page.locator(".ff-panel").count() == 0 or not first.page.locator(".ff-panel").is_visible()
        )


def test_a_phone_shows_everything_within_its_width(tab, fleet):
    with tab(width=390, height=844) as open_tab:
        page = open_tab.page
        open_tab.wait_rows("vehicles", "rows.length == 3")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.mouse.click(*open_tab.place("vehicles", 1))
        panel = page.locator(".ff-panel")
        panel.wait_for()
        box = panel.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert page.get_by_role("link", name="Map").is_visible()


def test_rows_fit_the_table_when_only_the_height_of_a_phone_s_window_changes(tab, fleet):
    fits = """() => {
        const table = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("table")).el
        const rows = table.shadowRoot.querySelector(".slick-viewport").getBoundingClientRect()
        const {bottom} = table.getBoundingClientRect()
        return rows.height > 100 && Math.abs(rows.bottom - bottom) < 8
    }"""
    with tab("vehicles", width=390, height=844) as open_tab:
        open_tab.page.wait_for_function(fits)
        for height in (600, 844):
            open_tab.page.set_viewport_size({"width": 390, "height": height})
            open_tab.page.wait_for_function(f"innerHeight == {height} && ({fits})()")


def test_many_vehicles_are_hexagons_that_open_up(tab, fleet):
    fleet.drive(*((f"9MANY{i:012}", 30 + (i % 60) / 4, -105 + (i // 60) / 3, NOW - 30) for i in range(3000)))
    with tab() as open_tab:
        page = open_tab.page
        open_tab.wait_rows("hexagons", "rows.length > 20", column="count")
        assert open_tab.rows("vehicles") == []
        assert len(open_tab.rows("crashed")) == 1
        shown = "Bokeh.documents[0].get_model_by_name('counts').glyph.text.transform.v_compute"
        assert page.evaluate(f"{shown}(new Int32Array([7, 999, 1234, 9960, 99_990]))") == [
            "7",
            "999",
            "1.2k",
            "10k",
            "100k",
        ]
        page.mouse.click(*open_tab.place("hexagons", len(open_tab.rows("hexagons")) // 2))
        open_tab.wait_rows("vehicles", "rows.length > 20")
        open_tab.wait_rows("hexagons", "rows.length == 0", column="count")


def test_a_vehicle_that_is_not_there_is_said_and_shown_as_soon_as_it_comes(tab, fleet):
    with tab("dashboard?vin=ZLATE") as open_tab:
        page = open_tab.page
        page.get_by_text("No vehicle has the VIN ZLATE").wait_for()
        fleet.drive(("ZLATE", 36.0, -97.0, NOW - 5))
        page.locator(".ff-panel").get_by_role("heading", name="ZLATE").wait_for()
        fleet.mark("ZLATE", status="CRASHED")
        page.locator(".ff-panel").get_by_text("Crashed", exact=True).wait_for()


def test_a_page_says_that_its_server_is_away_and_comes_back_to_the_same_vehicle(tab, fleet):
    # what the browser and Bokeh say while nobody answers
    lost = ("ERR_", "WebSocket", "[bokeh")
    with tab("dashboard?vin=1FLT0000000000001", expected=lost) as open_tab:
        page = open_tab.page
        page.locator(".ff-panel").get_by_text("1FLT0000000000001").first.wait_for()
        fleet.stop()
        page.get_by_text("The connection to the dashboard's server is lost").wait_for()
        fleet.start()
        page.get_by_text("The connection to the dashboard's server is lost").wait_for(state="hidden")
        open_tab.ready()
        page.locator(".ff-panel").get_by_text("1FLT0000000000001").first.wait_for()
