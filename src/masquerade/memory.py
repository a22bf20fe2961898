"""Keeps the largest memory of the command small: a setting of the whole process, which a library must not make."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8
"""glibc's number for how many heaps there may be."""


def share_one_heap() -> bool:
    """Lets all threads of the process take memory from one heap. With one heap each, what a large picture needed in one of them is of no use to the
    others, and stays: a photo of 12 megapixels took up to 1,074 MB instead of 780, in the same time. Elsewhere than under glibc it does nothing.

    Returns:
        Whether it could be done.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (OSError, AttributeError):
        return False
