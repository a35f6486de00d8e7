import pytest
from fleetflow_beta.address import follow, parse, redact


def test_credentials_are_kept_apart_from_the_resource() -> None:
    address = parse("HTTP://ann:p%40ss@Example.COM:8080/pings?fleet=a")
    assert address.resource == "http://example.com:8080/pings?fleet=a"
    assert address.url == address.resource
    assert address.auth == ("ann", "p@ss")
    assert {"p@ss", "p%40ss", "ann"} <= set(address.secrets)
    assert "p@ss" not in repr(address)


def test_secret_members_of_the_query_are_hidden() -> None:
    address = parse("https://h/p?fleet=a&api_key=s%20cret&x=1")
    assert address.resource == "https://h/p?fleet=a&api_key=***&x=1"
    assert address.url == "https://h/p?fleet=a&api_key=s%20cret&x=1"
    assert {"s cret", "s%20cret"} <= set(address.secrets)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pings",
        "ftp://h/x",
        "http://",
        "http://h:99999/",
        "http://h/?since=3",
        "http://h/?limit=3",
        "http://[h/",
    ],
)
def test_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse(url)


@pytest.mark.parametrize("url", ["ftp://ann:hunter2@h/x", "http://ann:hunter2@h/?since=1", "x?token=hunter2"])
def test_url_is_redacted_even_when_it_cannot_be_used(url: str) -> None:
    assert "hunter2" not in redact(url)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost/", True),
        ("http://a.localhost/", True),
        ("http://127.8.8.8:80/", True),
        ("http://[::1]/", True),
        ("http://localhost.example.com/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_service_on_this_machine_is_recognised(url: str, loopback: bool) -> None:
    assert parse(url).loopback is loopback


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other?since=1", "http://h:80/other?since=1"),
        ("http://h/x", "http://h/x"),
        ("https://h/x", "https://h/x"),
        ("http://h:81/x", None),
        ("http://evil/x", None),
        ("//evil/x", None),
        ("http://ann@h/x", None),
        ("ftp://h/x", None),
        ("http://h:xx/", None),
    ],
)
def test_redirects_are_followed_on_the_same_host_only(location: str, target: str | None) -> None:
    assert follow("http://h:80/pings", location) == target


def test_redirect_from_https_to_http_is_refused() -> None:
    assert follow("https://h/pings", "http://h/pings") is None
