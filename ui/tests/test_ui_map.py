"""The map of one session, without a browser: what it says, shows and sends."""

import dataclasses
import gc
import time
import weakref

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.util.hex import hexbin
from fleetflow_ui import shell
from fleetflow_ui.geo import View, mercator
from fleetflow_ui.map import dots, tip
from fleetflow_ui.map.dots import MOST_DOTS, hexagons, scene
from fleetflow_ui.map.filters import Choice
from fleetflow_ui.map.ground import needed
from fleetflow_ui.map.page import MapPage
from fleetflow_ui.map.panel import motion
from fleetflow_ui.map.trail import NO_LINE, READERS, joined
from fleetflow_ui.settings import UiSettings
from fleetflow_ui.status import CRASHED, SELECTED

from fleetflow.builtin.jobs.options import places_of
from fleetflow.jobs.model import Job, Spec

HOSTILE = "<script>x</script>"
AMERICA = View(*mercator(20.0, -130.0), *mercator(55.0, -60.0), 1200, 800)


def record(vin, latitude=35.0, longitude=-95.0, **more):
    return {
        "vin": vin,
        "latitude": latitude,
        "longitude": longitude,
        "time": time.time(),
        "source": "alpha",
        **more,
    }


def look(page, *records):
    """Let records arrive."""
    page.fleet.take(list(records))
    page.fleet.finish()
    page.update()


def sent(page):
    """What would have to travel: the columns of every layer by identity."""
    layers = (page.map.dots, page.map.crashed, page.map.marked, page.map.hexagons)
    sources = (*(layer.source for layer in layers), page.map.chosen)
    return [id(column) for source in sources for column in source.data.values()]


def test_an_empty_fleet_is_said_in_words(page):
    page.update()
    assert "Reading the vehicles map" in page.said.text
    page.fleet.finish()
    page.update()
    assert "No vehicle yet" in page.said.text
    assert page.said.visible
    assert len(page.map.dots.source.data["x"]) == 0


def test_a_map_that_cannot_be_read_is_said_as_text(page):
    page.fleet.say(f"layout 9 {HOSTILE}")
    page.update()
    assert "Layout 9 &lt;script&gt;" in page.said.text


def test_a_fleet_without_news_is_said_in_words(page):
    look(page, record("A"))
    assert not page.said.visible
    page.fleet.changed_at -= 95
    page.update()
    assert "No news for 1 min: has the job stopped?" in page.said.text


def test_vehicles_appear_and_move(page):
    look(page, record("A"), record("B", 40.0))
    before = list(page.map.dots.source.data["y"])
    look(page, record("A", 36.0))
    after = list(page.map.dots.source.data["y"])
    assert after[0] > before[0]
    assert after[1] == before[1]
    assert page.summary.text == "2 vehicles"


def test_unchanged_snapshots_send_nothing(page):
    look(page, record("A"), record("B", status="CRASHED"))
    before = sent(page)
    page.update()
    assert sent(page) == before


def test_only_the_columns_that_changed_are_sent(page):
    look(page, record("A"), record("B", 40.0))
    data = dict(page.map.dots.source.data)
    look(page, record("A", 36.0))
    now = page.map.dots.source.data
    changed = {name for name in data if now[name] is not data[name]}
    assert "y" in changed
    assert changed.isdisjoint({"slot", "kind"})


def test_crashed_vehicles_are_a_layer_of_their_own_and_stale_ones_are_faded(page):
    look(
        page,
        record("A"),
        record("B", status="CRASHED"),
        record("C", status="STOLEN"),
        record("D", time=time.time() - 9999),
    )
    assert list(page.map.dots.source.data["slot"]) == [0, 2, 3]
    assert list(page.map.dots.source.data["kind"]) == [0, 1, 2]
    assert list(page.map.crashed.source.data["slot"]) == [1]


def test_vehicles_with_the_status_selected_are_a_layer_of_their_own_that_fades(page):
    look(
        page,
        record("A", status="SELECTED"),
        record("B"),
        record("C", status="SELECTED", time=time.time() - 9999),
    )
    assert list(page.map.dots.source.data["slot"]) == [1]
    assert list(page.map.marked.source.data["slot"]) == [0, 2]
    assert list(page.map.marked.source.data["kind"]) == [0, 2]


def test_each_kind_of_vehicle_has_a_shape_of_its_own(page):
    """Not everybody tells the colours: circle, circle with a point, square, square on edge, ring."""
    plot = page.map.plot
    marker = {
        name: plot.select_one({"name": name}).glyph.marker for name in ("vehicles", "marked", "selected")
    }
    assert marker == {"vehicles": "circle", "marked": "square", "selected": "circle"}
    crashed, pupils = (plot.select_one({"name": name}).glyph for name in ("crashed", "pupils"))
    assert (crashed.marker, round(crashed.angle, 3)) == ("square", 0.785)
    # of normal dots the point is transparent
    assert [len(colour) for colour in pupils.fill_color["transform"].palette] == [9, 7, 9, 7]


def test_a_map_that_was_replaced_keeps_the_selection_by_its_vin(page):
    look(page, record("A"), record("B", 40.0))
    page.select_vin("B")
    page.fleet.forget()
    page.update()
    assert not page.panel.root.visible
    assert "Reading the vehicles map" in page.said.text
    look(page, record("B", 41.0), record("Z"))
    assert page.panel.root.visible
    assert list(page.map.chosen.data["slot"]) == [0]
    page.fleet.forget()
    look(page, record("Z"))
    assert not page.panel.root.visible
    assert "No vehicle has the VIN B" in page.said.text
    page.clear()
    assert not page.said.visible


def test_only_what_is_in_view_is_sent(page):
    look(page, record("A", 35.0, -95.0), record("B", 48.0, 11.0))
    page.map.look_at(AMERICA)
    page.draw(time.time())
    assert list(page.map.dots.source.data["slot"]) == [0]


def test_many_vehicles_become_hexagons_but_crashed_and_selected_ones_stay_dots(page):
    rng = np.random.default_rng(1)
    spots = zip(rng.uniform(30, 45, MOST_DOTS + 500), rng.uniform(-105, -80, MOST_DOTS + 500), strict=True)
    look(page, *(record(f"V{i}", *spot) for i, spot in enumerate(spots)), record("X", status="CRASHED"))
    page.select(7)
    data = page.map.hexagons.source.data
    assert len(page.map.dots.source.data["x"]) == 0
    assert sum(data["count"]) == MOST_DOTS + 500
    assert list(page.map.crashed.source.data["slot"]) == [MOST_DOTS + 500]
    assert list(page.map.chosen.data["slot"]) == [7]
    x, y = mercator(37.5, -92.0)
    page.map.look_at(View(x - 1e5, y - 1e5, x + 1e5, y + 1e5, 800, 800))
    page.draw(time.time())
    assert len(page.map.hexagons.source.data["q"]) == 0
    assert 0 < len(page.map.dots.source.data["x"]) <= MOST_DOTS


def test_an_update_of_a_session_is_at_most_50_kb_at_100_000_vehicles(page):
    rng = np.random.default_rng(2)
    n = 100_000
    spots = zip(rng.uniform(26, 48, n), rng.uniform(-120, -70, n), strict=True)
    look(page, *(record(f"V{i}", *spot) for i, spot in enumerate(spots)))

    def size():
        columns = [
            *page.map.hexagons.source.data.values(),
            *page.map.dots.source.data.values(),
            *page.map.crashed.source.data.values(),
        ]
        return sum(c.nbytes if isinstance(c, np.ndarray) else len(repr(list(c))) for c in columns)

    assert 0 < size() < 50_000
    full = np.flatnonzero(page.fleet.x[:n] > 0)
    assert len(full) == 0
    with page.fleet.lock:
        page.map.dots.show(page.fleet, np.arange(MOST_DOTS), time.time(), 300)
        page.map.hexagons.show(None)
    assert size() < 50_000


def test_hexagons_lose_nobody_and_their_centres_are_near():
    rng = np.random.default_rng(3)
    x, y = (rng.uniform(-1e7, 1e7, 5000).astype(np.float32) for _ in range(2))
    found = hexagons(x, y, 1e6)
    assert found.count.sum() == 5000
    expected = hexbin(x, y, 1e6)
    assert set(zip(found.q, found.r, strict=True)) <= set(zip(expected.q, expected.r, strict=True))
    for px, py in zip(x[:100], y[:100], strict=True):
        assert np.hypot(found.x - px, found.y - py).min() <= 1.25e6


@pytest.mark.parametrize(
    ("choice", "slots"),
    [
        (Choice(), [0, 1, 2, 3]),
        (Choice(statuses=frozenset({CRASHED})), [1]),
        (Choice(statuses=frozenset({SELECTED})), []),
        (Choice(hearing=frozenset({"Stale"})), [3]),
        (Choice(hearing=frozenset({"Live", "Stale"})), [0, 1, 2, 3]),
        (Choice(sources=frozenset({"beta"})), [2]),
        (Choice(codes=frozenset({"P0171"})), [0, 1]),
        (Choice(codes=frozenset({"P0171"}), statuses=frozenset({0})), [0]),
        (Choice(codes=frozenset({"unheard of"})), []),
    ],
)
def test_a_choice_shows_what_is_like_it(page, choice, slots):
    look(
        page,
        record("A", obd_codes=["P0171"]),
        record("B", obd_codes=["P0171"], status="CRASHED"),
        record("C", source="beta"),
        record("D", time=0.0),
    )
    mask = choice.mask(page.fleet, time.time(), 300.0)
    assert list(np.flatnonzero(mask)) == slots


def test_counters_count_the_whole_fleet_and_a_choice_stays_when_buttons_move(page):
    look(page, record("A", obd_codes=["P0300"]), record("B", status="CRASHED"))
    status, _, source, code = page.filters.root.children
    assert status.labels == ["Normal 1", "Selected 0", "Crashed 1", "Other 0"]
    assert source.labels == ["alpha 2"]
    code.active = [0]
    assert list(page.map.dots.source.data["slot"]) == [0]
    assert page.summary.text == "1 of 2 vehicles"
    look(page, record("C", obd_codes=["P0100"]))
    assert code.labels == ["P0100 1", "P0300 1"]
    assert code.active == [1]
    page.filters.clear()
    assert page.summary.text == "3 vehicles"


def test_a_choice_that_fits_nobody_is_said(page):
    look(page, record("A"))
    page.filters.root.children[0].active = [2]
    assert "No vehicle is like what you chose" in page.said.text


def test_the_panel_shows_everything_as_text(page):
    look(
        page,
        record(
            HOSTILE, obd_codes=["P0171", "<i>P</i>"], note="<img src=x onerror=alert(1)>", status="CRASHED"
        ),
    )
    page.select(0)
    html = page.panel.root.children[0].text + page.panel.root.children[2].text
    assert "<script" not in html
    assert "<img" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "not in the table of codes" in html
    assert "Crashed" in html
    assert "&lt;script&gt;" in tip.words_of(page.fleet, 0, time.time(), page.panel.describe)


def test_what_detectors_say_is_told_in_words(page):
    look(
        page,
        record("A", status="SPEEDING", note="131 km/h", speeding=True, areas=["Depot <b>", "North"]),
        record("B", status="SELECTED", status_before_selected="CRASHED"),
        record("C", status="MAINTENANCE", note="brake hose", maintenance="brake hose"),
        record("D", status="CRASHED", speeding=True),
        record("E"),
    )
    tips = [tip.words_of(page.fleet, slot, time.time(), page.panel.describe) for slot in range(5)]
    assert "Speeding</span>" in tips[0]
    assert "131 km/h" in tips[0]
    assert "in Depot &lt;b&gt;, North" in tips[0]
    assert "Selected</span>" in tips[1]
    assert "Crashed</span>" in tips[1]
    assert "Maintenance</span>" in tips[2]
    assert tips[2].count("brake hose") == 1
    assert "speeding" in tips[3]
    # none of them was seen twice: how fast they are is told by the detector, or by nobody
    assert ["not known" in each for each in tips] == [False, True, True, False, True]
    assert "ff-badge" not in tips[4]
    page.select(1)
    head = page.panel.root.children[0].text
    assert "Selected</span>" in head
    assert "Crashed</span>" in head


def test_a_vehicle_not_heard_of_says_since_when(page):
    look(page, record("A", time=time.time() - 7260))
    page.select(0)
    assert "Not heard of for 2 h 1 min" in page.panel.root.children[0].text


def test_selecting_draws_the_trail_and_closing_forgets_it(page):
    for latitude in (35.0, 35.5, 36.0):
        look(page, record("A", latitude), record("B"))
    page.select_vin("A")
    assert len(page.map.trail.data["x"]) == 3
    look(page, record("A", 36.5))
    assert len(page.map.trail.data["x"]) == 4
    page.clear()
    assert len(page.map.trail.data["x"]) == 0
    assert not page.panel.root.visible


def test_following_keeps_the_vehicle_in_the_middle(page):
    look(page, record("A", 35.0))
    page.select(0)
    page.panel.follow.active = True
    look(page, record("A", 39.0))
    assert page.map.view.middle == pytest.approx((page.fleet.x[0], page.fleet.y[0]), abs=5)


def test_search_offers_vehicles_and_enter_takes_the_first(page):
    look(page, record("1FLT00001"), record("1FLT00002", 40.0), record(HOSTILE))
    page.search.field.value_input = "1flt"
    assert [label for _, label in page.search.list.options] == ["1FLT00001", "1FLT00002"]
    page.search.list.value = ["1"]
    assert list(page.map.chosen.data["slot"]) == [1]
    page.search.field.value_input = "nobody"
    assert "No vehicle" in page.search.none.text


def test_an_archive_and_what_was_seen_make_one_line():
    old = (np.array([0, 10, 20, 30], np.float32), np.zeros(4, np.float32))
    recent = (np.array([20, 30, 40], np.float32), np.zeros(3, np.float32))
    assert list(joined(old, recent)[0]) == [0, 10, 20, 30, 40]
    later = (np.array([90, 100], np.float32), np.zeros(2, np.float32))
    assert list(joined(old, later)[0]) == [0, 10, 20, 30, 90, 100]
    assert joined(NO_LINE, recent) is recent


def test_motion_is_said_in_words():
    assert motion(float("nan"), float("nan")) == "speed not known yet"
    assert motion(0.2, 1.0) == "standing"
    assert motion(80.4, np.pi / 2) == "80 km/h east"
    assert motion(80.4, -np.pi / 4) == "80 km/h north-west"


def test_the_ground_without_tiles_needs_few_pictures_from_the_middle_outwards():
    tiles = needed(AMERICA)
    assert 0 < len(tiles) <= 40
    assert len({z for z, _, _ in tiles}) == 1
    x, y = AMERICA.middle
    z, column, row = tiles[0]
    side = 2 * 20_037_508.34 / 2**z
    assert abs((column + 0.5) * side - 20_037_508.34 - x) <= side
    assert abs(20_037_508.34 - (row + 0.5) * side - y) <= side


def test_scene_limits_what_it_draws(page):
    look(page, *(record(f"V{i}", status="CRASHED") for i in range(30)))
    with page.fleet.lock:
        found = scene(page.fleet, AMERICA, np.ones(30, bool), most=10)
    # three of them are dots, the others are counted: nobody is lost
    assert len(found.crashed) == 3
    assert found.hexagons.count.sum() == 27


def test_sessions_that_want_the_same_share_hexagons_whatever_part_they_see(page):
    rng = np.random.default_rng(5)
    places = zip(rng.uniform(26, 48, 4000), rng.uniform(-120, -70, 4000), strict=True)
    look(page, *(record(f"V{i}", latitude=lat, longitude=lon) for i, (lat, lon) in enumerate(places)))
    wanted = np.ones(4000, bool)
    half = dataclasses.replace(AMERICA, east=AMERICA.middle[0], width_px=AMERICA.width_px / 2)
    with page.fleet.lock:
        whole = scene(page.fleet, AMERICA, wanted, most=100, shared="all").hexagons
        part = scene(page.fleet, half, wanted, most=100, shared="all").hexagons
        nobody = scene(page.fleet, AMERICA, wanted[:0], most=100, shared="none")
    of = {(q, r): n for q, r, n in zip(whole.q, whole.r, whole.count, strict=True)}
    assert sum(of.values()) == np.count_nonzero(AMERICA.grown(0.5).holds(page.fleet.x, page.fleet.y))
    assert 0 < len(part.q) < len(whole.q)
    assert all(of[q, r] == n for q, r, n in zip(part.q, part.r, part.count, strict=True))
    assert nobody.hexagons is None


def test_a_scene_of_many_is_the_same_whether_it_was_seen_from_afar_or_counted(page, monkeypatch):
    rng = np.random.default_rng(6)
    places = zip(rng.normal(38, 4, 3000), rng.normal(-95, 9, 3000), rng.random(3000), strict=True)
    sorts = ("CRASHED", "SELECTED", "NORMAL")
    look(
        page,
        *(
            record(f"V{i}", lat, lon, status=sorts[min(2, int(dice * 50))])
            for i, (lat, lon, dice) in enumerate(places)
        ),
        record("nowhere", float("nan"), float("nan")),
    )
    fleet, afar = page.fleet, 0
    wanted = rng.random(len(fleet)) < 0.9
    for _ in range(60):
        (west, east), (south, north) = np.sort(rng.uniform(-125, -65, 2)), np.sort(rng.uniform(20, 55, 2))
        view = View(*mercator(south, west), *mercator(north, east), 1200, 800)
        with fleet.lock:
            fields = dots._fields(fleet, wanted)
            found = scene(fleet, view, wanted, most=100, shared="some")
            with monkeypatch.context() as patch:
                patch.setattr(dots._Fields, "at_least", lambda self, view: 0)
                counted = scene(fleet, view, wanted, most=100, shared="some")
        seen = view.holds(fleet.x[: len(fleet)], fleet.y[: len(fleet)]) & wanted
        assert fields.at_least(view) <= seen.sum()
        afar += fields.at_least(view) > 100
        for name in ("dots", "crashed", "selected"):
            assert np.array_equal(getattr(found, name), getattr(counted, name))
        assert (found.hexagons is None) == (counted.hexagons is None)
        if found.hexagons is not None:
            assert found.hexagons.same_places(counted.hexagons)
            assert np.array_equal(found.hexagons.count, counted.hexagons.count)
    assert afar > 20


def test_what_sessions_share_is_found_anew_after_a_change(page):
    look(page, record("A"))
    found = [page.fleet.once("n", lambda: len(page.fleet)) for _ in range(2)]
    look(page, record("B"))
    assert [*found, page.fleet.once("n", lambda: len(page.fleet))] == [1, 1, 2]
    assert page.fleet.once("n", lambda: pytest.fail("it is known")) == 2


def test_online_tiles_lie_above_the_built_in_ground_and_name_their_makers(context):
    settings = UiSettings(tiles_url="http://localhost:9/{Z}/{X}/{Y}.png", tiles_attribution="somebody")
    document = Document()
    given = dataclasses.replace(context, settings=settings)
    plot = MapPage(document, given, shell.dress(document, given, "dashboard", "Map")).map.plot
    ground, online = plot.renderers[:2]
    assert (ground.name, online.name) == ("ground", "online")
    assert ground.level == online.level == "image"
    assert online.tile_source.url == settings.tiles_url
    assert online.tile_source.attribution == "somebody"


def test_a_session_that_ends_is_freed(context):
    document = Document()
    page = MapPage(document, context, shell.dress(document, context, "dashboard", "Map"))
    look(page, record("A"), record("B", status="CRASHED"))
    page.select(0)
    gone = weakref.ref(page)
    document.clear()
    del page, document
    # the archive is read beside the loop; that must have ended
    READERS.submit(int).result(10)
    gc.collect()
    assert gone() is None


def test_the_states_of_jobs_are_told_when_there_is_no_news(page, context):
    job = Job(places_of(context.configuration).jobs / "trucks")
    job.folder.mkdir(parents=True)
    job.write(Spec("trucks", str(context.configuration.home)))
    look(page, record("A"))
    page.fleet.changed_at -= 300
    page.update()
    assert "No news for 5 min: the job trucks is interrupted" in page.said.text
    other = Job(job.folder.with_name("vans"))
    other.folder.mkdir()
    other.write(Spec("vans", str(context.configuration.home)))
    page.fleet.changed_at -= 60
    page.update()
    assert "No news for 6 min: has the job stopped?" in page.said.text
    assert "Job trucks: interrupted, Job vans: interrupted" in page.said.text


def test_a_document_is_built_by_the_hook(context):
    (map_page,) = [each for each in context.pages if each.url == "dashboard"]
    document = Document()
    map_page.build(document, context)
    assert {root.name for root in document.roots} >= {"state", "map", "finder", "panel"}
