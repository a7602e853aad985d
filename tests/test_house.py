"""The house rules that hold for the whole repository."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_nobody_imports_against_the_layers():
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout


def test_every_locked_package_has_its_hash_and_no_host_is_named():
    lock = (ROOT / "requirements.lock").read_text()
    requirements = re.split(r"\n(?=[a-zA-Z])", lock)[1:]
    assert len(requirements) > 100
    assert [r.split("==")[0] for r in requirements if "--hash=sha256:" not in r] == []
    assert "://" not in lock


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    names = {re.match(r"[a-zA-Z0-9._-]+", dependency)[0].lower() for dependency in wanted}  # type: ignore[index]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names - locked == set()


# Each third-party library stands behind one module (or package), so that swapping it changes one place.
OWNERS = {
    "yt_dlp": {"sources"},
    "av": {"video"},
    "cv2": {"images"},
    "PIL": {"images"},
    "imagecodecs": {"images"},
    "pi_heif": {"images"},
    "simplejpeg": {"images"},
    "faiss": {"index/vectors.py"},
    "onnxruntime": {"models/encoder.py"},
    "pyarrow": {"store/tables.py"},
    "mlflow": {"models"},
    "filelock": {"system/locks.py"},
    "loky": {"search/admission.py"},
    "sqlalchemy": {"catalogue", "database_urls.py"},
    "alembic": {"catalogue"},
}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_used_in_one_place_of_the_library(library: str):
    package = ROOT / "plugins" / "framesearch"
    uses = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    users = [file.relative_to(package) for file in package.rglob("*.py") if uses.search(file.read_text("utf-8"))]
    assert users
    assert [str(user) for user in users if not {user.parts[0], str(user)} & OWNERS[library]] == []


def test_a_module_is_small_enough_to_read():
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    modules = [name for name in listed.splitlines() if not name.startswith(("tests/", "benchmarks/"))]
    assert modules
    lines = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in modules}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_make_help_tells_of_every_command():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(phony[1].split()) - set(re.findall(r"^  make ([a-z-]+)", told, re.MULTILINE)) == {"system"}


def test_importing_the_library_changes_nothing_of_its_process():
    """Threads, warnings and logging are the program's to set: see `images.libraries.configure`."""
    program = """
import logging, pkgutil, warnings
import av.logging, cv2, mlflow, PIL.Image, threadpoolctl
def state():
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    return cv2.getNumThreads(), pools, list(warnings.filters), av.logging.get_level(), logging.getLogger().handlers[:]
cv2.setNumThreads(3)
before = state()
import framesearch
names = [module.name for module in pkgutil.walk_packages(framesearch.__path__, "framesearch.")]
assert len(names) > 100
for name in names:
    if "migrations" not in name:
        __import__(name)
after = state()
assert after[0] == before[0] and after[2:] == before[2:], (before, after)
assert before[1].items() <= after[1].items(), (before, after)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
