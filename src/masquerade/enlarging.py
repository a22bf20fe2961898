"""Lays a generated crop into the photo: enlarged, sharpened and with the photo's own grain, so that it does not look pasted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import region_of, scale_of
from masquerade.types import Floats, Pixels

SHARPENING, LARGEST_STEP = 0.6, 8.0
"""Strength of the unsharp mask for faces that are enlarged at least threefold, and the most grey levels that it adds: no halos at edges."""


def lay(photo: Pixels, face: Floats, mask: Floats, matrix: NDArray[np.float64], rng: np.random.Generator, grain: float = 1.0) -> None:
    """Pastes a crop into the photo, in place, through a soft mask; no pixel changes where the mask is zero.

    Args:
        photo: RGB uint8, height x width x 3, changed in place.
        face: float32 RGB 0 to 255, S x S x 3.
        mask: float32 0 to 1, S x S.
        matrix: 2 x 3, photo to crop.
        rng: draws the grain.
        grain: how strong it is, in shares of the photo's own; new noise in every frame of a clip flickers.
    """
    size = face.shape[0]
    x0, y0, x1, y1 = region_of(matrix, size, photo.shape[1], photo.shape[0])
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([x0, y0], np.float64)
    shape = (x1 - x0, y1 - y0)
    enlargement = 1 / max(scale_of(matrix), 1e-6)
    soft = np.asarray(cv2.warpAffine(mask, moved, shape, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32)
    if enlargement < 1:
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.45 * (1 / enlargement - 1) + 0.1), np.float32)
    if enlargement > 1.3:
        strength = SHARPENING * min(1.0, (enlargement - 1) / 2)
        face = face + np.clip(strength * (face - cv2.GaussianBlur(face, (0, 0), 0.5)), -LARGEST_STEP, LARGEST_STEP)
    laid = cv2.warpAffine(face, moved, shape, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    below = photo[y0:y1, x0:x1]
    if enlargement > 1.3:
        laid = laid + np.float32(grain) * _grain(below, soft, enlargement, rng)
    blend = soft[..., None]
    mixed = np.clip(np.rint(blend * laid + (1 - blend) * below), 0, 255).astype(np.uint8)
    photo[y0:y1, x0:x1] = np.where(blend > 0, mixed, below)


def _grain(below: Pixels, soft: Floats, enlargement: float, rng: np.random.Generator) -> Floats:
    """Noise as strong as in the surroundings, where those are smooth; one value for all three colours."""
    gray = cv2.cvtColor(below, cv2.COLOR_RGB2GRAY).astype(np.float32)
    rough = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.2))
    outside = rough[soft == 0]
    # The smoothest third: hair and edges are no grain.
    level = 1.48 * float(np.median(np.sort(outside)[: max(1, len(outside) // 3)])) * 2 if outside.size > 100 else 0.0
    noise: Floats = np.asarray(rng.standard_normal(gray.shape), np.float32)
    if enlargement > 2:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.6), np.float32) * np.float32(2.0)
    grain: Floats = (np.float32(min(level, 6.0)) * noise)[..., None]
    return grain
