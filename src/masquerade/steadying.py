"""What a face of the frame before looks like where the face is now: canonical crops along the motion between them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from masquerade.types import Floats, Pixels

MOUTH, MOUTH_REACH = ((0.5, 0.7),), (0.16, 0.11)
EYES, EYES_REACH = ((0.365, 0.41), (0.635, 0.41)), (0.1, 0.06)
"""Middles and half axes of the areas that an opening mouth and a blink change, in shares of the crop's side."""

UNLIKE = 6.0
"""Grey levels by which the original crops may differ, once the motion is undone: up to it the motion is trusted, from twice as much on not."""


class Motion:
    """The motion of a face between two frames.

    Attributes:
        trust: S x S float32, how far the motion is believed: 1 where the frame before, moved along, looks like this one, 0 where it does not.

    Args:
        now, before: original crops, S x S x 3 RGB uint8.

    Source: Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016.
    """

    def __init__(self, now: Pixels, before: Pixels) -> None:
        gray, gray_before = (np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.uint8) for p in (now, before))
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(gray, gray_before, np.zeros((*gray.shape, 2), np.float32))
        y, x = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
        self._x, self._y = x + flow[..., 0], y + flow[..., 1]
        unlike = cv2.GaussianBlur(np.abs(gray - self.of(gray_before.astype(np.float32))), (0, 0), 2.0)
        self.trust: Floats = np.clip(2 - unlike / UNLIKE, 0, 1).astype(np.float32)

    def of(self, before: Floats) -> Floats:
        """Moves a plane or a picture of the frame before, S x S or S x S x 3; cubic, so that it stays sharp from frame to frame."""
        found = cv2.remap(before, self._x, self._y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(np.clip(found, before.min(), before.max()), np.float32)

    def of_planes(self, before: Floats) -> Floats:
        """Moves planes K x S x S."""
        return np.stack([cv2.remap(p, self._x, self._y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for p in before])


def blended(fresh: Floats, earlier: Floats, share: Floats) -> Floats:
    """`share` of the fresh, the rest of the earlier."""
    return np.asarray(share * fresh + (1 - share) * earlier, np.float32)


@lru_cache
def around(side: int, middles: tuple[tuple[float, float], ...], reach: tuple[float, float]) -> Floats:
    """1 in the areas around these middles, falling to 0 beyond them, side x side."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    away = np.min([np.hypot((x - middle[0]) / reach[0], (y - middle[1]) / reach[1]) for middle in middles], 0)
    return np.asarray(np.clip(2 - away, 0, 1), np.float32)
