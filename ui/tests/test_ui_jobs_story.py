"""From a click to its result: the pages beside the map, with a real job and a real browser."""

import csv
import subprocess
import time

import pytest

HOSTILE = "<script>document.title='gone'</script>"
PASSWORD = "open sesame"
TOP_ROW = '.slick-row[style*="top:0px"], .slick-row[style*="top: 0px"]'
NARROW = "document.querySelector('main').scrollWidth <= innerWidth"


def fleetflow(site, *arguments):
    done = subprocess.run(
        [*site.command, *arguments],
        env={**site.environment, "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trucks(site, browser):
    """A job that reads a file of 120 vehicles, a hostile one, and two records that are no pings."""
    folder = site.home / "data" / "alpha"
    folder.mkdir(parents=True)
    now = time.time()
    rows = [f"V{number:03d},{30 + number / 100},-95,{now - number},P0171" for number in range(120)]
    rows += [f"{HOSTILE},35,-95,{now},", f"FAR,135,-95,{now},", f"broken {HOSTILE}"]
    (folder / "fleet.csv").write_text("\n".join(rows) + "\n")
    fleetflow(site, "submit", "-n", "trucks", "-w", "1")
    yield site
    fleetflow(site, "cancel", "trucks")


def test_vehicles_are_searched_paged_ordered_selected_and_exported(tab, trucks, tmp_path):
    with tab("vehicles") as open_tab:
        page = open_tab.page
        page.get_by_text("1 to 100 of 121").wait_for()
        page.get_by_role("button", name="Next").click()
        page.get_by_text("101 to 121 of 121").wait_for()
        page.get_by_label("Search").fill("v01")
        page.get_by_text("1 to 10 of 10").wait_for()
        page.locator(".slick-header-column", has_text="latitude").click()
        page.locator(".slick-header-column", has_text="latitude ▲").wait_for()
        page.locator(".slick-header-column", has_text="latitude").click()
        page.locator(".slick-header-column", has_text="latitude ▼").wait_for()
        page.locator(TOP_ROW, has_text="V019").wait_for()
        page.locator(".slick-header-column", has_text="time").click()
        page.locator(TOP_ROW, has_text="V010").wait_for()
        page.get_by_role("button", name="↓").click()
        page.locator(TOP_ROW, has_text="V019").wait_for()
        page.locator(".slick-header-column", has_text="latitude").click()
        page.locator(TOP_ROW, has_text="V010").wait_for()
        page.get_by_role("button", name="↑").click()
        page.locator(TOP_ROW, has_text="V019").wait_for()
        page.locator(".slick-row", has_text="V017").click()
        page.get_by_label("Record as JSON").filter(has_text='"vin": "V017"').wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        download.value.save_as(tmp_path / "vehicles.csv")
        with (tmp_path / "vehicles.csv").open(newline="") as file:
            assert [row["vin"] for row in csv.DictReader(file)] == [f"V{n:03d}" for n in range(19, 9, -1)]
        page.reload()
        open_tab.ready()
        page.get_by_text("1 to 10 of 10").wait_for()
        page.get_by_label("Record as JSON").filter(has_text='"vin": "V017"').wait_for()
        page.get_by_label("Search").fill("script")
        page.locator(".slick-row", has_text=HOSTILE).click()
        page.get_by_role("heading", name=HOSTILE).wait_for()
        assert "gone" not in page.title()


FOCUSED = """() => {
    let element = document.activeElement
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    const {outlineStyle, boxShadow} = getComputedStyle(element)
    if (element === document.body) return ["", true]
    const table = element.closest(".bk-data-table")
    const ringed = table === null ? outlineStyle : getComputedStyle(table).outlineStyle
    const said = element.getAttribute("aria-label") || element.placeholder || element.innerText
    return [table === null ? said : "table", ringed !== "none" || boxShadow !== "none"]
}"""


def test_keys_reach_everything_on_a_page_and_lead_out_of_its_tables(tab, trucks):
    for path, wanted in (
        ("vehicles", {"Quality", "VIN, status or source", "Columns", "Next", "table"}),
        ("jobs", {"Quality", "job and time", "Take savepoint", "Savepoint and cancel", "Cancel", "table"}),
        ("quality", {"Quality", "By source", "Requeue all that match (2)", "table"}),
    ):
        with tab(path) as open_tab:
            page = open_tab.page
            page.locator(".slick-row").first.wait_for()
            found = []
            # behind its last part, the page begins anew
            while not (wanted | {"Skip to the content"}) <= {said for said, _ in found}:
                page.keyboard.press("Tab")
                found.append(page.evaluate(FOCUSED))
                assert len(found) < 200, f"keys do not lead to all of {path}, or out of its tables: {found}"
            assert [said for said, seen in found if not seen] == []
            # no table takes the focus because a row was selected in it for the reader
            assert found[0][0] == "Skip to the content"


def test_arrow_keys_choose_a_row(tab, trucks):
    with tab("vehicles") as open_tab:
        page = open_tab.page
        page.locator(".slick-row").first.wait_for()
        page.get_by_role("button", name="Next").focus()
        while page.evaluate(FOCUSED)[0] != "table":
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.locator(".slick-row.active").wait_for()
        page.keyboard.press("ArrowDown")
        page.get_by_label("Record as JSON").filter(has_text='"vin": "V000"').wait_for()


def test_a_job_is_saved_cancelled_and_started_from_its_savepoint(tab, trucks):
    with tab("jobs") as open_tab:
        page = open_tab.page
        page.get_by_role("heading", name="trucks").wait_for()
        page.get_by_role("img", name="The dataflow").wait_for()
        page.get_by_label("Name of the savepoint").fill("monday")
        page.get_by_role("button", name="Take savepoint").click()
        page.get_by_text("savepoint monday is taken").wait_for()
        page.locator(".slick-row", has_text="monday").click()
        page.get_by_role("button", name="Delete savepoint").click()
        page.get_by_role("button", name="No, leave it").click()
        page.get_by_label("Name of the savepoint").fill("tuesday")
        page.get_by_role("button", name="Savepoint and cancel").click()
        page.get_by_role("button", name="Yes, savepoint and cancel").click()
        page.get_by_text("savepoint tuesday is taken, and trucks is cancelled").wait_for()
        page.locator(".slick-row", has_text="tuesday").click()
        page.get_by_role("button", name="Start from this savepoint").click()
        page.get_by_text("trucks runs, started from savepoint tuesday").wait_for(timeout=60_000)
        page.locator(".slick-row", has_text="monday").click()
        page.get_by_role("button", name="Delete savepoint").click()
        page.get_by_role("button", name="Yes, delete it").click()
        page.get_by_text("savepoint monday is removed").wait_for()
        # a name that is taken is refused in words
        page.get_by_label("Name of the savepoint").fill("tuesday")
        page.get_by_role("button", name="Take savepoint").click()
        page.get_by_text('"tuesday" is taken, or cannot name a savepoint').wait_for()
    assert [path.name for path in (trucks.home / "recovery" / "savepoints").iterdir()] == ["tuesday"]


def test_a_reject_is_looked_at_and_put_back_through(tab, trucks):
    with tab("quality") as open_tab:
        page = open_tab.page
        page.get_by_text("2 rejects").wait_for()
        page.locator(".slick-row", has_text="malformed").locator("input").click()
        page.get_by_label("Raw bytes").filter(has_text=f"broken {HOSTILE}").wait_for()
        page.get_by_role("button", name="Requeue selected (1)").click()
        page.get_by_role("button", name="Yes, requeue").click()
        page.get_by_text("1 reject requeued").wait_for()
        # the running job reads it, and it is no better than before
        page.get_by_text("3 rejects").wait_for()
        assert "gone" not in page.title()


def test_pages_fit_a_phone_and_follow_the_theme(tab, trucks):
    with tab("jobs", width=390, height=844, color_scheme="dark") as phone:
        for path in ("jobs", "quality", "vehicles"):
            phone.open(path)
            phone.page.wait_for_function(NARROW)
            assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 18, 24)"


def test_a_closed_dashboard_asks_who_comes_and_a_read_only_one_offers_no_changes(browser, tab, trucks):
    closed = type(trucks)(trucks.home)
    closed.environment |= {"FLEETFLOW_UI_PASSWORD": PASSWORD, "FLEETFLOW_UI_READ_ONLY": "true"}
    closed.start()
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"{closed.url}/jobs")
        page.get_by_label("Password or token").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text("neither the password nor the token").wait_for()
        page.get_by_label("Password or token").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs")
        page.get_by_role("heading", name="trucks").wait_for()
        assert page.get_by_role("button", name="Cancel").count() == 0
        assert page.get_by_role("button", name="Delete savepoint").count() == 0
        page.goto(f"{closed.url}/logout")
        page.get_by_role("button", name="Sign in").wait_for()
        page.goto(f"{closed.url}/vehicles")
        page.get_by_role("button", name="Sign in").wait_for()
    finally:
        context.close()
        closed.stop()
