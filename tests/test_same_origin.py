"""Who may talk to our servers: the rule itself, then Airflow's real application within it.

The page, MLflow and the demo feed are asked over real connections in their own tests.
"""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from airflow_fixtures import airflow_db, dag_bag  # noqa: F401

from framesearch.errors import InvalidSetting
from framesearch.same_origin import SameOrigin, served_names
from framesearch.settings import Settings, load_settings

NAMES = ["localhost", "127.0.0.1", "::1", "frames.example", "bücher.example"]


async def _application(scope, receive, send) -> None:
    """Says yes to everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    headers = [(b"X-Frame-Options", b"ALLOWALL"), (b"content-security-policy", b"default-src 'self'")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"yes"})


def asked(app: Any, *headers: tuple[str, str], method: str = "GET", path: str = "/", kind: str = "http") -> list[Any]:
    """What an ASGI application sends in answer to a request with exactly these headers."""
    sent: list[Any] = []
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }

    async def send(message) -> None:
        sent.append(message)

    async def talk() -> None:
        answered = asyncio.Event()

        async def receive() -> Any:
            if not answered.is_set():
                answered.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.sleep(30)
            return {"type": "http.disconnect"}

        await app(scope, receive, send)

    asyncio.run(talk())
    return sent


def status(app: Any, *headers: tuple[str, str], **request: str) -> int:
    return asked(app, *headers, **request)[0]["status"]


def opens(app: Any, *headers: tuple[str, str]) -> bool:
    return asked(app, *headers, kind="websocket")[0]["type"] == "websocket.accept"


@pytest.fixture
def guarded() -> SameOrigin:
    return SameOrigin(_application, names=NAMES)


# ---- the host that was called


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8080",
        "localhost",
        "LocalHost:8080",
        "localhost.:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "[0:0:0:0:0:0:0:1]:8080",
        "localhost:9999",  # a forwarded port
        "frames.example",
        "Frames.Example.:443",
        "xn--bcher-kva.example",
    ],
)
def test_answers_to_its_own_names_however_they_are_written(guarded: SameOrigin, host: str):
    assert status(guarded, ("Host", host)) == 200
    assert status(guarded, ("Host", host), method="POST") == 200
    assert opens(guarded, ("Host", host))


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"],
        ["evil.example:8080"],
        ["localhost.evil.example:8080"],
        ["evil-localhost:8080"],
        ["127.0.0.1.evil.example"],
        ["127.0.0.2:8080"],
        ["127.1:8080"],
        ["2130706433:8080"],
        ["[::2]:8080"],
        ["::1"],
        ["[::1"],
        ["localhost%.evil.example"],
        ["localhost%25:8080"],
        ["localhost@evil.example"],
        ["evil.example@localhost:8080"],
        ["localhost:8080/x"],
        ["localhost:port"],
        ["localhost:99999"],
        ["local\thost"],
        ["localhost..:8080"],
        ["."],
        [""],
        [],
        ["localhost:8080", "localhost:8080"],
        ["localhost:8080", "evil.example"],
        ["localhost:8080, evil.example"],
        ["*"],
        ["null"],
    ],
)
def test_refuses_every_other_host(guarded: SameOrigin, hosts: list[str]):
    headers = [("Host", host) for host in hosts]
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        assert status(guarded, *headers, method=method) == 400
    assert not opens(guarded, *headers)


def test_a_forwarded_host_is_no_host(guarded: SameOrigin):
    assert status(guarded, ("Host", "evil.example"), ("X-Forwarded-Host", "localhost")) == 400
    assert status(guarded, ("Host", "evil.example"), ("Forwarded", "host=localhost")) == 400


def test_says_how_a_name_is_added(guarded: SameOrigin):
    start, body = asked(guarded, ("Host", "evil.example"))
    assert b"FRAMESEARCH_ALLOWED_HOSTS" in body["body"]
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert asked(guarded, ("Host", "evil.example"), method="HEAD")[1]["body"] == b""


# ---- the page that asks


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("LOCALHOST:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("frames.example", "https://frames.example"),  # behind a proxy that ends TLS
        ("frames.example:8443", "https://frames.example:8443"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_its_own_pages_may_do_everything(guarded: SameOrigin, host: str, origin: str, method: str):
    headers = [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", "same-origin"), ("Referer", f"{origin}/dags?x=1")]
    assert status(guarded, *headers, method=method) == 200
    assert opens(guarded, *headers)


@pytest.mark.parametrize(
    "origins",
    [
        ["http://evil.example"],
        ["http://evil.example:8080"],
        ["http://localhost:9999"],  # another server of this machine
        ["http://localhost"],
        ["https://localhost"],
        ["http://127.0.0.1:8080"],  # this very server under its other name, which is another origin
        ["http://[::1]:8080"],
        ["http://localhost:8080.evil.example"],
        ["http://localhost.evil.example:8080"],
        ["null"],
        [""],
        ["file://"],
        ["chrome-extension://localhost:8080"],
        ["localhost:8080"],
        ["http://"],
        ["http://localhost:8080 http://evil.example"],
        ["http://localhost:port"],
        ["http://localhost:8080", "http://localhost:8080"],
        ["http://localhost:8080", "http://evil.example"],
    ],
)
def test_no_other_page_may_do_anything(guarded: SameOrigin, origins: list[str]):
    headers = [("Host", "localhost:8080"), *(("Origin", origin) for origin in origins)]
    for method in ("POST", "PUT", "PATCH", "DELETE", "BREW", "GET"):
        assert status(guarded, *headers, method=method) == 403
        assert status(guarded, *headers, ("Content-Length", "0"), method=method) == 403
    assert not opens(guarded, *headers)


@pytest.mark.parametrize(
    "header",
    [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),  # localhost under another port
        ("Referer", "http://evil.example/page"),
        ("Referer", "http://localhost:9999/"),
        ("Referer", "http://localhost:8080.evil.example/"),
    ],
)
def test_a_browser_that_tells_no_origin_tells_it_otherwise(guarded: SameOrigin, header: tuple[str, str]):
    assert status(guarded, ("Host", "localhost:8080"), header, method="POST") == 403
    assert not opens(guarded, ("Host", "localhost:8080"), header)
    # Whoever follows a link from elsewhere only reads.
    assert status(guarded, ("Host", "localhost:8080"), header) == 200


def test_what_a_person_types_in_is_their_own(guarded: SameOrigin):
    assert status(guarded, ("Host", "localhost:8080"), ("Sec-Fetch-Site", "none"), method="POST") == 200


# ---- frames


@pytest.mark.parametrize("host", ["localhost:8080", "evil.example"])
def test_no_other_page_may_frame_it(guarded: SameOrigin, host: str):
    headers = asked(guarded, ("Host", host))[0]["headers"]
    assert [value for name, value in headers if name.lower() == b"x-frame-options"] == [b"SAMEORIGIN"]
    policies = [value for name, value in headers if name == b"content-security-policy"]
    assert policies[-1] == b"frame-ancestors 'self'"
    assert host == "evil.example" or policies[0] == b"default-src 'self'"  # the application's own stays


# ---- which names


def test_on_loopback_it_answers_to_the_names_of_loopback_only():
    assert served_names(Settings()) == ["localhost", "127.0.0.1", "::1"]


def test_open_to_all_it_answers_to_every_name_of_this_machine():
    names = served_names(Settings(host="0.0.0.0"))
    assert socket.gethostname().lower() in names
    assert {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} <= set(names)
    assert "0.0.0.0" not in names and "" not in names and "*" not in names


def test_on_one_address_it_answers_to_that_and_to_this_machine_itself():
    assert served_names(Settings(host="2001:DB8::7")) == ["localhost", "127.0.0.1", "::1", "2001:db8::7"]


def test_further_names_are_added_by_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMESEARCH_ALLOWED_HOSTS", "Frames.example  192.0.2.7 [2001:db8::1] bücher.example")
    names = served_names(load_settings())
    assert names[3:] == ["frames.example", "192.0.2.7", "2001:db8::1", "xn--bcher-kva.example"]


@pytest.mark.parametrize("name", ["https://frames.example", "frames.example:443", "frames.example/x", "*", "a,b"])
def test_what_is_no_name_is_told(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("FRAMESEARCH_ALLOWED_HOSTS", name)
    with pytest.raises(InvalidSetting, match="FRAMESEARCH_ALLOWED_HOSTS"):
        load_settings()


# ---- Airflow's own application


@pytest.fixture(scope="module")
def airflow(dag_bag: Any) -> Iterator[Any]:
    """The API server's application as `airflow api-server` makes it, on loopback, where nobody is asked for a login."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from airflow.configuration import conf

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        assert conf.getboolean("core", "simple_auth_manager_all_admins")
        purge_cached_app()
        yield create_app()
        purge_cached_app()


EVERY_PART = (
    "/ /auth/token /auth/token/login /api/v2/version /api/v2/monitor/health /docs /static/x /execution/health "
    "/ui/config /openapi.json /nothing/here"
).split()


@pytest.mark.parametrize("path", EVERY_PART)
def test_no_part_of_airflow_answers_to_a_foreign_name(airflow: Any, path: str):
    for method in ("GET", "POST"):
        assert status(airflow, ("Host", "evil.example:8080"), method=method, path=path) == 400
        foreign = ("Origin", "http://evil.example")
        assert status(airflow, ("Host", "localhost:8080"), foreign, method=method, path=path) == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST.:8080"])
def test_airflow_answers_to_its_own_names(airflow: Any, host: str):
    assert status(airflow, ("Host", host), path="/auth/token") == 201
    assert status(airflow, ("Host", host), path="/api/v2/dags") == 200
    assert status(airflow, ("Host", host), path="/execution/health") == 200
    start = asked(airflow, ("Host", host), path="/")[0]
    assert start["status"] == 200
    assert (b"x-frame-options", b"SAMEORIGIN") in start["headers"]


def test_only_airflows_own_pages_run_dags(airflow: Any):
    run = {"method": "POST", "path": "/api/v2/dags/no_such_dag/clearTaskInstances"}
    unheard = status(airflow, ("Host", "localhost:8080"), **run)
    assert unheard not in (400, 401, 403)  # a program is listened to: its request has no body, or names no DAG
    assert status(airflow, ("Host", "localhost:8080"), ("Origin", "http://localhost:8080"), **run) == unheard
    for origin in ("http://evil.example", "http://localhost:8081", "http://127.0.0.1:8080", "null"):
        assert status(airflow, ("Host", "localhost:8080"), ("Origin", origin), **run) == 403
    assert status(airflow, ("Host", "localhost:8080"), ("Sec-Fetch-Site", "same-site"), **run) == 403
