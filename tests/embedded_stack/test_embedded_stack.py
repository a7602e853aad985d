"""`make up` and `make down`: processes that are found again, ports told beforehand, secrets kept, settings in step."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import uvicorn
from dotenv import dotenv_values
from generated_videos import draw_video
from raw_http import refuses_strangers
from rich.console import Console

from embedded_stack import demo_feed, environment, playlists
from embedded_stack.airflow_api import AirflowApi
from embedded_stack.components import Component, components
from embedded_stack.dag_runs import DAGS
from embedded_stack.errors import PlaylistMissing, PortTaken, StackBusy
from embedded_stack.ports import check_ports, is_free
from embedded_stack.processes import Processes
from embedded_stack.progress import Progress, Row
from framesearch.backends import open_catalogue, open_storage
from framesearch.jobs.build_index import current_build
from framesearch.records import PlaylistListing
from framesearch.settings import CONFIG_FILE, Settings
from framesearch.sources.addresses import normalise

ROOT = Path(__file__).resolve().parents[2]

# A server that starts a helper, as schedulers start workers; both say when they are there.
SERVER = """
import subprocess, sys, time, pathlib
pathlib.Path(sys.argv[1]).write_text(str(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).pid))
time.sleep(300)
"""
# As above, but the helper leaves the session of its parent.
SERVER_WITH_RUNAWAY = SERVER.replace('time.sleep(300)"])', 'time.sleep(300)"], start_new_session=True)')
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


# ---- processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.stop(list(found.records()), grace_s=0)


def started(processes: Processes, tmp_path: Path, program: str = SERVER) -> tuple[psutil.Process, psutil.Process]:
    """A component and its helper, both running."""
    note = tmp_path / "helper"
    record = processes.start("server", [sys.executable, "-c", program, str(note)], os.environ)
    deadline = time.monotonic() + 20
    while not (note.is_file() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return psutil.Process(record.pid), psutil.Process(int(note.read_text()))


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_started_component_is_found_by_a_later_command(processes: Processes, tmp_path: Path):
    server, _ = started(processes, tmp_path)
    assert Processes(tmp_path).running("server").pid == server.pid
    assert Processes(tmp_path / "elsewhere").running("server") is None


def test_a_component_outlives_the_command_that_started_it_and_its_terminal(processes: Processes, tmp_path: Path):
    server, _ = started(processes, tmp_path)
    assert os.getsid(server.pid) == server.pid != os.getsid(0)


def test_stopping_leaves_nothing_of_it(processes: Processes, tmp_path: Path):
    server, helper = started(processes, tmp_path)
    processes.stop(["server"], grace_s=1)
    assert not is_alive(server)
    assert not is_alive(helper)
    assert processes.records() == {}


def test_what_outlives_a_killed_component_is_found_and_stopped(processes: Processes, tmp_path: Path):
    server, helper = started(processes, tmp_path)
    server.kill()
    server.wait()
    assert processes.running("server") is None
    assert [process.pid for process in processes.leftovers("server")] == [helper.pid]
    processes.stop(["server"], grace_s=0)
    assert not is_alive(helper)


def test_what_left_the_session_is_found_and_stopped(processes: Processes, tmp_path: Path):
    server, runaway = started(processes, tmp_path, SERVER_WITH_RUNAWAY)
    assert os.getsid(runaway.pid) != server.pid
    processes.stop(["server"], grace_s=0)
    assert not is_alive(runaway)


def test_a_component_that_will_not_stop_is_ended(processes: Processes):
    record = processes.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)
    time.sleep(0.3)
    processes.stop(["stubborn"], grace_s=0.3)
    assert processes.running("stubborn") is None
    assert not psutil.pid_exists(record.pid)


def test_a_stranger_who_got_the_number_of_a_dead_component_is_left_alone(processes: Processes, tmp_path: Path):
    server, helper = started(processes, tmp_path)
    file = tmp_path / "run" / "server.json"
    server.kill()
    helper.kill()
    server.wait()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    try:
        record = json.loads(file.read_text())
        file.write_text(json.dumps(record | {"pid": stranger.pid, "created": record["created"] - 60}))
        assert processes.running("server") is None
        processes.stop(["server"], grace_s=0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_home_never_touches_the_first(processes: Processes, tmp_path: Path):
    server, helper = started(processes, tmp_path)
    other = Processes(tmp_path / "other")
    other.stop(["server"], grace_s=0)
    assert is_alive(server)
    assert is_alive(helper)


def test_a_damaged_record_is_as_good_as_none(processes: Processes, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "server.json").write_text('{"name": "server", "pi')
    assert processes.running("server") is None


def test_of_two_commands_at_once_one_waits(processes: Processes, tmp_path: Path):
    with processes.locked(), pytest.raises(StackBusy, match=re.escape(str(tmp_path))), Processes(tmp_path).locked():
        pass
    with Processes(tmp_path).locked():
        pass


def test_the_lock_of_a_killed_command_is_free(tmp_path: Path):
    program = (
        "import sys, time, pathlib; from embedded_stack.processes import Processes\n"
        "with Processes(pathlib.Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)
    with Processes(tmp_path).locked():
        pass


# ---- ports


def server_of(port: int, setting: str = "FRAMESEARCH_MLFLOW_PORT", title: str = "MLflow") -> Component:
    return Component(title.lower(), title, ("nothing",), lambda: False, port, setting)


def test_a_taken_port_is_told_with_its_holder_and_the_setting_to_change():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        with pytest.raises(
            PortTaken, match=rf"{port}, which MLflow.*process {os.getpid()}.*FRAMESEARCH_MLFLOW_PORT=\d"
        ):
            check_ports("127.0.0.1", [server_of(port)])
    check_ports("127.0.0.1", [server_of(port)])


def test_one_port_for_two_servers_is_told():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(PortTaken, match="both Airflow and MLflow"):
        check_ports("127.0.0.1", [server_of(port, "FRAMESEARCH_AIRFLOW_PORT", "Airflow"), server_of(port)])


def test_up_starts_nothing_where_a_port_is_taken(tmp_path: Path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        ended = stack_command("up", str(ROOT / "tests"), home=tmp_path, FRAMESEARCH_PAGE_PORT=str(port))
    assert ended.returncode == 1
    assert f"port {port}" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert Processes(tmp_path).records() == {}


def stack_command(*arguments: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded_stack", *arguments],
        cwd=ROOT,
        env={**os.environ, "FRAMESEARCH_HOME": str(home), **settings},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_down_of_what_never_ran_says_so(tmp_path: Path):
    ended = stack_command("down", home=tmp_path)
    assert ended.returncode == 0
    assert "nothing" in ended.stdout


def test_a_wrong_setting_is_one_clear_line(tmp_path: Path):
    ended = stack_command("up", home=tmp_path, FRAMESEARCH_AIRFLOW_PORT="80800")
    assert ended.returncode == 1
    assert "FRAMESEARCH_AIRFLOW_PORT" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


# ---- environment and secrets


def test_secrets_are_made_once_and_for_their_owner_only(fresh_settings: Settings):
    first = environment.stack_environment(fresh_settings)
    again = environment.stack_environment(fresh_settings)
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"):
        assert len(first[name]) >= 44
        assert first[name] == again[name]
    folder = fresh_settings.home / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_two_homes_have_secrets_of_their_own(tmp_path: Path):
    one, other = (environment.stack_environment(Settings(home=tmp_path / name)) for name in ("one", "other"))
    assert one["AIRFLOW__API_AUTH__JWT_SECRET"] != other["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert one["AIRFLOW_HOME"] != other["AIRFLOW_HOME"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_only_this_machine_gets_in_without_a_login(fresh_settings: Settings, host: str):
    settings = fresh_settings.model_copy(update={"host": host})
    assert environment.airflow_login(settings) is None
    assert environment.stack_environment(settings)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "a-machine.example"])
def test_whoever_comes_from_elsewhere_needs_the_generated_password(fresh_settings: Settings, host: str):
    settings = fresh_settings.model_copy(update={"host": host})
    login = environment.airflow_login(settings)
    values = environment.stack_environment(settings)
    assert len(login.password) >= 20
    assert values["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert json.loads(Path(values["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()) == {
        login.user: login.password
    }


def test_the_environment_wins_over_the_file_and_the_home_over_both(
    fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = tmp_path / "configs.env"
    config.write_text("AIRFLOW__CORE__PARALLELISM=7\nAIRFLOW__API__WORKERS=3\nAIRFLOW__API__PORT=1\nOTHER=1\n")
    monkeypatch.setenv("FRAMESEARCH_CONFIG", str(config))
    monkeypatch.setenv("AIRFLOW__API__WORKERS", "2")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "somebody-else"))
    values = environment.stack_environment(fresh_settings)
    assert values["AIRFLOW__CORE__PARALLELISM"] == "7"
    assert values["AIRFLOW__API__WORKERS"] == "2"
    assert values["AIRFLOW__API__PORT"] == str(fresh_settings.airflow_port)
    assert values["AIRFLOW_HOME"] == str(fresh_settings.home / "airflow")
    assert "OTHER" not in values


def test_servers_reach_each_other_past_any_proxy(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    values = environment.stack_environment(fresh_settings)
    assert set(values["no_proxy"].split(",")) == {"intranet.example", "127.0.0.1", "localhost"}


def test_an_mlflow_server_of_the_operators_own_is_used_instead(fresh_settings: Settings):
    settings = fresh_settings.model_copy(update={"mlflow_tracking_uri": "http://mlflow.example"})
    assert "mlflow" not in [part.name for part in components(settings, with_demo=False)]
    assert environment.stack_environment(settings)["FRAMESEARCH_MLFLOW_TRACKING_URI"] == "http://mlflow.example"


# ---- airflow_configs.env


def config_lines() -> list[str]:
    return CONFIG_FILE.read_text(encoding="utf-8").splitlines()


def test_the_configuration_file_holds_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("FRAMESEARCH_")]:
        monkeypatch.delenv(name)
    named = {line.split("=")[0] for line in config_lines() if line.startswith("FRAMESEARCH_")}
    assert named == {f"FRAMESEARCH_{field}".upper() for field in Settings.model_fields}
    assert Settings(_env_file=CONFIG_FILE) == Settings()
    given = {name: value for name, value in dotenv_values(CONFIG_FILE).items() if name.startswith("FRAMESEARCH_")}
    defaults = Settings()
    empty = {"", "None", "()"}
    for name, value in given.items():
        default = str(getattr(defaults, name.removeprefix("FRAMESEARCH_").lower()))
        assert value == ("" if default in empty or name == "FRAMESEARCH_HOME" else default)


def test_every_setting_is_explained():
    lines = config_lines()
    for number, line in enumerate(lines):
        if re.match(r"[A-Z_]+=", line):
            block = lines[max(0, number - 4) : number]
            assert any(before.startswith("# ") for before in block), line


def test_every_reader_reads_the_configuration_file_alike():
    ours = dotenv_values(CONFIG_FILE, interpolate=False)
    assert all(re.fullmatch(r"(#.*|[A-Z0-9_]+=[^\s'\"$`\\#]*)?", line) for line in config_lines())
    script = f"set -a; . {CONFIG_FILE}; exec env -0"
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    read = dict(pair.split("=", 1) for pair in shell.split("\0") if "=" in pair)
    assert {name: read[name] for name in ours} == ours


def test_no_secret_stands_in_the_configuration_file():
    for name, value in dotenv_values(CONFIG_FILE).items():
        assert not re.search(r"SECRET|PASSWORD|TOKEN|KEY$", name) or not value


# ---- which playlists


def test_folders_are_made_absolute_and_addresses_kept(tmp_path: Path):
    (tmp_path / "my clips").mkdir()
    named = ["my clips", "https://www.youtube.com/playlist?list=x", "ytsearch3:frogs", "www.youtube.com/@frogs"]
    assert playlists.resolve(named, tmp_path) == [str(tmp_path / "my clips"), *named[1:3], f"https://{named[3]}"]


@pytest.mark.parametrize(
    "name", ["www.youtube.com/@frogs", "youtube.com", "films.example.com:8000/feed.xml", "ytsearch3:frogs", "my clips"]
)
def test_a_playlist_is_the_same_for_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    (tmp_path / "my clips").mkdir()
    monkeypatch.chdir(tmp_path)
    assert playlists.resolve([name], tmp_path) == [normalise(name)]
    assert (":" in normalise(name)) == (name != "my clips")


@pytest.mark.parametrize(
    "name", ["nothing-here", "../nothing", "/nothing/at/all", "~nobody-x/clips", "./no.videos/here"]
)
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, name: str):
    with pytest.raises(PlaylistMissing, match="no folder"):
        playlists.resolve([name], tmp_path)


def test_up_says_that_a_folder_is_missing_before_anything_starts(tmp_path: Path):
    ended = stack_command("up", "no-such-folder", home=tmp_path)
    assert ended.returncode == 1
    assert "no-such-folder" in ended.stdout
    assert Processes(tmp_path).records() == {}


def test_without_a_playlist_the_demo_is_shown_only_where_nothing_else_is_followed(fresh_settings: Settings, tmp_path):
    demo = demo_feed.demo_playlist(fresh_settings.demo_port)
    assert playlists.choose([], fresh_settings) == ([demo], True)
    configured = fresh_settings.model_copy(update={"playlists": (str(tmp_path),)})
    assert playlists.choose([], configured) == ([str(tmp_path)], False)
    open_catalogue(fresh_settings).record_listing(PlaylistListing("https://a/list", "A", ()), environment_now())
    assert playlists.choose([], fresh_settings) == ([], False)
    assert playlists.choose([str(tmp_path)], fresh_settings) == ([str(tmp_path)], False)


def test_the_demo_feed_runs_as_long_as_the_demo_is_followed(fresh_settings: Settings, tmp_path: Path):
    demo = demo_feed.demo_playlist(fresh_settings.demo_port)
    open_catalogue(fresh_settings).record_listing(PlaylistListing(demo, "demo", ()), environment_now())
    assert playlists.choose([], fresh_settings) == ([], True)
    assert playlists.choose([str(tmp_path)], fresh_settings) == ([str(tmp_path)], True)


def environment_now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


# ---- the demo feed


@pytest.fixture
def feed_address() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(demo_feed.application(demo_feed.find_clips()), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def fetch(url: str, **headers: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return response.status, response.read()


def test_the_demo_playlist_is_real_clips_that_the_real_yt_dlp_lists(feed_address: str):
    from yt_dlp import YoutubeDL

    with YoutubeDL({"extract_flat": "in_playlist", "quiet": True, "no_warnings": True, "proxy": ""}) as ydl:
        listed = ydl.extract_info(f"{feed_address}/demo.xml", download=False)
    assert listed["title"] == "framesearch demo"
    assert [entry["title"] for entry in listed["entries"]] == [clip[2] for clip in demo_feed._CLIPS]


def test_a_browser_can_seek_in_a_demo_clip(feed_address: str):
    path = demo_feed.find_clips()["bikes.mp4"][0]
    assert fetch(f"{feed_address}/clips/bikes.mp4") == (200, path.read_bytes())
    assert fetch(f"{feed_address}/clips/bikes.mp4", Range="bytes=100-199") == (206, path.read_bytes()[100:200])
    assert fetch(f"{feed_address}/clips/bikes.mp4", Range="bytes=100-") == (206, path.read_bytes()[100:])


def test_the_demo_feed_answers_under_its_own_names_only(feed_address: str):
    refuses_strangers(urlsplit(feed_address).port, "/clips/bikes.mp4")


@pytest.mark.parametrize("path", ["/clips/../demo_feed.py", "/clips//etc/passwd", "/", "/clips/"])
def test_the_demo_feed_serves_nothing_else(feed_address: str, path: str):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(feed_address + path)


# ---- progress


def test_without_a_terminal_each_step_is_told_once(tmp_path: Path):
    out = (tmp_path / "out").open("w+")
    row = Row("ingest_playlists", "running", "extract_frames", 1, 4, 3.0, "Bikes")
    with Progress(Console(file=out, width=60)) as progress:
        progress.show([row])
        progress.show([row])
        progress.show([Row("ingest_playlists", "running", "extract_frames", 2, 4, 5.0, "Frogs")])
    out.seek(0)
    lines = out.read().splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "ingest_playlists: extract_frames 1 of 4: Bikes",
        "ingest_playlists: extract_frames 2 of 4: Frogs",
    ]


# ---- the whole


@pytest.mark.stack
@pytest.mark.timeout(2400)
def test_up_turns_a_folder_into_an_answer_takes_in_what_is_added_and_down_leaves_nothing(tmp_path: Path):
    home, folder = tmp_path / "home", tmp_path / "my clips"
    ports = {f"FRAMESEARCH_{name}_PORT": free_port() for name in ("AIRFLOW", "MLFLOW", "PAGE", "DEMO")}
    chosen = {name: str(port) for name, port in ports.items()} | {"FRAMESEARCH_FIRST_TRAINING_MINUTES": "0.1"}
    for number, title in enumerate(["Frogs & toads", "Bikes"]):
        draw_video(folder / f"{title}.mp4", duration_s=30, seed=40 + number, scenes=6)
    (folder / "Broken.mp4").write_bytes(b"no video")
    try:
        first = stack_command("up", str(folder), home=home, **chosen)
        assert first.returncode == 0, first.stdout + first.stderr
        assert "Broken.mp4" in first.stdout  # left out, and said so
        assert "confidence" in first.stdout  # the example was answered
        api = AirflowApi(f"http://127.0.0.1:{ports['FRAMESEARCH_AIRFLOW_PORT']}")
        assert {run["state"] for dag_id in DAGS for run in api.dag_runs(dag_id)} == {"success"}
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in (home / "secrets").iterdir())
        open_to_others = [file for file in home.rglob("*") if not file.is_symlink() and file.stat().st_mode & 0o077]
        assert open_to_others == []
        refuses_strangers(ports["FRAMESEARCH_AIRFLOW_PORT"], "/auth/token/login")
        refuses_strangers(ports["FRAMESEARCH_AIRFLOW_PORT"], "/api/v2/dags", changing="PATCH")
        refuses_strangers(ports["FRAMESEARCH_AIRFLOW_PORT"], "/execution/health")
        refuses_strangers(ports["FRAMESEARCH_MLFLOW_PORT"], "/")
        refuses_strangers(ports["FRAMESEARCH_PAGE_PORT"], "/")

        # A component dies, a video is added: `up` again mends the one and takes in the other.
        os.kill(Processes(home).records()["airflow-scheduler"].pid, signal.SIGKILL)
        draw_video(folder / "Kites.mp4", duration_s=12, seed=50, scenes=3)
        second = stack_command("up", home=home, **chosen)
        assert second.returncode == 0, second.stdout + second.stderr
        assert "had died" in second.stdout
        settings = Settings(home=home)
        build = current_build(open_storage(settings), open_catalogue(settings))
        assert build is not None
        assert build.videos == 3
        assert {run["state"] for dag_id in DAGS for run in api.dag_runs(dag_id)} == {"success"}
    finally:
        down = stack_command("down", home=home, **chosen)
    assert down.returncode == 0
    assert all(is_free("127.0.0.1", port) for port in ports.values())
    assert [process for process in psutil.process_iter() if works_in(process, home)] == []
    assert (home / "catalogue.db").is_file()  # the data stays


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def works_in(process: psutil.Process, home: Path) -> bool:
    try:
        return is_alive(process) and (process.cwd() == str(home) or str(home) in " ".join(process.cmdline()))
    except psutil.Error:
        return False
