"""The light on a face: from which side it comes, and how hard it is.

HarmonizationNet sees the light on hair, ears and neck only, and guesses what it does to the face: new faces were lit from the right side, but by
two thirds of what they should be. So the light on the face that was there is measured, three numbers, and the new face is lit as much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.lab import lab_of
from masquerade.masks import REPLACED
from masquerade.regions import EARS, NOSE, SKIN
from masquerade.types import Floats, Pixels

LOWEST = 0.68
"""Only skin above this share of the crop's side is looked at: below lie beards and the jaw's shadow, which are no light."""

FEWEST = 40
"""With fewer cells of skin nothing is known of the light."""

GAMMA, BLACK = 2.2, 8.0
"""Light is grey levels to this power (sRGB, nearly); darker ones than the second say nothing of it."""

CELLS = 32
"""Light is looked at in so many by so many cells."""

STEADY = 0.2
"""How many cells' worth an even light counts in the fit."""

SOFT = 0.75
"""Sigma of what counts as light and shadow and not as detail, in cells."""

LARGEST_TURN = 1.2
"""A new face's light is changed by no more than this along either axis."""

HARDER, SOFTER, HARDENED = 1.5, 0.8, 0.8
"""The most and the least that light and shadow on the skin are multiplied with, and the share of it that is done."""

CUBE = 3.0
"""Light is measured by the logarithm of its cube root, as CIELAB sees it."""

WIDEST, HIGHEST = 0.3, 0.33
"""From the middle to the cheeks and to the forehead, in shares of the side: beyond, the light is as there."""

EAR, EAR_IN_LIGHT, EAR_IN_SHADE, FEWEST_EAR = -0.12, 0.55, 0.9, 30
"""Ears lie in the shade of hair and head: how much darker than the skin's median they are in even light, and by how much of it they follow the light
at their side of the face, where it is lighter and where it is darker (8,500 ears in photos); of fewer pixels of an ear nothing is told."""


SHINES_FROM, SHINE_PALES, LARGEST_PALING = 4.0, np.array([-0.19, -0.17], np.float32), 8.0
"""Skin lighter than its median by more than the first in L* of CIELAB shines, and loses so much of a* and b* with every unit of L* (1,500 photos: of
skin lighter by 24 on average -4.6 and -3.7; new faces lost but 1.1 of b*, and glowed); both are changed by no more than the third."""


class Light(NamedTuple):
    """Light on skin, in logarithms of its cube root.

    Attributes:
        across, down: by how much it rises over the crop's width and height.
        contrast: standard deviation of soft light and shadow beside that.
    """

    across: float
    down: float
    contrast: float


def between(before: Light | None, now: Light | None, share: float) -> Light | None:
    """The light that is known, or what lies that share of the way from one to the other."""
    if before is None or now is None:
        return now or before
    return Light(*(b + share * (n - b) for b, n in zip(before, now, strict=True)))


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
    fit = _fit(picture, parsing, inside)
    return None if fit is None else fit.light


def lit(face: Floats, parsing: NDArray[np.uint8], light: Light, harden: bool = True) -> Floats:
    """Lights a new face as the one before was lit; the skin's median stays.

    Args:
        face: S x S x 3 float32 RGB in 0 to 255.
        parsing: S x S uint8, the map of the new face; what is no face there stays as it is.
        light: what it should be.
        harden: whether light and shadow become as hard as they were, too.
    """
    fit = _fit(face, parsing)
    if fit is None:
        return face
    skin = np.isin(parsing, (SKIN, NOSE))
    if harden:
        face = _hardened(face, skin, fit, light.contrast)
    x, y = _places(len(parsing))
    across, down = (np.clip(wanted - now, -LARGEST_TURN, LARGEST_TURN) for wanted, now in zip(light[:2], fit.light[:2], strict=True))
    change = across * np.clip(x, -WIDEST, WIDEST) + down * _facing(y)
    change -= np.median(change[skin])
    for ear in (parsing == EARS) & (x < 0), (parsing == EARS) & (x >= 0):
        if ear.sum() >= FEWEST_EAR:
            change[ear] = _missing_on(ear, face, skin, light)
    # A light of another strength is another factor of all three colours, which keeps the hue; in CIELAB alone shadows turn gray. It ends as softly
    # as a lens draws the face's edge: ended at a pixel, faces look cut out.
    gain = np.exp(CUBE / GAMMA * cv2.GaussianBlur(np.isin(parsing, REPLACED) * change, (0, 0), 1.0))
    return _with_pale_highlights(np.clip(face * gain[..., None], 0, 255).astype(np.float32), skin)


def _with_pale_highlights(face: Floats, skin: NDArray[np.bool_]) -> Floats:
    """Takes colour from what is lighter than the skin's median, as far as photos lose it there: what shines is the lamp's light, not the skin's."""
    lab = lab_of(face)
    middle = np.median(lab[skin], 0)
    shine = np.maximum(lab[..., 0] - middle[0] - SHINES_FROM, 0) * skin
    slopes = np.tensordot(shine, lab[..., 1:] - middle[1:], 2) / max(float((shine * shine).sum()), FEWEST)
    lab[..., 1:] += np.clip((SHINE_PALES - slopes) * shine[..., None], -LARGEST_PALING, LARGEST_PALING)
    return np.where(shine[..., None] > 0, np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * np.float32(255), face)


def _missing_on(ear: NDArray[np.bool_], face: Floats, skin: NDArray[np.bool_], light: Light) -> float:
    """How much light an ear lacks."""
    x, y = _places(len(ear))
    wanted = light.across * np.clip(x, -WIDEST, WIDEST) + light.down * _facing(y)
    beside = float(wanted[ear].mean() - np.median(wanted[skin]))
    logarithm = _logarithm(face)
    now = float(logarithm[ear].mean() - np.median(logarithm[skin]))
    there = EAR + beside * (EAR_IN_LIGHT if beside > 0 else EAR_IN_SHADE)
    return float(np.clip(there - now, -LARGEST_TURN * WIDEST, LARGEST_TURN * WIDEST))


def _hardened(face: Floats, skin: NDArray[np.bool_], fit: _Fit, contrast: float) -> Floats:
    """Makes soft light and shadow on the skin as strong as they should be, as far as that goes; colours stay."""
    further = HARDENED * (float(np.clip(contrast / max(fit.light.contrast, 1e-3), SOFTER, HARDER)) - 1)
    lab, flat = lab_of(face), skin.astype(np.float32)
    shadows = cv2.resize(fit.shadows, skin.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # L* + 16 goes with the cube root of the light.
    lab[..., 0] = (lab[..., 0] + 16) * np.exp(further * shadows * np.maximum(2 * cv2.GaussianBlur(flat, (0, 0), 2.0) - 1, 0)) - 16
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255, np.float32)


def _fit(picture: Floats | Pixels, parsing: NDArray[np.uint8], inside: NDArray[np.bool_] | None = None) -> _Fit | None:
    """A plane through the skin's logarithms, laid so that few pixels far from it (highlights, moles, hair) hardly count."""
    side = CELLS
    skin = np.isin(parsing, (SKIN, NOSE))
    if inside is not None:
        skin &= inside
    small = cv2.resize(skin.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) > 0.99
    small[round(LOWEST * side) :] = False
    if small.sum() < FEWEST:
        return None
    logarithm = _logarithm(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))
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


def _logarithm(picture: NDArray[Any]) -> Floats:
    """Of the cube root of the light, in an RGB picture."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(GAMMA / CUBE * np.log(np.maximum(gray, BLACK).astype(np.float32)), np.float32)


def _facing(y: Floats) -> Floats:
    """How far down the light goes on to rise or fall: below the mouth the face turns back. On 3,900 faces of women the chin's lightness falls back
    with a slope of -1.04 times the plane's."""
    lowest = LOWEST - 0.5
    return np.asarray(np.clip(np.minimum(y, 2 * lowest - y), -HIGHEST, lowest), np.float32)


def _places(side: int) -> tuple[Floats, Floats]:
    """How far pixels lie right of and below the middle, in shares of the side."""
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side - 0.5
    return x, y
