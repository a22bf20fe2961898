"""Parsing maps as tensors: what the networks that read or draw maps take in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from masquerade.regions import INNER, MERGED, OUTER

Maps = np.ndarray[Any, np.dtype[np.uint8]]


def one_hot(maps: Maps) -> torch.Tensor:
    """Merged maps N x S x S to planes N x 14 x S x S float32, channels last."""
    planes = np.eye(len(MERGED), dtype=np.float32)[maps]
    return torch.from_numpy(planes).permute(0, 3, 1, 2)


def shape_planes(planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits planes at 128 x 128 into ShapeVAE's inner N x 8 x 64 x 64 and outer N x 7 x 64 x 64 (six classes and the face's area)."""
    small = F.avg_pool2d(planes, 2)
    inner, outer = small[:, list(INNER)], small[:, list(OUTER)]
    return inner, torch.cat([outer, inner.sum(1, keepdim=True)], 1)


def colours(maps: Maps) -> Maps:
    """Merged maps to RGB, for picture grids."""
    return PALETTE[maps]


PALETTE = np.array(
    [
        [0, 0, 0], [222, 170, 140], [200, 120, 90], [60, 60, 220], [255, 255, 255], [70, 40, 20], [200, 100, 160],
        [130, 0, 0], [220, 30, 60], [180, 20, 40], [90, 60, 30], [0, 120, 0], [160, 120, 110], [40, 40, 50],
    ],
    np.uint8,
)  # fmt: skip
