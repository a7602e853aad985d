"""Settings of the picture libraries that hold for a whole process: programs make them, importing does not."""

import warnings

import cv2
import threadpoolctl
from PIL import Image


def configure() -> None:
    """Set up this process for framesearch's work. To be called by programs, before they work; safe to repeat.

    One thread for OpenCV and for BLAS: parallelism is over videos and queries, more threads only fight them, and those
    of BLAS spin where they wait. Without Pillow's warnings: it warns above a size of its own, where our limit is a
    setting and refuses, and of damaged metadata.
    """
    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1, user_api="blas")
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
