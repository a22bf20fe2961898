"""Between pictures and what the networks take in: float32 NCHW in [-1, 1], one-hot planes of maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.regions import MERGED
from masquerade.types import Floats


def to_network(pictures: NDArray[np.uint8] | Floats) -> Floats:
    """N x S x S x 3 RGB in 0 to 255 to N x 3 x S x S float32 in [-1, 1]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - np.float32(1)


def from_network(pictures: Floats) -> Floats:
    """N x 3 x S x S in [-1, 1] to N x S x S x 3 float32 in 0 to 255."""
    pixels: Floats = np.clip((pictures.transpose(0, 2, 3, 1) + 1) * np.float32(127.5), 0, 255)
    return pixels


def planes_of(maps: NDArray[np.uint8]) -> Floats:
    """Merged maps N x S x S to one-hot planes N x 14 x S x S float32."""
    return np.ascontiguousarray(np.eye(len(MERGED), dtype=np.float32)[maps].transpose(0, 3, 1, 2))
