"""What must stay secret, and whom a reader talks to."""

import logging
import pickle
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from beta_service import Handler, Service, content, hang_up, reading, settings, status, wait_for
from fleetflow_beta.address import parse
from fleetflow_beta.client import Client, FetchError
from fleetflow_beta.source import BetaSource

SECRET = "hunter2-hunter2"


def echo(handler: Handler, since: int, limit: int) -> None:
    """Answer with everything that was asked, in places that may end up in a message."""
    handler.answer(b"{", 200, f"text/{SECRET}", Location=handler.path, Retry_After=SECRET)


def redirect(location: str) -> object:
    return status(302, Location=location)


@pytest.mark.parametrize("where", ["authorization", "password", "query"])
@pytest.mark.parametrize(
    "fault",
    [
        status(401),
        hang_up,
        echo,
        redirect(f"http://elsewhere.invalid/{SECRET}"),
        redirect(f"http://u:{SECRET}@elsewhere.invalid/x?token={SECRET}"),
        content(b"[}"),
    ],
    ids=["status", "hang_up", "echo", "redirect", "redirect_with_credentials", "body"],
)
def test_secret_is_shown_nowhere(
    service: Service, where: str, fault: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url, changes = service.url, {}
    if where == "authorization":
        changes["authorization"] = f"Bearer {SECRET}"
    elif where == "password":
        url = url.replace("//", f"//ann:{SECRET}@")
    else:
        url += f"?token={SECRET}&fleet=7"
    service.add(3)
    service.faults += [fault] * 3  # type: ignore[list-item]
    with reading(url, **changes) as reader:
        reader.until(lambda: len(reader.elements) == 3)
        reader.until(lambda: reader.notices("recovered") or fault is hang_up)
        shown = [repr(reader.emissions), repr(reader.partition.position())]
        shown += [repr(thing) for thing in (settings(url, **changes), reader.partition)]
        shown += [repr(vars(fetcher)) for fetcher in reader.partition._fetchers]
        stored = pickle.dumps(reader.partition.position())
    shown += [f"{r.name} {r.getMessage()} {r.__dict__}" for r in caplog.records]
    shown += [repr(parse(url))]
    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in stored
    assert any(record.name == "urllib3.connectionpool" for record in caplog.records)
    if where == "query":
        assert SECRET in service.paths[-1]
        assert reader.payloads[0].resource == f"{service.url}?token=***&fleet=7"
    else:
        assert service.headers[-1]["Authorization"].startswith(("Bearer", "Basic"))
        assert reader.payloads[0].resource == service.url


def test_own_credentials_of_a_url_come_before_the_common_ones(service: Service) -> None:
    with reading(service.url.replace("//", "//ann:pw@"), authorization="Bearer common"):
        wait_for(lambda: service.requests)
    assert service.headers[0]["Authorization"] == "Basic YW5uOnB3"


def test_netrc_is_not_used(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login ann password pw\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with reading(service.url, authorization="Bearer mine"):
        wait_for(lambda: service.requests)
    assert service.headers[0]["Authorization"] == "Bearer mine"


def test_redirect_on_the_same_host_is_followed(service: Service) -> None:
    service.add(3)
    service.faults.append(
        lambda handler, since, limit: handler.answer(
            b"", 307, Location=handler.path.replace("/pings", "/v2/pings")
        )
    )
    with reading(service.url, authorization="Bearer mine") as reader:
        reader.until(lambda: len(reader.elements) == 3)
    assert service.paths[1].startswith("/v2/pings?since=-1&limit=")
    assert service.headers[1]["Authorization"] == "Bearer mine"
    assert reader.notices() == []


def test_another_host_is_not_asked(service: Service) -> None:
    other = Service()
    try:
        other.add(3)
        service.always = lambda handler, since, limit: handler.answer(b"", 302, Location=other.url)
        with reading(service.url, authorization="Bearer mine") as reader:
            reader.until(lambda: reader.notices("error"))
        assert "is not followed" in reader.notices("error")[0].message
        assert other.url in reader.notices("error")[0].message
        assert other.requests == []
    finally:
        other.stop()


def test_local_service_is_asked_directly_and_others_through_the_proxy(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    service.add(1)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{service.port}")
    with reading("http://elsewhere.invalid/pings") as reader:
        reader.until(lambda: reader.payloads)
    assert service.paths[-1].startswith("http://elsewhere.invalid/pings?")


def test_credentials_without_encryption_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with reading("http://ann:pw@elsewhere.invalid/pings"):
        assert any("not encrypted" in record.getMessage() for record in caplog.records)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Service]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    service = Service(context)
    yield service
    service.stop()


def test_service_with_a_trusted_certificate_is_read(
    secure: Service, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    secure.add(3)
    with reading(secure.url, ca_file=tmp_path / "ca.pem") as reader:
        reader.until(lambda: len(reader.elements) == 3)
    assert reader.notices() == []


def test_environment_names_trusted_certificates_too(
    secure: Service, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    secure.add(3)
    with reading(secure.url) as reader:
        reader.until(lambda: len(reader.elements) == 3)


def test_service_with_a_certificate_of_its_own_is_not_read(secure: Service) -> None:
    secure.add(3)
    with reading(secure.url, authorization=f"Bearer {SECRET}") as reader:
        reader.until(lambda: reader.notices("error"))
    (error,) = reader.notices("error")
    assert error.data["error"] == "tls"
    assert "not to be trusted" in error.message
    assert secure.requests == []


def test_certificate_of_another_host_is_not_trusted(
    secure: Service, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with reading(secure.url.replace("localhost", "127.0.0.1"), ca_file=tmp_path / "ca.pem") as reader:
        reader.until(lambda: reader.notices("error"))
    assert reader.notices("error")[0].data["error"] == "tls"


def test_upgrade_to_https_on_the_same_host_is_followed(
    service: Service, secure: Service, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    secure.add(3)
    service.always = lambda handler, since, limit: handler.answer(
        b"", 308, Location=f"https://localhost:{secure.port}{handler.path}"
    )
    with reading(service.url, ca_file=tmp_path / "ca.pem") as reader:
        reader.until(lambda: len(reader.elements) == 3)
    assert reader.notices() == []


def test_slow_tls_request_is_ended_by_close(secure: Service, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    secure.always = lambda handler, since, limit: wait_for(lambda: stopped)
    stopped: list[int] = []
    with reading(secure.url, ca_file=tmp_path / "ca.pem", timeout_s=60) as reader:
        wait_for(lambda: secure.requests)
        thread = reader.partition._fetchers[0]._thread
    stopped.append(1)
    assert not thread.is_alive()


def test_error_of_a_request_keeps_no_cause_that_shows_the_url() -> None:
    client = Client(parse(f"http://localhost:9/pings?token={SECRET}"))
    with pytest.raises(FetchError) as caught:
        client.get(-1, 1)
    client.close()
    assert caught.value.__suppress_context__
    assert SECRET not in caught.value.message
    assert SECRET not in repr(client)


def test_source_shows_no_secret() -> None:
    source = BetaSource(settings(f"http://ann:{SECRET}@localhost:9/", authorization=SECRET))
    assert SECRET not in repr(source) + repr(vars(source))
