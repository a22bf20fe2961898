"""Parsing maps as tensors: what the networks that read or draw maps take in."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from masquerade.masks import BLUR, REPLACED, reach
from masquerade.regions import INNER, MERGED, OUTER
from masquerade.training.loop import DEVICE

Maps = np.ndarray[Any, np.dtype[np.uint8]]


def one_hot(maps: Maps | torch.Tensor) -> torch.Tensor:
    """Merged maps N x S x S to planes N x 14 x S x S float32 on the training device, channels last."""
    index = torch.as_tensor(maps, device=DEVICE).int()
    return torch.eye(len(MERGED), device=DEVICE)[index].permute(0, 3, 1, 2)


def shape_planes(planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits planes at 128 x 128 into ShapeVAE's inner N x 8 x 64 x 64 and outer N x 7 x 64 x 64 (six classes and the face's area)."""
    small = F.avg_pool2d(planes, 2)
    inner, outer = small[:, list(INNER)], small[:, list(OUTER)]
    return inner, torch.cat([outer, inner.sum(1, keepdim=True)], 1)


def replaced_masks(planes: torch.Tensor) -> torch.Tensor:
    """As `masks.replaced_mask`, for hard planes N x 14 x S x S at once: N x 1 x S x S float32 in [0, 1]."""
    side = planes.shape[-1]
    face = planes[:, list(REPLACED)].sum(1, keepdim=True)
    eroded = 1 - _dilated(1 - face, 3)
    grown = _dilated(_dilated(eroded, 3), 2 * reach(side) + 1)
    sigma = BLUR * side
    half = round(4 * sigma)
    bell = torch.exp(-0.5 * (torch.arange(-half, half + 1, device=planes.device) / sigma) ** 2)
    bell = bell / bell.sum()
    padded = F.pad(grown, (half, half, half, half), mode="reflect")
    return F.conv2d(F.conv2d(padded, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))


def _dilated(mask: torch.Tensor, width: int) -> torch.Tensor:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)).astype(np.float32)
    return (F.conv2d(mask, torch.from_numpy(kernel).to(mask.device)[None, None], padding=width // 2) > 0.5).float()


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
