"""The largest query pictures, measured in processes of their own by the benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "query_memory.py"


@pytest.mark.parametrize(
    ("kind", "tried", "answered"),
    [
        ("JPEG, progressive", "100", "100"),
        ("PNG with alpha", "100", "100"),
        ("WebP", "100", "100"),
        ("AVIF", "100,50", "50"),  # flat ones have 2 kB: Pillow takes 1.1 GB for 100 megapixels
        ("HEIC", "50", "50"),
    ],
)
def test_the_largest_pictures_take_at_most_400_mb(kind: str, tried: str, answered: str) -> None:
    ran = subprocess.run(
        [sys.executable, BENCHMARK, "--megapixels", tried, "--kinds", kind], capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 0, ran.stderr
    assert f"| {kind} | {answered} |" in ran.stdout, f"{ran.stdout}\n{ran.stderr}"
