"""Gaps: found, and explained only by what was noticed."""

from hypothesis import given
from hypothesis import strategies as st

from fleetflow.audit import certificate, continuity, text
from fleetflow.audit.certificate import Change
from fleetflow.audit.moment import Moment
from fleetflow.contracts.payload import Notice
from fleetflow.contracts.sink import Counts
from fleetflow.ledger.reader import Range

URL = "http://localhost:8000/pings"
BETA = ("beta", "beta-0", URL)


def ranges(*pairs, key=BETA):
    return {key: tuple(Range(*key, low, high, high - low, 0, high) for low, high in pairs)}


def gap_notice(after, first, url=URL):
    data = {"url": url, "lost": first - after - 1, "after": after, "first": first, "end": first + 5}
    return Notice("beta", "beta-0", "gap", "lost by the service", 1.0, data)


def test_what_was_read_without_a_break_has_no_gap():
    assert continuity.gaps(Moment(1.0, ranges((0, 50)))) == []


def test_a_gap_that_nobody_noticed_is_unexplained():
    (gap,) = continuity.gaps(Moment(1.0, ranges((0, 50), (60, 70))))
    assert (gap.start, gap.end, gap.explained) == (50, 60, False)


def test_a_gap_that_the_source_reported_is_lost_upstream():
    moment = Moment(1.0, ranges((0, 50), (60, 70)), {}, (gap_notice(49, 60),))
    (gap,) = continuity.gaps(moment)
    assert gap.explained
    assert "lost by the service" in gap.reason


def test_a_notice_about_another_place_or_service_explains_nothing():
    elsewhere = (gap_notice(99, 160), gap_notice(49, 60, "http://localhost:8001/pings"))
    (gap,) = continuity.gaps(Moment(1.0, ranges((0, 50), (60, 70)), {}, elsewhere))
    assert not gap.explained


def test_a_missing_beginning_is_explained_by_the_savepoint_the_job_started_from_only():
    moment = Moment(1.0, ranges((50, 60)))
    assert [gap.explained for gap in continuity.gaps(moment)] == [False]
    (gap,) = continuity.gaps(moment, "tuesday")
    assert 'before the savepoint "tuesday"' in gap.reason


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8), st.integers(0, 80))
def test_uncovered_is_exactly_what_no_range_covers(pieces, end):
    covered = [(low, low + size) for low, size in pieces]
    found = {at for low, high in continuity.uncovered(0, end, covered) for at in range(low, high)}
    assert found == {at for at in range(end) if not any(low <= at < high for low, high in covered)}


def moments():
    counts = [{"beta": Counts(n, 5, n - 5, 0)} for n in (50, 70, 90)]
    return [Moment(float(n), ranges((0, count["beta"].read)), count) for n, count in enumerate(counts)]


def test_a_certificate_tells_what_was_read_before_during_and_after():
    change = Change("upgrade", "trucks", {}, {}, "saved", downtime_ms=800, pause_ms=900)
    content = certificate.compose(change, moments())
    entry = content["sources"]["beta"]["partitions"]["beta-0"][URL]
    assert [(each["start"], each["end"], each["records"]) for each in entry["before"]] == [(0, 50, 50)]
    assert [(each["start"], each["end"], each["records"]) for each in entry["during"]] == [(50, 70, 20)]
    assert [(each["start"], each["end"], each["records"]) for each in entry["after"]] == [(70, 90, 20)]
    assert content["verdict"] == "whole"
    readable = text.render(content)
    assert "downtime: 800 ms until the new version read; 900 ms between" in readable
    assert f"beta-0 {URL}: before [0, 50); during [50, 70); after [70, 90)" in readable


def test_a_verdict_names_the_worst():
    change = Change("audit", "", {}, {})
    account = {"beta": Counts(10, 5, 4, 0)}
    assert certificate.compose(change, [Moment(1.0, ranges((0, 9)), account)])["verdict"] == "unaccounted"
    hole = Moment(1.0, ranges((0, 5), (6, 9)), account)
    assert certificate.compose(change, [hole])["verdict"] == "gap"
    lost = Moment(1.0, ranges((0, 5), (6, 9)), {}, (gap_notice(4, 6),))
    content = certificate.compose(change, [lost])
    assert content["verdict"] == "lost upstream"
    assert certificate.good(content)


def test_thousands_of_files_are_summarised_for_people_and_whole_in_the_json():
    many = {}
    for number in range(3000):
        many |= ranges((0, 100), key=("alpha", "alpha-00", f"{number:05d}.csv"))
    content = certificate.compose(Change("audit", "trucks", {}, {}), [Moment(1.0, many)])
    assert len(content["sources"]["alpha"]["partitions"]["alpha-00"]) == 3000
    readable = text.render(content)
    assert "... and 2,990 more, all in the JSON" in readable
    assert len(readable.splitlines()) < 40


def test_a_certificate_is_readable_by_its_user_only(tmp_path):
    content = certificate.compose(Change("audit", "", {}, {}), moments())
    path = certificate.write(tmp_path / "certificates", content)
    for each in (path, path.with_suffix(".txt")):
        assert each.stat().st_mode & 0o077 == 0
    assert path.name.endswith("-audit.json")
