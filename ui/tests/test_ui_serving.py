"""Who gets in, from where, and what is left behind: the server in this process, by HTTP and websocket."""

import asyncio
import contextlib
import gc
import http.client
import re
import threading
import time
import urllib.parse
import weakref
from dataclasses import replace

import pytest
from bokeh.client import pull_session
from bokeh.models.widgets import DataTable, Div
from bokeh.util.token import generate_jwt_token, generate_session_id
from fleetflow_ui import basemap, quality_plugin, shell
from fleetflow_ui import plugin as ui_plugin
from fleetflow_ui.auth import FAILURES, WINDOW_S, Attempts, Gate
from fleetflow_ui.background import THREADS
from fleetflow_ui.context import make
from fleetflow_ui.server import is_loopback, listen, origins_of
from fleetflow_ui.settings import UiSettings
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from fleetflow import config, plugins
from fleetflow.contracts.page import Page
from fleetflow.errors import ConfigurationError, PluginError

PASSWORD = "open <sesame>"
TOKEN = "t0ken-of-a-program"


class Served:
    """A server of this process in a thread of its own."""

    def __init__(self, context, host="127.0.0.1", **bokeh):
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(context, host, bokeh))
        self.thread.start()
        assert self.ready.wait(30)
        self.port = self.server.port

    def _run(self, context, host, bokeh):
        asyncio.set_event_loop(asyncio.new_event_loop())
        self.server = listen(context, host, 0, basemap.routes(), bokeh)
        self.server.start()
        self.loop = self.server.io_loop
        self.loop.add_callback(self.ready.set)
        self.loop.start()
        self.server.stop()
        self.loop.close()

    def stop(self):
        self.loop.add_callback(self.loop.stop)
        self.thread.join(30)
        assert not self.thread.is_alive()

    def ask(self, path, method="GET", body=None, **headers):
        """Return status, headers and text of an answer; headers are given as words_with_underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": f"localhost:{self.port}", **given})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")

    def websocket(self, path="/dashboard/ws", **headers):
        """Return the status with which a websocket is refused, 101 when it is opened."""

        async def attempt():
            request = HTTPRequest(f"ws://localhost:{self.port}{path}", headers=headers)
            try:
                connection = await websocket_connect(request)
            except HTTPClientError as error:
                return error.code
            connection.close()
            assert await connection.read_message() is None
            return 101

        return asyncio.run(attempt())

    def sign_in(self, password, **headers):
        body = urllib.parse.urlencode({"password": password})
        given = {
            "Content_Type": "application/x-www-form-urlencoded",
            "Origin": f"http://localhost:{self.port}",
        }
        return self.ask("/login?next=/jobs", "POST", body, **{**given, **headers})


@pytest.fixture
def served():
    running = []

    def serve(context, *arguments, **more):
        running.append(Served(context, *arguments, **more))
        return running[-1]

    yield serve
    for each in running:
        each.stop()


@pytest.fixture
def everything(context):
    """The context with all built-in pages."""
    return replace(context, pages=[*context.pages, *quality_plugin.fleetflow_pages()])


def closed(context, **more):
    return replace(context, settings=UiSettings(password=PASSWORD, token=TOKEN, **more))


def test_every_page_answers_with_headers_that_protect_it(everything, served):
    site = served(everything)
    for page in everything.pages:
        status, headers, text = site.ask(f"/{page.url}")
        assert status == 200
        assert f'<a href="{page.url}" aria-current="page">' in text
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
    assert {page.url for page in everything.pages} == {"dashboard", "vehicles", "jobs", "quality"}
    for path in ("/healthz", "/tiles/light/4/3/6.png", "/export/vehicles.csv", "/export/vehicles.json"):
        assert site.ask(path)[0] == 200
    assert site.ask("/")[1]["Location"] == "/dashboard"
    assert site.ask("/nothing")[0] == 404


def test_a_foreign_name_reads_nothing(everything, served):
    site = served(everything)
    for path in ("/dashboard", "/export/vehicles.json", "/"):
        status, _, text = site.ask(path, Host="evil.example:80")
        assert (status, "[ui] origins" in text) == (403, True)
    assert site.ask("/healthz", Host="10.0.0.1")[0] == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:{port}", 101),
        ("http://evil.example", 403),
        ("http://localhost:1", 403),
        ("null", 403),
    ],
)
def test_only_pages_of_this_port_open_websockets(context, served, origin, status):
    site = served(context)
    given = {"Origin": origin.format(port=site.port), "Sec-WebSocket-Protocol": "bokeh, x"}
    assert site.websocket(**given) == status


def test_without_a_password_the_server_stays_on_loopback(context):
    for host in ("0.0.0.0", "::", "192.0.2.1", "fleet.example.com"):
        with pytest.raises(ConfigurationError, match="neither password nor token") as caught:
            listen(context, host, 0)
        assert "FLEETFLOW_UI_PASSWORD" in caught.value.hint


def test_beyond_loopback_a_websocket_must_say_where_it_comes_from(context, served):
    site = served(closed(context), "0.0.0.0")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert site.websocket(**bearer) == 403
    assert site.websocket(Origin=f"http://localhost:{site.port}", **bearer) == 101
    assert site.websocket(Origin=f"http://localhost:{site.port}") == 401


def test_strangers_see_the_page_to_sign_in_and_nothing_else(everything, served):
    site = served(closed(everything))
    status, headers, _ = site.ask("/vehicles?q=a", Accept="text/html")
    assert (status, headers["Location"]) == (302, "/login?next=%2Fvehicles%3Fq%3Da")
    for path in (
        "/export/vehicles.csv",
        "/tiles/light/4/3/6.png",
        "/dashboard/autoload.js",
        "/jobs/metadata",
    ):
        assert site.ask(path)[0] == 401
    status, _, text = site.ask("/login")
    assert (status, PASSWORD in text, TOKEN in text) == (200, False, False)
    assert site.ask("/healthz")[0] == 200
    assert site.ask("/export/vehicles.csv", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert site.ask("/export/vehicles.csv", Authorization="Bearer wrong")[0] == 401


def test_a_password_signs_in_with_a_cookie_that_scripts_and_other_sites_do_not_get(everything, served):
    site = served(closed(everything))
    status, headers, text = site.sign_in("wrong")
    assert (status, "Set-Cookie" in headers) == (403, False)
    assert "neither the password nor the token" in text
    status, headers, _ = site.sign_in(PASSWORD)
    assert (status, headers["Location"]) == (303, "/jobs")
    cookie = headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
    value = cookie.partition(";")[0]
    status, _, page = site.ask("/jobs", Cookie=value)
    assert status == 200
    # the token of a page is readable by whoever reads the page: what signs in is not in it
    assert value.partition("=")[2] not in page
    assert site.ask("/export/vehicles.csv", Cookie=value[:-2] + "00")[0] == 401
    status, headers, _ = site.ask("/logout", Cookie=value)
    assert (status, headers["Location"]) == (302, "/login")
    assert "expires=" in headers["Set-Cookie"]


def test_a_sign_in_never_leads_to_another_site(everything, served):
    site = served(closed(everything))
    given = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"http://localhost:{site.port}"}
    body = urllib.parse.urlencode({"password": PASSWORD})
    for wanted in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        _, headers, _ = site.ask(f"/login?next={urllib.parse.quote(wanted, safe='')}", "POST", body, **given)
        assert headers["Location"] == "/dashboard"
    assert site.sign_in(PASSWORD, Origin="http://evil.example")[0] == 403


def test_guessing_is_slowed_down(everything, served):
    site = served(closed(everything))
    for _ in range(FAILURES):
        assert site.sign_in("guess")[0] == 403
    status, headers, text = site.sign_in(PASSWORD)
    assert (status, "Too many attempts" in text) == (429, True)
    assert 0 < int(headers["Retry-After"]) <= WINDOW_S + 1


def test_attempts_are_forgotten_after_a_while_and_counted_per_address():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(FAILURES):
        assert attempts.wait_s("a") == 0
        attempts.failed("a")
    assert attempts.wait_s("a") == WINDOW_S
    assert attempts.wait_s("b") == 0
    now[0] = WINDOW_S
    assert attempts.wait_s("a") == 0


def test_a_sign_in_outlives_a_restart_but_not_another_password():
    gate = Gate(PASSWORD, "")
    request = type("Request", (), {"headers": {}, "cookies": {}})()
    request.cookies[gate.cookie] = type("Cookie", (), {"value": gate.ticket()})()
    assert Gate(PASSWORD, "").user(request) == "reader"
    assert Gate("another", "").user(request) is None
    assert Gate(PASSWORD, "").session_key != Gate("another", "").session_key
    assert not Gate("", "").closed
    assert not Gate(PASSWORD, "").opens("")


def test_secrets_are_neither_shown_nor_told():
    settings = UiSettings(password=PASSWORD, token=TOKEN)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert PASSWORD not in text
        assert TOKEN not in text
    assert UiSettings(password=12345).password.get_secret_value() == "12345"


@pytest.mark.parametrize("origin", ["*", "*.example.com", "https://fleet.example.com", "fleet.example.com/x"])
def test_origins_are_exact_names(origin, tmp_path):
    with pytest.raises(ConfigurationError, match="without scheme, path or wildcard"):
        config.load(
            {"ui": UiSettings}, environment={"FLEETFLOW_UI_ORIGINS": origin, "FLEETFLOW_HOME": str(tmp_path)}
        )


def test_a_proxy_s_name_is_let_in_on_the_standard_ports(everything, served):
    assert origins_of(UiSettings(origins="Fleet.example.com"), "::1", 5006) == [
        "localhost:5006", "127.0.0.1:5006", "[::1]:5006", "fleet.example.com:80", "fleet.example.com:443",
    ]  # fmt: skip
    site = served(closed(everything, origins="fleet.example.com", behind_proxy=True))
    given = {"Host": "fleet.example.com", "X_Forwarded_Proto": "https", "Origin": "https://fleet.example.com"}
    status, headers, _ = site.sign_in(PASSWORD, **given)
    assert status == 303
    assert "Secure" in headers["Set-Cookie"]


def test_loopback_is_known_by_its_address():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "")))


class Third:
    """A plugin of somebody else, with a page of its own."""

    def __init__(self, url="night"):
        self.url = url

    @plugins.hookimpl
    def fleetflow_pages(self):
        return [Page(self.url, "Night <shift>", self.build, order=90)]

    def build(self, document, context):
        frame = shell.dress(document, context, self.url, "Night shift")
        said = Div(name="said")
        document.add_root(said)
        frame.every(1.0, lambda: said.update(text=f"{len(context.reader.fleet)} vehicles"))


def made(context, *more):
    found = plugins.only_these([("ui", ui_plugin), ("quality", quality_plugin), *more])
    return make(found, context.configuration, tiles=False)


def test_another_plugin_s_page_is_served_and_in_the_navigation(context, served):
    full = made(context, ("third", Third()))
    try:
        site = served(full)
        status, _, text = site.ask("/night")
        assert (status, "Night &lt;shift&gt;" in text) == (200, True)
        assert '<a href="night">' in site.ask("/dashboard")[2]
        session = pull_session(url=f"http://localhost:{site.port}/night")
        assert session.document.get_model_by_name("said").text == "0 vehicles"
        session.close()
    finally:
        full.reader.stop()
        full.shared.close()


def test_two_pages_of_one_url_are_refused(context):
    with pytest.raises(PluginError, match=r'page "jobs" is claimed by plugin "\w+" and by plugin "\w+"'):
        made(context, ("third", Third("jobs")))


@pytest.mark.parametrize(
    ("path", "loaded"), [("dashboard", ["widgets"]), ("vehicles", ["widgets", "tables"])]
)
def test_pages_load_the_scripts_that_they_need_while_the_frame_is_drawn(everything, served, path, loaded):
    site = served(everything)
    with urllib.request.urlopen(f"http://localhost:{site.port}/{path}") as answer:
        page = answer.read().decode()
    tags = re.findall(r'<script ([^>]*)src="/static/js/bokeh-?([a-z]*)\.', page)
    assert tags == [("defer ", name) for name in ["", *loaded]]
    # nothing that needs Bokeh runs before it is there
    assert re.search(r'<script type="module">\s*Bokeh\.', page)
    assert not re.search(r"<script>\s*Bokeh\.", page)


def without_names(page):
    """Return a page without what differs from session to session."""
    return re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}|"token":"[^"]*"|"p\d+"', "x", page)


def test_the_head_of_a_page_is_sent_before_its_session_is_made(everything, served):
    go = threading.Event()
    go.set()

    def build(document, context):
        assert go.wait(20)
        everything.pages[0].build(document, context)

    site = served(replace(everything, pages=[replace(everything.pages[0], build=build)]))
    _, _, before = site.ask("/dashboard")
    # the server waits in `build` now: what comes was sent before it
    go.clear()
    connection = http.client.HTTPConnection("localhost", site.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/dashboard")
        answer = connection.getresponse()
        early = b""
        while b"/static/js/bokeh.min.js" not in early:
            early += answer.read1()
        assert b"<body>" not in early
        go.set()
        page = (early + answer.read()).decode()
    assert without_names(page) == without_names(before)


def test_a_page_of_which_heads_differ_comes_whole_from_the_second_time_on(everything, served):
    titles = iter(["one", "two", "three", "four"])

    def build(document, context):
        shell.dress(document, context, "dashboard", next(titles))

    site = served(replace(everything, pages=[replace(everything.pages[0], build=build)]))
    found = [site.ask("/dashboard")[2] for _ in range(4)]
    assert [re.search(r"<title>(\w+)", page)[1] for page in found] == ["one", "one", "three", "four"]
    # the browser asks again for the one that was begun with the head of another
    assert ["<script>location.reload()</script>" in page for page in found] == [False, True, False, False]
    assert all(page.count("</html>") == 1 for page in found)


@pytest.mark.parametrize(("cookie", "drawn_first"), [("", True), (f"{shell.COOKIE}=dark", False)])
def test_a_browser_that_has_the_scripts_runs_them_while_the_session_is_made(
    everything, served, cookie, drawn_first
):
    _, _, page = served(everything).ask("/dashboard", Cookie=cookie)
    found = re.findall(r'<script (defer )?src="/static', page)
    assert [bool(each) for each in found] == [drawn_first] * 2


def test_sessions_that_end_leave_nothing(everything, served, request):
    """200 openings and closings, of all pages: no document of them lives on."""
    documents = weakref.WeakSet()

    def watched(page):
        def build(document, context):
            documents.add(document)
            page.build(document, context)

        return replace(page, build=build)

    # a small page most often: the others cost twenty times as much to build
    pages = [watched(page) for page in [*everything.pages, *Third().fleetflow_pages()]]
    site = served(
        replace(everything, pages=pages),
        unused_session_lifetime_milliseconds=1,
        check_unused_sessions_milliseconds=50,
    )

    def settled():
        """Wait until all sessions are discarded; returns how many documents and widgets are left."""
        deadline = time.monotonic() + 60
        while site.server.get_sessions():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        gc.collect()
        # the thread pools hold on to what they did last until they have something else to do
        while len(documents) > THREADS:
            assert time.monotonic() < deadline, f"{len(documents)} documents live on"
            time.sleep(0.05)
            gc.collect()
        return len(documents), sum(type(each) in (DataTable, Div) for each in gc.get_objects())

    async def visit(count):
        for number in range(count):
            token = generate_jwt_token(generate_session_id())
            path = pages[min(number % 40, len(pages) - 1)].url
            address = HTTPRequest(f"ws://localhost:{site.port}/{path}/ws")
            connection = await websocket_connect(address, subprotocols=["bokeh", token])
            while b"ACK" not in (await connection.read_message()).encode():
                pass
            connection.close()
            while await connection.read_message() is not None:
                pass

    # Bokeh collects garbage after each session: not among everything that other tests have made
    gc.freeze()
    request.addfinalizer(gc.unfreeze)
    asyncio.run(visit(20))
    before = settled()
    asyncio.run(visit(180))
    after = settled()
    # each of the 180 openings between the two made at least one widget
    assert after[1] - before[1] < 90
