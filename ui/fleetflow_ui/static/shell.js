// Theme, visibility, address and connection of one page; see fleetflow_ui/shell.py.
(() => {
  const page = document.documentElement;
  const KEY = "fleetflow-theme";

  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden
    }
  };
  const preferred = () => {
    const wanted = remembered() ?? page.dataset.wanted;
    if (wanted === "light" || wanted === "dark") return wanted;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };
  const show = (theme) => {
    page.dataset.theme = theme;
    // the server draws figures in the right colours from the start when it knows
    document.cookie = `${KEY}=${theme}; path=/; max-age=31536000; SameSite=Lax`;
  };
  const told = (theme) => document.cookie.split("; ").includes(`${KEY}=${theme}`);

  const theme = preferred();
  const knew = told(theme);
  show(theme);
  if (theme !== page.dataset.served && !knew && told(theme)) {
    // A first visit, or the system's colours have changed: the server draws anew, before Bokeh has begun.
    // Colours that change while tiles load leave Bokeh waiting for the old ones. Without cookies they do.
    window.stop();
    location.reload();
    return;
  }

  // Bokeh draws each widget in a shadow root, where the page's style sheets do not reach; one sheet for
  // all of them, whenever they are made, costs nothing per widget.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(document.getElementById("ff-widgets").textContent);
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    return root;
  };

  // SlickGrid takes the focus whenever a row is selected, also when that was not the reader's doing: the first Tab
  // would land in the table, and what is typed elsewhere would be lost. A table gets it when it was used last.
  let used = null;
  const tableOf = (event) => event.composedPath().find((each) => each.classList?.contains("bk-data-table"));
  for (const kind of ["pointerdown", "keydown"]) {
    document.addEventListener(kind, (event) => (used = tableOf(event)), { capture: true });
  }
  const focus = HTMLElement.prototype.focus;
  HTMLElement.prototype.focus = function (options) {
    const table = this.closest(".bk-data-table");
    if (table === null || table === used) focus.call(this, options);
  };

  // SlickGrid leads Tab through every cell of a table, so that whoever uses keys is caught in it. Tab goes on,
  // and the arrow keys choose rows, from the first one.
  const freeTab = (event) => {
    const grid = tableOf(event);
    if (grid === undefined) return;
    const begins = event.key === "ArrowDown" && grid.querySelector(".slick-cell.active") === null;
    if (begins) {
      grid.querySelector(".slick-row .slick-cell")?.click();
      event.preventDefault();
    }
    if (begins || event.key === "Tab") event.stopImmediatePropagation();
  };
  document.addEventListener("keydown", freeTab, { capture: true });

  const found = (look) =>
    new Promise((resolve) => {
      const attempt = () => {
        const thing = look();
        if (thing) resolve(thing);
        else setTimeout(attempt, 30);
      };
      attempt();
    });

  // Bokeh waits for each tile it ever asked for until it is drawn. One that comes after the view, or the
  // colours, have changed is never drawn, and one that fails tells nobody: the page would never be ready,
  // and its keys would not work. A tile counts as long as it is wanted.
  const waitForWantedTiles = () => {
    const view = window.Bokeh?.Models?.get?.("TileRenderer")?.prototype.default_view?.prototype;
    if (!view?.has_finished) return;
    const painted = Object.getPrototypeOf(view).has_finished;
    view.has_finished = function () {
      const wanted = this.model.tile_source.tiles;
      const awaited = (tile) => !tile.finished && !tile.loaded && wanted.get(tile.cache_key) === tile;
      if (!painted.call(this) || this._tiles == null) return false;
      if (!this._tiles.some(awaited)) {
        this.model.tile_source.ff_complete = true;
        return true;
      }
      this.ff_again ??= setTimeout(() => {
        this.ff_again = null;
        this.notify_finished();
      }, 100);
      return false;
    };
  };

  // Bokeh asks for a ring of tiles around the view, as many as in it, and soon for those of the next zoom, too.
  // They can wait until the view is complete: the server draws one tile after the other.
  const viewFirst = () => {
    const models = window.Bokeh?.Models;
    const source = models?.get?.("MercatorTileSource")?.prototype;
    const view = models?.get?.("TileRenderer")?.prototype.default_view?.prototype;
    if (!source?.get_tiles_by_extent || !view?._prefetch_tiles) return;
    const found = source.get_tiles_by_extent;
    source.get_tiles_by_extent = function (extent, level, border) {
      return found.call(this, extent, level, border ?? (this.ff_complete ? 1 : 0));
    };
    const prefetch = view._prefetch_tiles;
    view._prefetch_tiles = function () {
      if (this.model.tile_source.ff_complete) prefetch.call(this);
    };
  };

  const comeBack = async () => {
    for (;;) {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (answer.ok) {
          location.reload();
          return;
        }
      } catch {
        // still away
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  };

  document.addEventListener("DOMContentLoaded", async () => {
    waitForWantedTiles();
    viewFirst();
    const button = document.querySelector(".theme");
    const tell = () => {
      const dark = page.dataset.theme === "dark";
      button.setAttribute("aria-pressed", String(dark));
      button.title = dark ? "Light colours" : "Dark colours";
    };
    tell();
    let browser = null;
    button.addEventListener("click", () => {
      const theme = page.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // then it lasts as long as the cookie
      }
      show(theme);
      tell();
      browser?.setv({ theme });
    });

    browser = await found(() => window.Bokeh?.documents?.[0]?.get_model_by_name("browser"));
    const bokeh = browser.document;
    browser.setv({ theme: page.dataset.theme, visible: !document.hidden });
    document.addEventListener("visibilitychange", () => browser.setv({ visible: !document.hidden }));
    browser.properties.query.change.connect(() => {
      history.replaceState(null, "", location.pathname + (browser.query ? `?${browser.query}` : ""));
    });
    bokeh.on_event("connection_lost", () => {
      const banner = document.querySelector(".lost");
      if (!banner.hidden) return;
      banner.hidden = false;
      comeBack();
    });
  });
})();
