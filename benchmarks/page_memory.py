"""Memory of the search page's process while a real browser asks it pictures.

    python benchmarks/page_memory.py [--rows 10000] [--searches 50]

Starts `python -m inference_front` over a synthetic index, uploads pictures in headless Chromium, and prints the
resident memory as it goes. The process may hold 500 MB, and neither TensorFlow nor MLflow.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import psutil
from playwright.sync_api import sync_playwright
from stand_in_encoder import encoder_file
from synthetic_library import SyntheticLibrary, picture

from framesearch.jobs import embed, publish_index
from framesearch.jobs.build_index import build_index
from framesearch.models.encoder import Encoder

LIMIT_MB = 500
REAL = 3  # videos with stored frames, so that matches have thumbnails to show


def wait_for(address: str) -> None:
    """Until the page answers."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address + "/_stcore/health", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise SystemExit("the page did not start")


def mapped(process: psutil.Process, words: tuple[str, ...]) -> list[str]:
    """The shared libraries of these packages that the process has loaded."""
    return sorted({m.path for m in process.memory_maps() if any(f"/{word}/" in m.path for word in words)})


def main() -> None:
    """Serve, ask, print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--searches", type=int, default=50)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        encoder = encoder_file(None, Path(scratch))
        library = SyntheticLibrary(Path(scratch, "home"), encoder)
        videos = asked.rows // 500
        library.list_videos(videos, 500)
        runtime = Encoder(encoder, 1)
        for number in range(videos):
            if number < REAL:
                library.store_frames(number, 500)
                embed.embed_video(f"video{number}", runtime, "1", library.storage)
            else:
                library.store_embeddings(number, 500, runtime.dimension)
                library.store_features(number, 500)
        build = build_index("1", encoder, library.catalogue, library.storage, library.settings)
        publish_index.publish(build.index_id, library.catalogue, library.storage)
        shots = []
        for n in range(5):
            shots.append(Path(scratch, f"shot{n}.jpg"))
            cv2.imwrite(str(shots[-1]), picture(n % REAL * 100_000 + n, 1080, 1920))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {
            "FRAMESEARCH_HOME": str(library.settings.home),
            "FRAMESEARCH_PAGE_PORT": str(port),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        server = subprocess.Popen([sys.executable, "-m", "inference_front"], env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            process = psutil.Process(server.pid)
            print(f"| searches | resident MB at {build.rows:,} frames |\n|---|---|")
            print(f"| page started | {process.memory_info().rss / 1e6:.0f} |")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page()
                page.goto(address)
                upload = page.locator("input[type=file]").first
                for number in range(1, asked.searches + 1):
                    upload.set_input_files(shots[number % len(shots)])
                    page.get_by_text(f"shot{number % len(shots)}.jpg").wait_for()
                    page.wait_for_timeout(400)
                    if number in (1, 5, 10, 25, 50, 100, asked.searches):
                        print(f"| {number} | {process.memory_info().rss / 1e6:.0f} |", flush=True)
                browser.close()
            heavy = mapped(process, ("tensorflow", "mlflow", "airflow", "torch"))
            print(f"\nHeavy libraries loaded: {heavy or 'none'}")
            if heavy or process.memory_info().rss > LIMIT_MB * 1e6:
                raise SystemExit(f"more than {LIMIT_MB} MB, or a library that does not belong in the page")
        finally:
            server.terminate()
            server.wait(timeout=30)


if __name__ == "__main__":
    main()
