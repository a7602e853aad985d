"""The client of Airflow's API: what it does where Airflow does not answer as it should."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from embedded_stack.airflow_api import AirflowApi, AirflowRefused, AirflowUnreachable


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class _Airflow(BaseHTTPRequestHandler):
    """Hands out tokens that expire after two requests, and is locked for the first one."""

    tokens = asked = 0

    def do_GET(self) -> None:
        kind = type(self)
        if self.path == "/auth/token":
            kind.tokens += 1
            self._answer(200, b'{"access_token": "%d"}' % kind.tokens)
            return
        kind.asked += 1
        if kind.asked == 1:
            self._answer(500, b"database is locked")
        elif self.headers["Authorization"] != f"Bearer {1 + kind.asked // 4}":
            self._answer(401, b"expired")
        else:
            self._answer(200, b'{"dags": [{"dag_id": "a"}]}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_silent_server_is_not_waited_for_for_ever(silent: str) -> None:
    """Also by the request for a token, which is the first one."""
    api = AirflowApi(silent)
    api._client.timeout = 0.3
    with pytest.raises(AirflowUnreachable, match=silent):
        api.known_dags()


def test_a_locked_database_is_tried_again_and_an_expired_token_renewed() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Airflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
        assert [api.known_dags() for _ in range(3)] == [{"a"}] * 3
        assert _Airflow.tokens == 2
    finally:
        server.shutdown()


def test_a_refusal_says_what_was_refused() -> None:
    class Refusing(_Airflow):
        def do_GET(self) -> None:
            self._answer(403, b"not you")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(AirflowRefused, match="403 not you") as refused:
            AirflowApi(f"http://127.0.0.1:{server.server_port}").known_dags()
        assert refused.value.status == 403
    finally:
        server.shutdown()
