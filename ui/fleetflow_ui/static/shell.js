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
    document.cookie = `${KEY}=${theme}; path=/; max-age=31536000; SameSite=Strict`;
  };
  show(preferred());

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

  const found = (look) =>
    new Promise((resolve) => {
      const attempt = () => {
        const thing = look();
        if (thing) resolve(thing);
        else setTimeout(attempt, 30);
      };
      attempt();
    });

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
