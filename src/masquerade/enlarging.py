"""Lays a generated crop into the photo: enlarged, sharpened and with the photo's own grain, so that it does not look pasted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import region_of, scale_of, within
from masquerade.types import Floats, Pixels

SHARPENING, LARGEST_STEP = 0.6, 8.0
"""Strength of the unsharp mask for faces that are enlarged at least threefold, and the most grey levels that it adds: no halos at edges."""

STRIPES, STRIPE_PX, LARGEST_GRAIN = 12, 24, 6.0
"""Where a photo's grain is looked at, and the most grey levels of it that are added."""


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
    x0, y0, x1, y1 = region_of(matrix, face.shape[0], photo.shape[1], photo.shape[0])
    around = photo[y0:y1, x0:x1]
    soft = np.asarray(cv2.warpAffine(mask, within(matrix, x0, y0), around.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32)
    rows, columns = np.flatnonzero(soft.any(1)), np.flatnonzero(soft.any(0))
    if not len(rows):
        return
    left, top = int(columns[0]), int(rows[0])
    inner = slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)
    below, blend = around[inner], soft[inner][..., None]
    enlargement = 1 / max(scale_of(matrix), 1e-6)
    if enlargement < 1:
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.45 * (1 / enlargement - 1) + 0.1), np.float32)
    if enlargement > 1.3:
        strength = SHARPENING * min(1.0, (enlargement - 1) / 2)
        face = face + np.clip(strength * (face - cv2.GaussianBlur(face, (0, 0), 0.5)), -LARGEST_STEP, LARGEST_STEP)
    to_face = within(matrix, x0 + left, y0 + top)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    laid = np.asarray(cv2.warpAffine(face, to_face, below.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)
    if enlargement > 1.3:
        laid += np.float32(grain * _grain(around, soft)) * _noise(below.shape[:2], enlargement, rng)
    # In place, and rounded by OpenCV, which saturates: a large face has millions of pixels.
    laid -= below
    laid *= blend
    laid += below
    mixed = cv2.convertScaleAbs(np.maximum(laid, 0, out=laid))
    around[inner] = np.where(blend > 0, mixed, below)


def _grain(around: Pixels, soft: Floats) -> float:
    """How grainy the surroundings are where they are smooth, in grey levels; seen in some stripes of them."""
    starts = range(0, around.shape[0], max(1, around.shape[0] // STRIPES))
    stripes = [(around[y : y + STRIPE_PX], soft[y : y + STRIPE_PX]) for y in starts]
    outside = np.concatenate([_rough(pixels)[cover == 0] for pixels, cover in stripes])
    # The smoothest third: hair and edges are no grain.
    return min(LARGEST_GRAIN, 2.97 * float(np.quantile(outside, 1 / 6))) if outside.size > 100 else 0.0


def _rough(pixels: Pixels) -> Floats:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.2)), np.float32)


def _noise(shape: tuple[int, int], enlargement: float, rng: np.random.Generator) -> Floats:
    """Height x width x 1: one value for all three colours."""
    noise: Floats = rng.standard_normal(shape, np.float32)
    if enlargement > 2:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.6), np.float32) * np.float32(2.0)
    return noise[..., None]
