"""The light on a face: from which side it comes, and how hard it is.

HarmonizationNet sees the light on hair, ears and neck only, and guesses what it does to the face: new faces were lit from the right side, but by
two thirds of what they should be. So the light on the face that was there is measured, three numbers, and the new face is lit as much.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.colours import lab_of
from masquerade.masks import REPLACED
from masquerade.regions import NOSE, SKIN
from masquerade.types import Floats, Pixels

LOWEST = 0.68
"""Only skin above this share of the crop's side is looked at: below lie beards and the jaw's shadow, which are no light."""

FEWEST = 40
"""With fewer cells of skin nothing is known of the light."""

BLACK = 16.0
"""The logarithm of L* + 16 is a third of that of the light (CIE 1976)."""

CELLS = 32
"""Light is looked at in so many by so many cells."""

STEADY = 0.2
"""How many cells' worth an even light counts in the fit."""

SOFT = 0.75
"""Sigma of what counts as light and shadow and not as detail, in cells."""

LARGEST_TURN = 1.2
"""A new face's light is changed by no more than this along either axis."""

HARDER, SOFTER, HARDENED = 1.5, 0.8, 0.8
"""The least and the most that light and shadow on the skin are multiplied with, and the share of it that is done."""

WIDEST, HIGHEST = 0.3, 0.33
"""From the middle to the cheeks and to forehead and jaw, in shares of the side: beyond, at ears and chin, the light is as there."""


class Light(NamedTuple):
    """Light on skin, in logarithms of L* + 16.

    Attributes:
        across, down: by how much it rises over the crop's width and height.
        contrast: standard deviation of soft light and shadow beside that.
    """

    across: float
    down: float
    contrast: float


class _Fit(NamedTuple):
    light: Light
    shadows: Floats


def light_of(picture: Floats | Pixels, parsing: NDArray[np.uint8], inside: NDArray[np.bool_] | None = None) -> Light | None:
    """Measures the light on a face.

    Args:
        picture: S x S x 3 RGB in 0 to 255, a canonical crop.
        parsing: its merged classes, S x S uint8.
        inside: S x S, what lies inside the picture; everything by default.

    Returns:
        None where too little skin is seen.
    """
    fit = _fit(lab_of(picture)[..., 0], parsing, inside)
    return None if fit is None else fit.light


def lit(face: Floats, parsing: NDArray[np.uint8], light: Light, harden: bool = True) -> Floats:
    """Lights a new face as the one before was lit; the skin's median stays.

    Args:
        face: S x S x 3 float32 RGB in 0 to 255.
        parsing: S x S uint8, the map of the new face; what is no face there stays as it is.
        light: what it should be.
        harden: whether light and shadow become as hard as they were, too.
    """
    lab = lab_of(face)
    fit = _fit(lab[..., 0], parsing)
    if fit is None:
        return face
    skin = np.isin(parsing, (SKIN, NOSE))
    x, y = _places(len(parsing))
    across, down = (np.clip(wanted - now, -LARGEST_TURN, LARGEST_TURN) for wanted, now in zip(light[:2], fit.light[:2], strict=True))
    change = across * np.clip(x, -WIDEST, WIDEST) + down * np.clip(y, -HIGHEST, HIGHEST)
    change = change - np.median(change[skin])
    if harden:
        further = HARDENED * (float(np.clip(light.contrast / max(fit.light.contrast, 1e-3), SOFTER, HARDER)) - 1)
        flat, shadows = skin.astype(np.float32), cv2.resize(fit.shadows, parsing.shape[::-1], interpolation=cv2.INTER_LINEAR)
        lab[..., 0] = _scaled(lab[..., 0], further * shadows * flat * cv2.GaussianBlur(flat, (0, 0), 2.0))
    rgb = np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1), np.float32)
    cover = cv2.GaussianBlur(np.isin(parsing, REPLACED).astype(np.float32), (0, 0), 1.0)
    # A light of another strength is another factor of linear RGB, which keeps the hue; in CIELAB alone shadows turn gray.
    linear = _linear(rgb) * np.exp(3 * cover * change).astype(np.float32)[..., None]
    return np.clip(_encoded(linear) * 255, 0, 255).astype(np.float32)


def _fit(lightness: Floats, parsing: NDArray[np.uint8], inside: NDArray[np.bool_] | None = None) -> _Fit | None:
    """A plane through the skin's logarithms, laid so that few pixels far from it (highlights, moles, hair) hardly count."""
    side = CELLS
    skin = np.isin(parsing, (SKIN, NOSE))
    if inside is not None:
        skin &= inside
    small = cv2.resize(skin.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) > 0.99
    small[round(LOWEST * side) :] = False
    if small.sum() < FEWEST:
        return None
    logarithm = np.log(np.maximum(cv2.resize(lightness, (side, side), interpolation=cv2.INTER_AREA), 0) + BLACK)
    x, y = _places(side)
    planes = np.stack([np.ones_like(x), x, y], -1)
    design, wanted = planes[small].astype(np.float64), logarithm[small].astype(np.float64)
    weight = np.ones(len(wanted))
    for _ in range(4):
        slopes = np.linalg.solve(design.T @ (weight[:, None] * design) + np.diag([0, STEADY, STEADY]), design.T @ (weight * wanted))
        away = np.abs(wanted - design @ slopes)
        weight = 1 / np.maximum(1, away / max(2.2 * float(np.median(away)), 1e-3))
    there = small.astype(np.float32)
    rest = ((logarithm - planes @ slopes) * there).astype(np.float32)
    shadows = np.asarray(cv2.GaussianBlur(rest, (0, 0), SOFT) / np.maximum(cv2.GaussianBlur(there, (0, 0), SOFT), 1e-3), np.float32)
    return _Fit(Light(float(slopes[1]), float(slopes[2]), float(shadows[small].std())), shadows)


def _places(side: int) -> tuple[Floats, Floats]:
    """How far pixels lie right of and below the middle, in shares of the side."""
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side - 0.5
    return x, y


def _scaled(lightness: Floats, change: Floats) -> Floats:
    return np.asarray((lightness + BLACK) * np.exp(change) - BLACK, np.float32)


def _linear(rgb: Floats) -> Floats:
    """sRGB in 0 to 1 to linear light (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encoded(linear: Floats) -> Floats:
    """Linear light to sRGB."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055).astype(np.float32)
