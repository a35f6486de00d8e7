"""The URL that events are posted to, and what of it may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit

HIDDEN = "***"


def check(url: str) -> None:
    """Raise ValueError, with a text that shows no secret, unless `url` can be posted to."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("it must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise ValueError("it must be printable ASCII without spaces")


def shown(url: str) -> str:
    """Return `url` as it may be shown: the path and the query of a webhook are often its secret."""
    if not url:
        return ""
    try:
        check(url)
    except ValueError:
        return HIDDEN
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}/{HIDDEN}"
