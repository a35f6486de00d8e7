"""The frame that all pages share: navigation, colours, the state of the fleet, and what the browser tells.

A page is a function `build(document, context)`, named by a plugin in the hook `fleetflow_pages`:

    def build(document: Document, context: Context) -> None:
        frame = shell.dress(document, context, "vehicles", "Vehicles")
        page = VehiclesPage(context)            # builds its figures and widgets once
        document.add_root(page.root)
        frame.every(context.settings.refresh_s, page.update)   # not while the tab is hidden
        frame.on_fleet(page.update)             # only where a second later is too late
        frame.on_theme(page.paint)              # only for colours of its own: "light" or "dark"

- **Colours.** Style sheets of a page use the custom properties of `static/shell.css`: `var(--ink)`,
  `var(--soft)`, `var(--surface)`, `var(--line)`, `var(--accent)`, `var(--good)`, `var(--bad)` and so on; they
  reach into Bokeh's widgets. Figures get the theme's colours from `THEMES`, at once and when the reader
  switches, unless a page sets them itself (`colour(theme, "ink")`).
- **Look.** Widgets, tables and tooltips are styled by `static/widgets.css`, without any `stylesheets=`. It
  also has the classes of `fleetflow_ui.words`: put `words.facts(...)` and the like into a `Div`.
- **Text.** What comes from outside goes into HTML through `words.text` only, or through `words` functions
  that take plain text.
- **Address.** `frame.query` is what stood after `?` when the page was opened; `frame.remember(vin=...)`
  puts it there, so that a reload, a bookmark or a restarted server lead back to the same view.
- **Size.** Roots lie in `<main>`, which has the height of the window without the bar: use
  `sizing_mode="stretch_both"` for a page that fills it, `"stretch_width"` for one that scrolls.

CSS and script are put into the page itself, so that `bokeh serve ui/dashboard.py` shows the same.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode

from bokeh.core.properties import Bool, String
from bokeh.core.templates import FILE
from bokeh.document import Document
from bokeh.model import DataModel
from bokeh.models.widgets import Div
from bokeh.themes import Theme

from fleetflow_ui import words
from fleetflow_ui.beat import Beat

if TYPE_CHECKING:
    from jinja2 import Template

    from fleetflow_ui.context import Context

STATIC = Path(__file__).parent / "static"
COOKIE = "fleetflow-theme"
FURTHER = ("widgets", "tables", "gl", "mathjax")
"""Bokeh's scripts beside the first one."""
ThemeName = Literal["light", "dark"]

COLOURS: dict[str, dict[str, str]] = {
    "light": {
        "page": "#f4f6f9",
        "surface": "#ffffff",
        "line": "#d5dbe3",
        "ink": "#17202b",
        "soft": "#556274",
        "accent": "#1457c0",
        "normal": "#1f6fd6",
        "crashed": "#c4232f",
        "selected": "#0a7d4b",
        "other": "#e0a100",
    },
    "dark": {
        "page": "#0d1218",
        "surface": "#161d26",
        "line": "#2c3744",
        "ink": "#e6ebf2",
        "soft": "#9aa8ba",
        "accent": "#74aefc",
        "normal": "#5aa2ff",
        "crashed": "#ff6b6b",
        "selected": "#3ddc97",
        "other": "#ffd24a",
    },
}
"""The colours of `static/shell.css` that figures need: a canvas knows no custom properties."""

STATE_CSS = """
:host { min-width: 0; }
.ff-state { display: flex; align-items: center; gap: 8px; color: var(--soft); font-size: 13px; }
.ff-state b { color: var(--ink); font-weight: 600; white-space: nowrap; }
.ff-state i { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--soft); }
.ff-state.ff-live i { background: var(--good); }
.ff-state.ff-late i { background: var(--warn); }
.ff-state.ff-down i { background: var(--bad); }
"""


def colour(theme: ThemeName, name: str) -> str:
    """Return a colour of a theme as `#rrggbb`."""
    return COLOURS[theme][name]


def _theme(colours: dict[str, str]) -> Theme:
    text = {"text_color": colours["soft"], "text_font": "system-ui, sans-serif", "text_font_size": "12px"}

    def lettering(prefix: str) -> dict[str, str]:
        return {f"{prefix}_{key}": value for key, value in text.items()}

    return Theme(
        json={
            "attrs": {
                "Plot": {
                    "background_fill_color": colours["surface"],
                    "border_fill_color": colours["surface"],
                    "outline_line_color": None,
                },
                "Axis": {
                    "axis_line_color": colours["line"],
                    "major_tick_line_color": colours["line"],
                    "minor_tick_line_color": None,
                    **lettering("major_label"),
                    **lettering("axis_label"),
                    "axis_label_text_font_style": "normal",
                },
                "Grid": {"grid_line_color": colours["line"], "grid_line_alpha": 0.6},
                "Title": {
                    "text_color": colours["ink"],
                    "text_font": "system-ui, sans-serif",
                    "text_font_size": "13px",
                },
                "Legend": {
                    **lettering("label"),
                    "background_fill_color": colours["surface"],
                    "background_fill_alpha": 0.85,
                    "border_line_color": colours["line"],
                },
            }
        }
    )


THEMES: dict[str, Theme] = {name: _theme(colours) for name, colours in COLOURS.items()}
"""Bokeh's themes by name."""


class Browser(DataModel):
    """What one browser tab tells (theme, visible), and what it is told (query, the address after `?`)."""

    # Bokeh's descriptors give plain values on instances, which its type hints do not say
    theme: str = String(default="light")  # type: ignore[assignment]
    visible: bool = Bool(default=True)  # type: ignore[assignment]
    query: str = String(default="")  # type: ignore[assignment]


class Frame:
    """The frame of one session: what the browser tells, and who wants to know.

    `returning`: whether the browser was here before, and so has Bokeh's scripts.
    """

    def __init__(self, document: Document, context: Context) -> None:
        self._document = document
        self._context = context
        request = getattr(document.session_context, "request", None)
        arguments: dict[str, list[bytes]] = getattr(request, "arguments", None) or {}
        self.query = {
            name: values[-1].decode("utf-8", "replace") for name, values in arguments.items() if values
        }
        cookies: dict[str, str] = getattr(request, "cookies", None) or {}
        self.returning = cookies.get(COOKIE) in COLOURS
        wanted = cookies.get(COOKIE, context.settings.theme)
        self.browser = Browser(name="browser", theme=wanted if wanted in COLOURS else "light")
        self.state = Div(name="state", tags=[self.browser], stylesheets=[STATE_CSS], margin=0)
        self._themed: list[Callable[[ThemeName], None]] = []
        self._beat = Beat(document, lambda: self.visible)
        self.browser.on_change("theme", self._on_theme)
        self.browser.on_change("visible", self._on_visible)

    @property
    def theme(self) -> ThemeName:
        """The theme shown now."""
        return "dark" if self.browser.theme == "dark" else "light"

    @property
    def visible(self) -> bool:
        """Whether anybody can see the page."""
        return bool(self.browser.visible)

    def on_theme(self, paint: Callable[[ThemeName], None]) -> None:
        """Call `paint` when the reader switches the theme; Bokeh's own parts need no such thing."""
        self._themed.append(paint)

    def every(self, seconds: float, update: Callable[[], None]) -> None:
        """Call `update` now, every so many seconds while the tab is visible, and when it becomes so."""
        self._beat.every(seconds, update)

    def on_fleet(self, update: Callable[[], None]) -> None:
        """Call `update` as soon as the fleet has changed, beside `every`, while the tab is visible."""
        self._beat.on_fleet(self._context, update)

    def remember(self, **values: str) -> None:
        """Put values into the page's address (an empty one takes it out), without loading it anew."""
        self.query = {name: value for name, value in {**self.query, **values}.items() if value}
        self.browser.query = urlencode(self.query, quote_via=quote, safe=",:")

    def update(self) -> None:
        """Tell the state of the fleet in the bar."""
        told = state_words(self._context, time.time())
        if self.state.text != told:
            self.state.text = told

    def _on_visible(self, attr: str, old: bool, new: bool) -> None:
        if new:
            self._beat.all()

    def _on_theme(self, attr: str, old: str, new: str) -> None:
        self._document.theme = THEMES[self.theme]
        for paint in self._themed:
            paint(self.theme)


def dress(
    document: Document,
    context: Context,
    page_url: str,
    title: str,
    page_css: str = "",
    scripts: Collection[str] = ("widgets", "tables"),
) -> Frame:
    """Give a document the frame of all pages, to be called before its roots are added.

    `page_url` marks the place in the navigation; `page_css` is added to the page's own style sheets (outside
    of widgets). `scripts` names those of Bokeh's scripts that the page needs beside the first one: "widgets",
    "tables", "gl" (WebGL), "mathjax" (formulas); half of the time to open a page goes into them.
    """
    frame = Frame(document, context)
    document.title = f"{title} · fleetflow"
    document.theme = THEMES[frame.theme]
    document.config.notify_connection_status = False
    document.config.reconnect_session = False  # the page comes back as a new session, see static/shell.js
    document.template = template()
    document.template_variables["shell"] = {
        "css": static("shell.css"),
        "widgets_css": static("widgets.css"),
        "js": static("shell.js"),
        # our own server sends the head early: a browser that has the scripts runs them meanwhile, one that
        # has yet to load them draws the frame first
        "scripts": functools.partial(only, scripts, defer=not (context.tiles and frame.returning)),
        "page_css": page_css,
        "theme": context.settings.theme,
        "served": frame.theme,
        "home": "dashboard",
        "navigation": navigation(context, page_url),
    }
    document.add_root(frame.state)
    frame.every(context.settings.refresh_s, frame.update)
    return frame


def only(scripts: Collection[str], tags: str, defer: bool = True) -> str:
    """Return those of Bokeh's script tags a page needs; with `defer` its frame is drawn before they run."""
    unneeded = [name for name in FURTHER if name not in scripts]
    kept = [tag for tag in tags.splitlines() if not any(f"/bokeh-{name}." in tag for name in unneeded)]
    # those inside the page, which use the others, come after them as modules do
    text = "\n".join(kept).replace("<script>", '<script type="module">')
    return text.replace("<script src=", "<script defer src=") if defer else text


def navigation(context: Context, page_url: str) -> str:
    """Return the links to all pages, as HTML."""
    links = []
    for page in context.pages:
        mark = ' aria-current="page"' if page.url == page_url else ""
        links.append(f'<a href="{words.text(quote(page.url))}"{mark}>{words.text(page.title)}</a>')
    if context.settings.password.get_secret_value() or context.settings.token.get_secret_value():
        links.append('<a href="logout">Sign out</a>')
    return "".join(links)


def state_words(context: Context, now: float) -> str:
    """Return how the fleet is, for the bar: live, silent for how long, empty, or not to be read."""
    fleet = context.reader.fleet
    quiet_s = now - fleet.changed_at
    if fleet.problem:
        kind, said = "down", "<b>vehicles cannot be read</b>"
    elif not len(fleet):
        kind, said = "late", "<b>no vehicles yet</b>"
    elif quiet_s > max(10.0, 10 * context.settings.refresh_s):
        kind, said = "late", f"<b>no news for {words.duration(quiet_s)}</b>"
    else:
        kind, said = "live", f"<b>live</b> {words.count(len(fleet), 'vehicle')}"
    return f'<div class="ff-state ff-{kind}"><i></i><span>{said}</span></div>'


@cache
def template() -> Template:
    """Return the template of all pages: made of its text once, not for each opening."""
    text = static("page.html.jinja")
    made: Template = FILE.environment.from_string("{% extends base %}\n" + text)
    return made


@cache
def static(name: str) -> str:
    """Return the text of a file of `static/`, such as a page's own style sheet."""
    return (STATIC / name).read_text("utf-8")
