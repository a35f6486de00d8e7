"""A notifier that posts events to a web service, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from fleetflow import __version__
from fleetflow.contracts.detector import Event
from fleetflow.events.form import as_dict, to_json

TIMEOUT_S = 10.0
TIMESTAMP = "Fleetflow-Timestamp"
SIGNATURE = "Fleetflow-Signature"


class WebhookError(Exception):
    """A delivery that failed; the text shows no secret."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256 (RFC 2104), in hex, of timestamp, a dot, and body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


class WebhookNotifier:
    """Posts `{"events": […]}` to a URL; any answer but 2xx is a failure and is tried again.

    With a secret, the headers Fleetflow-Timestamp (seconds since 1970) and Fleetflow-Signature (`sign`) let
    the receiver know who wrote it and when. Certificates are verified; redirects are not followed; the
    environment's proxies are used.
    """

    name = "webhook"

    def __init__(self, url: str, secret: str = "", clock: Callable[[], float] = time.time) -> None:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"fleetflow/{__version__}",
        }
        if parts.username or parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._secret = secret
        self._clock = clock
        self._opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context())
        )

    def notify(self, events: Sequence[Event]) -> None:
        """Post the events in one request; raises WebhookError."""
        body = to_json({"events": [as_dict(event) for event in events]})
        headers = dict(self._headers)
        if self._secret:
            headers[TIMESTAMP] = str(int(self._clock()))
            headers[SIGNATURE] = sign(self._secret, headers[TIMESTAMP], body)
        request = urllib.request.Request(self._url, body, headers, method="POST")
        # the causes are not kept: their texts may hold the URL
        try:
            # the answer's body is of no interest: it is not read, however long it is
            self._opener.open(request, timeout=TIMEOUT_S).close()
        except HTTPError as error:
            error.close()
            raise WebhookError(f"it answered with status {error.code}") from None
        except URLError as error:
            reason = error.reason
            text = (
                reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
            )
            if isinstance(reason, ssl.SSLCertVerificationError):
                text = f"its certificate is not to be trusted: {reason.verify_message}"
            raise WebhookError(f"no connection: {text}") from None
        except (OSError, http.client.HTTPException) as error:
            raise WebhookError(f"the connection ended: {type(error).__name__}") from None

    def close(self) -> None:
        """Nothing to let go of: connections end with their request."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Turns a redirect into a failure: events go to the configured place and nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None
