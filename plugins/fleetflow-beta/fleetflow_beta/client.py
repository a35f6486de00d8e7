"""One HTTP request for one page, with every way in which it can fail told as one error."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from fleetflow_beta.address import HIDDEN, Address, follow, redact

CHUNK_BYTES = 64 * 1024
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PUBLIC_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

_wire = logging.getLogger("urllib3.connectionpool")


UNREADABLE = frozenset({"body", "too_large"})
"""Kinds of failure that one ping in the page may be to blame for."""


class FetchError(Exception):
    """A page that could not be had. `kind` is one word, `message` shows no secret.

    Kinds: `connect`, `timeout`, `tls`, `status`, `redirect`, `content_type`, `cut` (the connection ended
    in the body), `too_large`, `body` (not a JSON array) and `sequence` (sequences that were not asked for).
    """

    def __init__(
        self, kind: str, message: str, retry_after_s: float = 0.0, body: bytes | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s
        self.body = body


class Client:
    """Asks one service for pages, over one kept connection. Used by one thread, but for `abort`.

    Certificates are verified. The environment's proxies are used (HTTP_PROXY, HTTPS_PROXY, NO_PROXY),
    never for a service on this machine; its certificate bundles too (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE),
    unless `ca_file` is given; `.netrc` is not read, because it would replace the configured credentials.
    """

    def __init__(
        self,
        address: Address,
        *,
        authorization: str = "",
        ca_file: Path | None = None,
        connect_timeout_s: float = 5.0,
        timeout_s: float = 30.0,
        page_timeout_s: float = 120.0,
        max_page_bytes: int = 64 * 1024 * 1024,
        environment: Callable[[str], str | None] = lambda name: None,
    ) -> None:
        self._address = address
        self._timeout = (connect_timeout_s, timeout_s)
        self._page_timeout_s = page_timeout_s
        self._max_page_bytes = max_page_bytes
        bundles = filter(None, map(environment, PUBLIC_CA_VARIABLES))
        self._verify: bool | str = str(ca_file) if ca_file else next(bundles, True)
        self._proxies = {} if address.loopback else dict(get_environ_proxies(address.url))
        self._socket: socket.socket | None = None
        self._started: float | None = None
        self._late = False
        self._closed = False
        self._answers = 0
        self._requests: dict[str, requests.PreparedRequest] = {}
        self.reconnected = False
        """Whether the last page came over another connection than those before, which was kept till then."""
        self._filter = _Filter(self._scrubbed)
        self._session = session = requests.Session()
        session.trust_env = False
        adapter = _Adapter(self._connected)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"fleetflow-beta/{_version()}",
            }
        )
        if address.auth is not None:
            authorization = "Basic " + b64encode(":".join(address.auth).encode()).decode()
        if authorization:
            session.headers["Authorization"] = authorization
        # the whole value, and what follows its scheme ("Bearer ...")
        own = [authorization, *authorization.split()[1:]]
        self._secrets = tuple(filter(None, (*own, *address.secrets)))
        # the URL's own secrets stand in the lines that urllib3 writes at DEBUG
        if self._secrets:
            _wire.addFilter(self._filter)

    def __repr__(self) -> str:
        return f"Client({self._address.resource})"

    def get(self, since: int, limit: int) -> bytes:
        """Return the body for `since` and `limit`, uncompressed; raises FetchError."""
        self._late = False
        self._started = time.monotonic()
        kept, self.reconnected = self._answers > 1, False
        try:
            try:
                with self._explained():
                    return self._get(since, limit)
            except FetchError as error:
                # a service may close a kept connection at any time, also while we ask: that is no failure
                if error.kind != "connect" or not self._answers or self._closed or self._late:
                    raise
                self._answers = 0
            with self._explained():
                return self._get(since, limit)
        finally:
            self._started = None
            self.reconnected = kept and self._answers <= 1

    def abort_when_late(self) -> None:
        """End the request under way when it takes longer than `page_timeout_s`. From any thread."""
        started = self._started
        if started is not None and time.monotonic() - started > self._page_timeout_s:
            self._late = True
            self._shut()

    def abort(self) -> None:
        """End the request under way, and let no other one begin. From any thread."""
        self._closed = True
        self._shut()

    def close(self) -> None:
        """Let go of the connection. From the thread that asked."""
        self._session.close()
        _wire.removeFilter(self._filter)

    def _get(self, since: int, limit: int) -> bytes:
        request = self._prepared(self._address.url, {"since": str(since), "limit": str(limit)})
        for _ in range(MOST_REDIRECTS + 1):
            with self._session.send(
                request,
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            ) as response:
                self._answers += 1
                self._must_be_in_time()
                if response.status_code not in REDIRECTS:
                    return self._body(response)
                location = response.headers.get("Location", "")
                if not location:
                    raise FetchError("redirect", "it redirects without saying where to")
                target = follow(response.url or request.url or "", location)
                if target is None:
                    raise FetchError(
                        "redirect",
                        f"it redirects to {self._scrubbed(redact(location))[:200]}, which is not the same "
                        "host, and is not followed; when that is right, configure it as [beta] url",
                    )
                # the place that a redirect names has the query in it already
                request = self._prepared(target, {})
        raise FetchError("redirect", f"it redirects more than {MOST_REDIRECTS} times")

    def _prepared(self, url: str, query: Mapping[str, str]) -> requests.PreparedRequest:
        """Return a request. Making one takes as long as sending it, so that one is kept.

        A cookie that the service has set, perhaps to be told by it what it told before, goes into a new one.
        """
        if self._session.cookies or url not in self._requests:
            self._requests = {url: self._session.prepare_request(requests.Request("GET", url))}
        request = self._requests[url].copy()
        if query:
            separator = "&" if "?" in (request.url or "") else "?"
            request.url = f"{request.url}{separator}{urlencode(query)}"
        return request

    def _body(self, response: requests.Response) -> bytes:
        if response.status_code != HTTPStatus.OK:
            raise FetchError(
                "status",
                f"it answered with status {_status(response.status_code)}",
                _seconds(response.headers.get("Retry-After", "")),
            )
        given = response.headers.get("Content-Type", "")
        media_type = given.partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            shown = self._scrubbed(repr(given[:100])) if given else "no content type"
            raise FetchError("content_type", f"application/json was expected, found {shown}")
        chunks: list[bytes] = []
        size = 0
        raw: urllib3.HTTPResponse = response.raw
        while chunk := raw.read1(CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > self._max_page_bytes:
                raise FetchError("too_large", f"the page has more than {self._max_page_bytes} bytes")
            chunks.append(chunk)
        self._must_be_in_time()
        return b"".join(chunks)

    def _must_be_in_time(self) -> None:
        # a socket that was shut ends what is read from it, which can look like a whole answer
        if self._closed or self._late:
            raise FetchError("timeout", f"the page took more than {self._page_timeout_s:g} s")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        # none of the library's errors is kept as a cause: their texts hold the URL with its secrets
        try:
            yield
        except FetchError:
            raise
        except (requests.RequestException, HTTPError, OSError) as error:
            kind, message = self._explain(error)
            raise FetchError(kind, self._scrubbed(message)) from None

    def _explain(self, error: Exception) -> tuple[str, str]:  # noqa: PLR0911 - one line per way to fail
        if self._late:
            return "timeout", f"the page took more than {self._page_timeout_s:g} s"
        if isinstance(error, requests.ConnectTimeout):
            return "timeout", f"no connection within {self._timeout[0]:g} s"
        if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
            return "timeout", f"no byte within {self._timeout[1]:g} s"
        reason = _reason(error)
        if isinstance(error, requests.exceptions.SSLError | ssl.SSLError):
            return "tls", f"its TLS connection is not to be trusted: {reason}"
        if isinstance(error, DecodeError | requests.exceptions.ContentDecodingError):
            return "cut", "its compressed body is damaged"
        if isinstance(error, HTTPError | requests.exceptions.ChunkedEncodingError):
            return "cut", f"the connection ended in the body ({reason})"
        if isinstance(error, requests.exceptions.ProxyError):
            return "connect", f"the proxy cannot be used: {reason}"
        return "connect", f"no connection: {reason}"

    def _scrubbed(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _connected(self, sock: socket.socket | None) -> None:
        self._socket = sock
        self._answers = 0
        if self._closed or self._late:
            self._shut()

    def _shut(self) -> None:
        sock = self._socket
        if sock is not None:
            # not SSLSocket's own shutdown: it takes the TLS state from under the thread that reads
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Filter(logging.Filter):
    def __init__(self, scrub: Callable[[str], str]) -> None:
        super().__init__()
        self._scrub = scrub

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._scrub(record.getMessage()), None
        return True


class _Adapter(HTTPAdapter):
    """Tells which socket is in use, so that another thread can end a slow request by shutting it."""

    def __init__(self, connected: Callable[[socket.socket | None], None]) -> None:
        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                connected(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                connected(self.sock)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools: dict[str, Any] = {"http": PlainPool, "https": SecurePool}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _reason(error: BaseException) -> str:
    """Find in an error of requests or urllib3 what the system said, without the URL around it."""
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(seen) < 20:
        found = queue.pop(0)
        if not isinstance(found, BaseException) or found in seen:
            continue
        seen.append(found)
        if isinstance(found, ssl.SSLCertVerificationError):
            return found.verify_message
        if isinstance(found, ssl.SSLError):
            return found.reason or "the handshake failed"
        if isinstance(found, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(found, OSError) and found.strerror and not isinstance(found, requests.RequestException):
            return found.strerror
        queue += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]
    return type(seen[-1]).__name__


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _version() -> str:
    try:
        return version("fleetflow-beta")
    except PackageNotFoundError:
        return "0"
