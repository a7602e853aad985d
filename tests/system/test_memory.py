"""What was taken for a while goes back to the system, although small things that stay lie in between."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
import psutil
from framesearch.system.memory import return_large_blocks

if sys.argv[1] == "set":
    assert return_large_blocks() and return_large_blocks()
resident = psutil.Process().memory_info
np.ones(30_000_000, np.uint8)  # taken and freed: from now on glibc keeps blocks up to this size
before, stays, large = resident().rss, [], []
for _ in range(20):
    large.append(np.ones(8_000_000, np.uint8))
    stays.append(np.ones(100_000, np.uint8))
del large
print((resident().rss - before) // 1_000_000)
"""


def grown_mb(how: str) -> int:
    told = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(told.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_blocks_are_given_back_when_they_are_freed() -> None:
    assert grown_mb("leave") > 100  # or nothing is proven here
    assert grown_mb("set") < 10
