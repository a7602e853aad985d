"""mlflow_server: the tracking server and trainings without one share one history."""

import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow.server.security_utils import is_allowed_host_header, should_block_cors_request
from mlflow_servers import start, wait_for
from raw_http import refuses_strangers
from training_fixtures import free_port, register_version

from framesearch.errors import InvalidSetting
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.training_process import _environment
from framesearch.settings import Settings
from mlflow_server.__main__ import check_port, command


@pytest.fixture(scope="module")
def served(tmp_path_factory, empty_database) -> Iterator[tuple[Registry, Registry, str]]:
    """The same home through its database and through a server; a version was registered before the server started."""
    home = tmp_path_factory.mktemp("served home")
    (home / "mlflow").mkdir()
    shutil.copy(empty_database, home / "mlflow")
    direct = Registry(Settings(home=home))
    direct.promote(register_version(direct), "first")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(home=home, mlflow_port=port, mlflow_tracking_uri=url)
    server = start(settings)
    try:
        wait_for(url, server)
        yield direct, Registry(settings), url
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) is not None
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "something still listens"


@pytest.mark.stack
def test_runs_made_with_and_without_the_server_are_one_history(served, tmp_path):
    direct, through_server, url = served
    champion = through_server.champion()
    assert champion.version == "1"
    assert champion.run_url.startswith(f"{url}/#/experiments/") and champion.run_id in champion.run_url
    assert Encoder(through_server.encoder_file("1")).digest == champion.encoder_sha256

    second = register_version(through_server, judged_against="1")
    through_server.promote(second, "second")
    assert direct.champion().version == second
    # Without what the server's client keeps in its cache:
    elsewhere = Registry(Settings(home=tmp_path / "elsewhere", mlflow_tracking_uri=direct.uri))
    assert Encoder(elsewhere.encoder_file(second)).digest == direct.champion().encoder_sha256

    # What the UI shows of a run is there, however the run was made.
    models = through_server.client.search_logged_models([through_server.experiment_id()])
    assert len(models) == 2
    for model in models:
        folder = f"{url}/ajax-api/2.0/mlflow/logged-models/{model.model_id}/artifacts/directories"
        listed = urllib.request.urlopen(f"{folder}?artifact_directory_path=extra_files").read()
        assert b"encoder.onnx" in listed
        assert '"name": "frame-encoder"' in model.tags["mlflow.modelVersions"]


@pytest.mark.stack
@pytest.mark.parametrize("path", ["/", "/health", "/version", "/ajax-api/2.0/mlflow/experiments/search?max_results=1"])
def test_it_answers_under_its_own_names_and_to_its_own_pages_only(served, path):
    _, _, url = served
    refuses_strangers(urlsplit(url).port, path)


def allowed(settings: Settings, option: str) -> list[str]:
    arguments = command(settings, {})
    return arguments[arguments.index(option) + 1].split(",")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_open_to_all_it_answers_to_every_name_of_this_machine_and_to_no_other(host):
    settings = Settings(host=host)
    hosts, origins = allowed(settings, "--allowed-hosts"), allowed(settings, "--cors-allowed-origins")
    own = {"localhost", "127.0.0.1", "[::1]", socket.gethostname(), socket.getfqdn()}
    own |= {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for name in own:
        assert is_allowed_host_header(hosts, name) and is_allowed_host_header(hosts, f"{name}:5000")
        assert not should_block_cors_request(f"http://{name}:8080", "POST", origins)
    for stranger in (
        "evil.example",
        "evil.example:5000",
        "192.0.2.1:5000",
        f"{socket.gethostname()}.evil.example:5000",
    ):
        assert not is_allowed_host_header(hosts, stranger)
        assert should_block_cors_request(f"http://{stranger}", "POST", origins)
    assert "0.0.0.0" not in hosts and "*" not in hosts


def test_on_one_address_it_answers_to_that_and_to_this_machine_itself():
    hosts = allowed(Settings(host="2001:db8::7"), "--allowed-hosts")
    assert is_allowed_host_header(hosts, "[2001:db8::7]:5000") and is_allowed_host_header(hosts, "localhost:5000")
    assert not is_allowed_host_header(hosts, f"{socket.gethostname()}:5000")


def test_a_port_in_use_is_named_before_anything_starts(fresh_settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"127.0.0.1:{port} .*FRAMESEARCH_MLFLOW_PORT"):
            check_port("127.0.0.1", port)
        settings = Settings(home=fresh_settings.home, mlflow_port=port)
        ended = subprocess.run(
            [sys.executable, "-m", "mlflow_server"], env=_environment(settings), capture_output=True, text=True
        )
        assert ended.returncode == 1 and "FRAMESEARCH_MLFLOW_PORT" in ended.stderr
        assert not settings.home.exists()


def test_database_and_artifacts_lie_in_the_home_unless_mlflows_own_variables_move_them(tmp_path):
    settings = Settings(home=tmp_path / "my home")
    at_home = command(settings, {})
    assert f"sqlite+pysqlite:///{tmp_path}/my home/mlflow/mlflow.db" in at_home
    assert (tmp_path / "my home/mlflow/artifacts").as_uri() in at_home and "--no-serve-artifacts" in at_home
    moved = command(
        settings,
        {"MLFLOW_BACKEND_STORE_URI": "postgresql://db/mlflow", "MLFLOW_ARTIFACTS_DESTINATION": "gs://bucket/mlflow"},
    )
    assert "postgresql://db/mlflow" in moved and "gs://bucket/mlflow" in moved and "--serve-artifacts" in moved
    assert not Path(settings.home).exists()
