"""The page: without a browser for what it says, in headless Chromium for what a person sees and does."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from index_fixtures import Library, open_library
from leafy_pictures import leaves
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from query_pictures import KINDS
from raw_http import opens, refuses_strangers, status
from stored_frames import picture, store_video
from streamlit.testing.v1 import AppTest

from framesearch.index.bundle import IndexedVideo
from framesearch.store import layout
from inference_front import library as front
from inference_front.library import local_file, player_address

APP = Path(__file__).parents[2] / "inference_front" / "app.py"


def png(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


# ---- without a browser


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the page over a library, as a session of Streamlit would."""

    def open_over(library: Library) -> AppTest:
        monkeypatch.setattr(front, "settings", lambda: library.settings)
        monkeypatch.setattr(front, "_finder", None)
        return AppTest.from_file(str(APP), default_timeout=60).run()

    return open_over


def said(page: AppTest) -> str:
    """All that the page says, titles included."""
    texts = [element.value for kind in (page.info, page.warning, page.error, page.caption) for element in kind]
    return "\n".join(map(str, [*texts, *(element.proto.body for element in page.get("html"))]))


def pictures_said(page: AppTest) -> str:
    """The captions of all pictures."""
    return "\n".join(picture.caption for element in page.get("image") for picture in element.proto.imgs)


def ask(page: AppTest, content: bytes, name: str = "shot.png") -> AppTest:
    page.file_uploader(key="upload").upload(name, content, "image/png").run()
    assert not page.exception
    return page


def test_before_any_index_it_says_so(library: Library, open_page: Any) -> None:
    page = open_page(library)
    assert not page.exception
    assert "Nothing is indexed yet" in said(page).replace("\\", "")
    assert not page.get("file_uploader")


def test_begins_when_an_index_appears(library: Library, open_page: Any) -> None:
    page = open_page(library)
    library.publish()
    page.run()
    assert page.get("file_uploader")


def test_says_what_the_index_holds(published: Library, open_page: Any) -> None:
    assert "4 videos · 74 frames · model version 1" in said(open_page(published))


def test_answers_an_upload(published: Library, open_page: Any) -> None:
    page = ask(open_page(published), png(picture(2, 4.2)))
    assert "Film v2" in said(page)
    assert "0:04" in said(page)
    assert 'href="https://films.example/v2"' in said(page)


def test_says_which_repair_won(published: Library, open_page: Any) -> None:
    assert "after mirroring the picture" in said(ask(open_page(published), png(picture(2, 4.0)[:, ::-1])))


def test_says_when_nothing_was_found(published: Library, open_page: Any) -> None:
    page = ask(open_page(published), png(picture(60, 4.0)))
    assert "Not found in the library" in said(page)
    assert not page.get("video")


def test_a_blank_picture_is_explained(published: Library, open_page: Any) -> None:
    page = ask(open_page(published), png(np.zeros((90, 160, 3), np.uint8)))
    assert "The picture is blank" in said(page)


def test_says_what_is_wrong_with_a_picture(published: Library, open_page: Any) -> None:
    page = ask(open_page(published), b"no picture at all", "not [a] shot.png")
    assert "not [a] shot.png is not a picture that can be read" in said(page).replace("\\", "")
    assert "Film" in said(ask(page, png(picture(2, 4.2))))


def test_strangers_titles_are_shown_as_they_are(published: Library, open_page: Any) -> None:
    title = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) **b** :red[c]"
    store_video(published.catalogue, published.storage, "evil", seed=9, title=title, url="javascript:alert(1)")
    published.publish()
    page = ask(open_page(published), png(picture(9, 2.2)))
    shown = said(page)
    assert "&lt;img src=x onerror=alert(1)&gt; [a](javascript:alert(1)) **b** :red[c]" in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown


def test_a_picture_of_several_videos_is_one_answer(published: Library, open_page: Any) -> None:
    store_video(published.catalogue, published.storage, "again", seed=2, title="[Again]")
    published.publish()
    page = ask(open_page(published), png(picture(2, 4.2)))
    assert "Appears in 2 videos" in said(page)
    other, sure = page.button(key="also-play-1"), re.search(r"\d+% sure", said(page))
    assert other.label in (r"Show \[Again\] at 0:04", "Show Film v2 at 0:04")
    other.click().run()
    assert not page.exception
    shown = next(body for body in (element.proto.body for element in page.get("html")) if "fs-title fs-best" in body)
    first, second = ("[Again]", "Film v2") if "Again" in other.label else ("Film v2", "[Again]")
    assert first in shown
    assert sure is not None
    assert sure[0] in shown  # the same picture is as sure wherever it stands
    assert second in page.button(key="also-play-0").label.replace("\\", "")  # and back again


def test_says_how_often_a_picture_appears_in_one_video(published: Library, open_page: Any) -> None:
    """A film whose first seconds are shown again at its end."""
    store_video(
        published.catalogue,
        published.storage,
        "recap",
        seed=0,
        shown=lambda time_s: leaves(int(time_s % 8)),
        seconds=16,
    )
    published.publish()
    page = ask(open_page(published), png(leaves(3)))
    assert "Appears 2 times in this video" in said(page)
    assert any(re.match(r"Show this video at 0:(03|11)", button.label) for button in page.button)


def test_outlines_what_was_recognised_and_says_it(published: Library, open_page: Any) -> None:
    store_video(published.catalogue, published.storage, "leaves", seed=0, shown=lambda time_s: leaves(int(time_s)))
    published.publish()
    website = np.full((400, 700, 3), 240, np.uint8)
    website[200:380, 360:680] = leaves(4)
    page = ask(open_page(published), png(website))
    assert "Recognised in the lower right part of your picture, 2" in said(page)
    assert "outlined: what was recognised" in pictures_said(page)
    page = ask(page, png(leaves(4)))
    assert "Recognised in" not in said(page)
    assert "outlined" not in pictures_said(page)


def test_shows_the_match_though_its_frame_is_gone(published: Library, open_page: Any) -> None:
    page = open_page(published)
    published.storage.delete(layout.FRAMES)
    assert "The frame is no longer stored." in said(ask(page, png(picture(2, 4.2))))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ&list=x", "https://www.youtube.com/watch?v=aqz-KE-bpKQ"),
        ("https://films.example/a.mp4?token=1", "https://films.example/a.mp4?token=1"),
        ("https://films.example/watch/1", None),
        ("ftp://films.example/a.mp4", None),
        ("javascript:alert(1)//a.mp4", None),
        ("/absent/a.mp4", None),
        ("relative.mp4", None),
    ],
)
def test_knows_what_a_browser_can_play(url: str, address: str | None) -> None:
    assert player_address(IndexedVideo("id", "title", url, 1.0), "http://127.0.0.1:8501/") == address


@pytest.mark.parametrize(("name", "plays"), [("a.mp4", True), ("b.WEBM", True), ("c.ts", False), ("d.mpg", False)])
def test_plays_local_files_that_browsers_know(name: str, plays: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"video")
    video = IndexedVideo("a b/c", "title", str(tmp_path / name), 1.0)
    address = player_address(video, "http://127.0.0.1:8501/?q=1")
    assert address == ("http://127.0.0.1:8501/library/video/a%20b%2Fc" if plays else None)


def test_plays_no_file_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"video")
    (tmp_path / "library").mkdir()
    link = tmp_path / "library" / "film.mp4"
    link.symlink_to(tmp_path / "secret.mp4")
    (tmp_path / "library" / "folder").symlink_to(tmp_path)
    for path in (link, tmp_path / "library" / "folder" / "secret.mp4", tmp_path / "library" / ".." / "secret.mp4"):
        assert local_file(IndexedVideo("id", "title", str(path), 1.0)) is None
        assert player_address(IndexedVideo("id", "title", str(path), 1.0), "http://127.0.0.1:8501/") is None


def test_plays_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    file.write_bytes(b"video")
    video = IndexedVideo("film", "caf\ufffd", file.as_uri(), 1.0)
    assert local_file(video) == file
    assert player_address(video, "http://127.0.0.1:8501/") == "http://127.0.0.1:8501/library/video/film"


# ---- the real page in a real browser


class RunningPage:
    """`python -m inference_front` in a process of its own."""

    def __init__(self, library: Library) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "FRAMESEARCH_HOME": str(library.settings.home),
            "FRAMESEARCH_PAGE_PORT": str(port),
            "PYTHONPATH": str(APP.parents[2]),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inference_front"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._wait()
        except BaseException:
            self.process.kill()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while self.fetch("/_stcore/health")[0] != 200:
            assert self.process.poll() is None, "the page ended"
            assert time.monotonic() < deadline, "the page does not answer"
            time.sleep(0.2)

    def fetch(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body; status 0 where nothing answers."""
        request = urllib.request.Request(self.address + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of seed 9 as a WebM that any browser plays."""
    path = tmp_path_factory.mktemp("films") / "a film & more.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=8)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for number in range(96):
            frame = av.VideoFrame.from_ndarray(picture(9, number / 8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def running(
    _calibrated_home: Path, encoder_file: Path, film: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPage]:
    """The page over five videos, one of them a local film."""
    home = tmp_path_factory.mktemp("running") / "home"
    shutil.copytree(_calibrated_home, home)
    library = open_library(home, encoder_file)
    store_video(library.catalogue, library.storage, "film", seed=9, title="A film", url=str(film))
    library.publish()
    page = RunningPage(library)
    yield page
    page.stop()


@contextmanager
def a_browser(*arguments: str) -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *arguments])
        yield browser
        browser.close()


@pytest.fixture
def browser_page() -> Iterator[Page]:
    with a_browser() as browser:
        yield browser.new_page(viewport={"width": 1360, "height": 1000})


@pytest.mark.browser
def test_a_person_uploads_a_picture_and_sees_the_video_at_the_second(
    running: RunningPage, browser_page: Page, tmp_path: Path
) -> None:
    (tmp_path / "shot.png").write_bytes(png(picture(9, 7.3)))
    browser_page.goto(running.address)
    browser_page.locator("input[type=file]").first.set_input_files(tmp_path / "shot.png")
    expect(browser_page.locator(".fs-best")).to_have_text("A film", timeout=30_000)
    video = browser_page.locator("video")
    expect(video).to_be_visible()
    browser_page.wait_for_function("document.querySelector('video').readyState >= 1", timeout=30_000)
    assert video.evaluate("v => [v.error, Math.floor(v.currentTime)]") == [None, 7]
    expect(browser_page.get_by_text("5 videos · 98 frames")).to_be_visible()
    # Another match is played instead.
    browser_page.get_by_role("button", name=re.compile("^Show \\d")).last.click()
    expect(browser_page.locator(".fs-best")).to_have_text(re.compile(r"Film v\d"), timeout=30_000)


@pytest.mark.browser
def test_a_person_uploads_what_phones_and_browsers_save(
    running: RunningPage, browser_page: Page, tmp_path: Path
) -> None:
    """Whatever a file is called, its content tells what it is."""
    image = Image.fromarray(picture(2, 4.2))
    for name, kind in (("saved_by_chrome.jfif", "JPEG"), ("IMG_0001.HEIC", "HEIC"), ("no suffix", "PNG")):
        (tmp_path / name).write_bytes(KINDS[kind](image))
        browser_page.goto(running.address)
        browser_page.locator("input[type=file]").first.set_input_files(tmp_path / name)
        expect(browser_page.locator(".fs-best")).to_have_text("Film v2", timeout=30_000)
    (tmp_path / "clip.png").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp41isom")
    browser_page.locator("input[type=file]").first.set_input_files(tmp_path / "clip.png")
    expect(browser_page.get_by_text("clip.png is a video, not a picture that can be read")).to_be_visible(
        timeout=30_000
    )


@pytest.mark.browser
def test_a_person_pastes_a_picture(running: RunningPage, browser_page: Page) -> None:
    browser_page.goto(running.address)
    box = browser_page.locator("[data-testid=stChatInputTextArea]")
    box.click(timeout=30_000)
    box.evaluate(
        """(box, bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "image.png", {type: "image/png"}));
            box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true}));
        }""",
        list(png(picture(2, 4.2))),
    )
    browser_page.locator("[data-testid=stChatInputSubmitButton]").click(timeout=10_000)
    expect(browser_page.locator(".fs-best")).to_have_text("Film v2", timeout=30_000)


@pytest.mark.browser
def test_an_open_page_follows_the_index_and_stops_when_told(library: Library, browser_page: Page) -> None:
    running = RunningPage(library)
    try:
        browser_page.goto(running.address)
        expect(browser_page.get_by_text("Nothing is indexed yet")).to_be_visible(timeout=30_000)
        library.publish()
        expect(browser_page.locator("input[type=file]").first).to_be_attached(timeout=30_000)
        expect(browser_page.get_by_text("3 videos · 72 frames")).to_be_visible(timeout=30_000)
        store_video(library.catalogue, library.storage, "v9", seed=9)
        library.publish()
        expect(browser_page.get_by_text("4 videos · 96 frames")).to_be_visible(timeout=30_000)
        assert running.stop() in (0, -signal.SIGTERM)
    finally:
        running.process.kill()


# ---- only its own pages talk to it

STREAM = "/_stcore/stream"


@pytest.mark.stack
@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/library/video/film"])
def test_answers_under_its_own_names_and_to_its_own_pages_only(running: RunningPage, path: str) -> None:
    refuses_strangers(running.port, path)


@pytest.mark.stack
def test_takes_uploads_from_its_own_pages_only(running: RunningPage) -> None:
    upload, host = "/_stcore/upload_file/session/file", ("Host", f"127.0.0.1:{running.port}")
    for method in ("PUT", "DELETE"):
        assert status(running.port, upload, host, ("Origin", "http://evil.example"), method=method) == 403
        assert status(running.port, upload, ("Host", "evil.example"), method=method) == 400


@pytest.mark.stack
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_its_socket_opens_for_its_own_pages(running: RunningPage, name: str) -> None:
    host, origin = ("Host", f"{name}:{running.port}"), ("Origin", f"http://{name.lower()}:{running.port}")
    assert opens(running.port, STREAM, host, origin)
    for other in (f"http://{name}:{running.port + 1}", f"http://{name}", "http://evil.example", "null"):
        assert not opens(running.port, STREAM, host, ("Origin", other))


@pytest.mark.stack
def test_its_socket_opens_for_no_other_host(running: RunningPage) -> None:
    for host in (f"evil.example:{running.port}", f"localhost.evil.example:{running.port}", "evil.example"):
        for origin in (f"http://{host}", f"http://localhost:{running.port}"):
            assert not opens(running.port, STREAM, ("Host", host), ("Origin", origin))
    assert not opens(running.port, STREAM, ("Origin", f"http://localhost:{running.port}"))


# A page of another port of this machine that tries the page's socket and an upload, and shows it in a frame.
STRANGER = """
<!doctype html><title>a stranger's page</title><iframe src="http://127.0.0.1:PORT/"></iframe><script>
const tried = {}, told = name => what => { tried[name] = what; };
const socket = new WebSocket("ws://127.0.0.1:PORT/_stcore/stream");
socket.onopen = () => told("socket")("open");
socket.onerror = () => told("socket")("refused");
</script>
"""


@pytest.mark.browser
def test_pages_of_strangers_reach_it_neither_by_socket_nor_in_a_frame_nor_by_a_name_of_theirs(
    running: RunningPage, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text(STRANGER.replace("PORT", str(running.port)))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    resolved = "--host-resolver-rules=MAP evil.example 127.0.0.1"  # as its owner's name server would, a moment later
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, a_browser(resolved) as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            stranger = browser.new_page()
            stranger.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            stranger.wait_for_function("tried.socket", timeout=30_000)
            assert stranger.evaluate("tried.socket") == "refused"
            assert stranger.frames[1].url.startswith("chrome-error://")
            rebound = browser.new_page()
            assert rebound.goto(f"http://evil.example:{running.port}/").status == 400
            assert browser.new_page().goto(f"http://localhost:{running.port}/").status == 200
        finally:
            server.shutdown()


@pytest.mark.browser
def test_works_under_each_of_its_names(running: RunningPage, browser_page: Page) -> None:
    browser_page.goto(f"http://localhost:{running.port}")
    expect(browser_page.locator("input[type=file]").first).to_be_attached(timeout=30_000)


@pytest.mark.browser
def test_serves_videos_of_the_library_in_ranges_and_nothing_else(running: RunningPage, film: Path) -> None:
    assert running.fetch("/library/video/film", Range="bytes=0-99") == (206, film.read_bytes()[:100])
    assert running.fetch("/library/video/v1")[0] == 404
    for path in ("absent", "..%2f..%2fcatalogue.db", "%2fetc%2fpasswd", "film%00"):
        status, body = running.fetch(f"/library/video/{path}")
        assert status in (400, 404) or b'<div id="root">' in body  # the page itself
    film.unlink()
    assert running.fetch("/library/video/film")[0] == 404


def test_needs_neither_tensorflow_nor_mlflow_nor_airflow(published: Library, tmp_path: Path) -> None:
    """In a process of its own: the page answers a picture, then tells what it had to load."""
    (tmp_path / "shot.png").write_bytes(png(picture(2, 4.2)))
    check = f"""
import sys
from pathlib import Path
import psutil
from streamlit.testing.v1 import AppTest
import inference_front.server
page = AppTest.from_file({str(APP)!r}, default_timeout=60).run()
shot = Path({str(tmp_path / "shot.png")!r}).read_bytes()
page.file_uploader(key="upload").upload("shot.png", shot, "image/png").run()
assert not page.exception
assert any("Film v2" in html.proto.body for html in page.get("html"))
loaded = {{"tensorflow", "keras", "mlflow", "airflow", "yt_dlp", "sqlalchemy", "av"}} & set(sys.modules)
assert not loaded, loaded
assert psutil.Process().memory_info().rss < 500e6
"""
    environment = os.environ | {"FRAMESEARCH_HOME": str(published.settings.home), "PYTHONPATH": str(APP.parents[2])}
    subprocess.run([sys.executable, "-c", check], check=True, timeout=120, env=environment)
