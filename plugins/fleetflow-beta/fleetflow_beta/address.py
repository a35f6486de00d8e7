"""A service's URL, taken apart into what may be shown and what must stay secret."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urljoin, urlsplit, urlunsplit

HIDDEN = "***"
DEFAULT_PORTS = {"http": 80, "https": 443}
RESERVED = frozenset({"since", "limit"})
"""Query members that belong to the protocol, and so cannot be part of a configured URL."""

_SECRET_MEMBER = re.compile(
    r"(?i)(token|secret|passw|pwd|signature|credential|auth|api[-_]?key|access[-_]?key|^key$|^sig$)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is.

    `resource` is the URL without credentials: it names the service in logs, notices and positions, and
    so it is stored data. `url` is what is asked (without user and password, which travel in `auth`).
    `secrets` are the texts that must not be shown.
    """

    resource: str
    url: str = field(repr=False)
    auth: tuple[str, str] | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def loopback(self) -> bool:
        """Whether the service is on this machine."""
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return False


def parse(url: str) -> Address:
    """Take a configured URL apart.

    Scheme and host are written in lower case, user and password are left out of `resource`, and the
    values of query members that look like a secret (`token`, `api_key`, ...) are hidden in it.
    Raises ValueError, with a message that shows no secret, when the URL cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in DEFAULT_PORTS:
        raise ValueError("it must begin with http:// or https://")
    if not host:
        raise ValueError("it names no host")
    members = parse_qsl(parts.query, keep_blank_values=True)
    if taken := RESERVED & {name for name, _ in members}:
        raise ValueError(f"{' and '.join(sorted(taken))} must not be in it: fleetflow sets them")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    path = parts.path or "/"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    hidden = [value for name, value in members if value and _SECRET_MEMBER.search(name)]
    # as they are written in the URL, and as they are sent
    hidden += [raw for name, raw in _pairs(parts.query) if _SECRET_MEMBER.search(unquote(name))]
    if hidden:
        from requests.utils import requote_uri  # noqa: PLC0415 - slow to import, and seldom needed

        hidden += [quote(value, safe="") for value in hidden] + [requote_uri(value) for value in hidden]
    secrets = [parts.username, parts.password, user, password] if parts.password else [parts.username, user]
    return Address(
        resource=urlunsplit((scheme, netloc, path, _hide(parts.query), "")),
        url=urlunsplit((scheme, netloc, path, parts.query, "")),
        auth=(user, password) if user or password else None,
        # the longest first: a secret may be a part of another one
        secrets=tuple(sorted({text for text in [*secrets, *hidden] if text}, key=len, reverse=True)),
    )


def redact(url: str) -> str:
    """Return `url` as it may be shown, whatever it is."""
    try:
        return parse(url).resource
    except ValueError:
        return re.sub(r"//[^/@]*@", f"//{HIDDEN}@", re.sub(r"\?.*", f"?{HIDDEN}", url))


def follow(current: str, location: str) -> str | None:
    """Return the URL that a redirect leads to, or None when it must not be followed.

    Followed are redirects to the same scheme, host and port, and from http to https on the same host
    (whose certificate proves that it is the same host).
    """
    try:
        target = urljoin(current, location)
        here, there = urlsplit(current), urlsplit(target)
        ports = _port(here), _port(there)
    except ValueError:
        return None
    if there.username is not None or there.hostname != here.hostname:
        return None
    if there.scheme == here.scheme and ports[0] == ports[1]:
        return target
    return target if (here.scheme, there.scheme) == ("http", "https") else None


def _port(parts: SplitResult) -> int | None:
    return parts.port or DEFAULT_PORTS.get(parts.scheme)


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (member.partition("=") for member in query.split("&"))]


def _hide(query: str) -> str:
    return "&".join(
        f"{name}={HIDDEN}" if value and _SECRET_MEMBER.search(unquote(name)) else member
        for member, (name, value) in zip(query.split("&"), _pairs(query), strict=True)
    )
