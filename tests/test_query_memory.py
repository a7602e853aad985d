"""The largest query pictures, measured in processes of their own by the benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "query_memory.py"


@pytest.mark.parametrize("kind", ["JPEG, progressive", "PNG with alpha", "WebP", "AVIF"])
def test_a_hundred_megapixels_take_at_most_400_mb(kind: str) -> None:
    """A flat AVIF of this size has 2 kB: decoded as it comes, it takes 1.1 GB, and a WebP 1.8 GB."""
    ran = subprocess.run(
        [sys.executable, BENCHMARK, "--megapixels", "100", "--kinds", kind], capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 0, ran.stderr
    assert f"| {kind} | 100 |" in ran.stdout, f"{ran.stdout}\n{ran.stderr}"
