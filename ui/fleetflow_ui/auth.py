"""Who may see the dashboard: a password for people, a token for programs.

Without either everybody who reaches the port is let in, which is why the server then listens on loopback
only (see `fleetflow_ui.server`). A sign-in is a signed cookie. Its key is derived from the password and the
token, so that a restart signs nobody out and a new password signs everybody out.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from bokeh.server.auth_provider import AuthProvider
from tornado.escape import xhtml_escape
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, create_signed_value, decode_signed_value

LOGIN, LOGOUT = "/login", "/logout"
SIGNED_IN_DAYS = 7.0
FAILURES = 5
WINDOW_S = 60.0
REMEMBERED = 10_000


class Attempts:
    """Failed sign-ins per address: after `FAILURES` within `WINDOW_S` seconds no further one is looked at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how many seconds `address` has to wait, 0 when it may try."""
        now = self._clock()
        recent = [moment for moment in self._failures.get(address, ()) if now - moment < WINDOW_S]
        return 0.0 if len(recent) < FAILURES else WINDOW_S - (now - recent[-FAILURES])

    def failed(self, address: str) -> None:
        """Note a failure; the oldest addresses are forgotten first."""
        self._failures[address] = [*self._failures.pop(address, ())[-FAILURES + 1 :], self._clock()]
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def forget(self, address: str) -> None:
        """Start anew after a success."""
        self._failures.pop(address, None)


class Gate:
    """Knows the secrets. `closed` is False when none is set."""

    def __init__(self, password: str, token: str, cookie: str = "fleetflow-session") -> None:
        self._secrets = [secret.encode() for secret in (password, token) if secret]
        self._token = token.encode()
        self.cookie = cookie
        self.attempts = Attempts()
        material = b"\0".join((password.encode(), token.encode()))
        # slow on purpose: who sees a cookie must not be able to try passwords at speed (RFC 7914)
        key = hashlib.scrypt(material, salt=b"fleetflow-ui", n=2**14, r=8, p=1) if self._secrets else b""
        self._cookie_key = hmac.digest(key, b"cookie", "sha256")
        self.session_key = hmac.digest(key, b"session", "sha256").hex().encode()

    @property
    def closed(self) -> bool:
        """Whether a password or a token is asked for."""
        return bool(self._secrets)

    def opens(self, given: str) -> bool:
        """Whether `given` is the password or the token; how long it takes tells nothing."""
        offered = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        # all are compared, so that the time does not tell which one it was
        equal = [hmac.compare_digest(offered, hashlib.sha256(secret).digest()) for secret in self._secrets]
        return any(equal)

    def ticket(self) -> str:
        """Return the value of a cookie that signs its bearer in."""
        return create_signed_value(self._cookie_key, self.cookie, b"in").decode()

    def user(self, request: HTTPServerRequest) -> str | None:
        """Return who asks: `reader` (cookie), `program` (bearer token), None for a stranger."""
        if not self.closed:
            return "reader"
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer":
            return "program" if hmac.compare_digest(value.strip().encode(), self._token) else None
        cookie = request.cookies.get(self.cookie)
        signed = decode_signed_value(
            self._cookie_key, self.cookie, cookie.value if cookie else None, max_age_days=SIGNED_IN_DAYS
        )
        return None if signed is None else "reader"


class Provider(AuthProvider):
    """Bokeh's hooks for the gate: each page and websocket asks `get_user`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

        class Login(LoginHandler):
            pass

        class Logout(LogoutHandler):
            pass

        Login.gate = Logout.gate = gate
        self._login, self._logout = Login, Logout
        super().__init__()

    @property
    def get_user(self) -> Callable[[Any], Any]:
        """Return who asks, by the request of a handler."""
        return lambda handler: self._gate.user(handler.request)

    @property
    def get_user_async(self) -> None:
        """`get_user` does it."""

    @property
    def get_login_url(self) -> None:
        """`login_url` does it."""

    @property
    def login_url(self) -> str:
        """Where strangers are led to."""
        return LOGIN

    @property
    def login_handler(self) -> type[RequestHandler]:
        """The page to sign in."""
        return self._login

    @property
    def logout_url(self) -> str:
        """Where one signs out."""
        return LOGOUT

    @property
    def logout_handler(self) -> type[RequestHandler]:
        """Takes the cookie away."""
        return self._logout


class LoginHandler(RequestHandler):
    """The page to sign in: one field, for the password or the token."""

    gate: Gate

    def get(self) -> None:
        """Show the form."""
        self._form("")

    def post(self) -> None:
        """Sign in, or say that it was wrong."""
        address = self.request.remote_ip or ""
        attempts = self.gate.attempts
        wait_s = attempts.wait_s(address)
        if wait_s > 0:
            self.set_status(429)
            self.set_header("Retry-After", str(int(wait_s) + 1))
            self._form(f"Too many attempts. Try again in {int(wait_s) + 1} s.")
        elif self.gate.opens(self.get_body_argument("password", "", strip=False)):
            attempts.forget(address)
            self.set_cookie(
                self.gate.cookie,
                self.gate.ticket(),
                expires_days=SIGNED_IN_DAYS,
                httponly=True,
                samesite="Strict",
                secure=self.request.protocol == "https",
            )
            self.redirect(self._next(), status=303)
        else:
            attempts.failed(address)
            self.set_status(403)
            self._form("That is neither the password nor the token.")

    def _next(self) -> str:
        wanted = self.get_argument("next", "/dashboard")
        # only a path of this server: //host and \\host lead elsewhere
        return wanted if wanted.startswith("/") and wanted[1:2] not in {"/", "\\"} else "/dashboard"

    def _form(self, problem: str) -> None:
        said = f'<p class="bad" role="alert">{xhtml_escape(problem)}</p>' if problem else ""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(PAGE.format(action=f"{LOGIN}?next={quote(self._next(), safe='')}", said=said))


class LogoutHandler(RequestHandler):
    """Takes the cookie away."""

    gate: Gate

    def get(self) -> None:
        """Sign out."""
        self.clear_cookie(self.gate.cookie, samesite="Strict", httponly=True)
        self.redirect(LOGIN)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in · fleetflow</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
  :root {{ --page: #f4f6f9; --surface: #fff; --line: #d5dbe3; --ink: #17202b; --soft: #556274;
    --accent: #1457c0; --on-accent: #fff; --bad: #b3202c; }}
  @media (prefers-color-scheme: dark) {{ :root {{ --page: #0d1218; --surface: #161d26; --line: #2c3744;
    --ink: #e6ebf2; --soft: #9aa8ba; --accent: #74aefc; --on-accent: #08131f; --bad: #ff8a8a; }} }}
  * {{ box-sizing: border-box; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--page);
    color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
  form {{ width: min(360px, calc(100vw - 32px)); padding: 28px; background: var(--surface);
    border: 1px solid var(--line); border-radius: 14px; }}
  h1 {{ display: flex; align-items: center; gap: 10px; margin: 0 0 4px; font-size: 20px; }}
  p {{ margin: 0 0 18px; color: var(--soft); font-size: 14px; }}
  .bad {{ color: var(--bad); }}
  label {{ display: block; margin-bottom: 6px; font-size: 13px; font-weight: 600; }}
  input, button {{ width: 100%; height: 42px; padding: 0 12px; border-radius: 8px; font: inherit; }}
  input {{ border: 1px solid var(--line); background: var(--page); color: var(--ink); }}
  button {{ margin-top: 14px; border: 0; background: var(--accent); color: var(--on-accent); font-weight: 600;
    cursor: pointer; }}
  :focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; }}
</style></head>
<body><form method="post" action="{action}">
<h1><svg width="22" height="22" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2 20 21 12 17 4 21Z"
 fill="#1f6fd6"/></svg>fleetflow</h1>
<p>Sign in to see the fleet.</p>
{said}
<label for="password">Password or token</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Sign in</button>
</form></body></html>
"""
