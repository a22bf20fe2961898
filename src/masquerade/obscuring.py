"""Blur, pixelate, solid: methods of their own; and sketch, what becomes of a face that cannot be replaced convincingly.

Blur and pixelate keep a handful of mean colours and throw the rest away; nothing finer can be computed back, and noise keeps even these
from being read exactly. Solid keeps only whether the face is light or dark. Sketch is a blur with the features of nobody in it: it passes for a
face out of focus, people look past it, and detectors still find a face there.

Measured on 100 people of LFW, recognisers at a false accept rate of 1e-3, an obscured photo against the original of the same photo: SFace
accepts 1 of the sketched, the blurred and the pixelated and 2 of the solid ones (a plain surface has a vector too, and it is near some people's
by chance: where the audit sees that, another way is tried), dlib 2 of the sketched and none of the others. YuNet finds a face again in all of the
sketched, in 24 of the blurred and in none of the others.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator

from masquerade.faces.alignment import canonical_matrix, within
from masquerade.types import Face, Floats, Pixels

Method = Literal["sketch", "blur", "pixelate", "solid"]

CELLS = {"sketch": 3, "blur": 4, "pixelate": 5}
"""How many colours are kept along each side of the obscured area."""

DARK, LIGHT = 48.0, 208.0
"""Grey levels of a solid face: the one that its mean colour is further from."""

REACH = 1.5
"""The obscured ellipse in sides of the face's box: from above the hairline to below the chin, with the ears."""

SOFT_EDGE = {"sketch": 0.33, "blur": 0.33, "pixelate": 0.1, "solid": 0.1}
"""The outer share of the ellipse's radius where it fades out; all of it lies outside the box's own ellipse."""

NOISE_LEVELS = 8.0, 20.0
"""Every kept colour is made lighter or darker by so many grey levels at least and at most."""

DARKEST_NOISE, FULL_NOISE_FROM = 0.65, 96.0
"""Colours of less than so many grey levels get less noise, black ones so much of it: heads in the dark must not shine."""

FEATURES = (
    (0.365, 0.335, 0.03, 0.075, 0.020, -0.35),
    (0.635, 0.335, 0.03, 0.075, 0.020, -0.35),
    (0.365, 0.410, 0.00, 0.055, 0.025, -0.55),
    (0.635, 0.410, 0.00, 0.055, 0.025, -0.55),
    (0.500, 0.270, 0.04, 0.150, 0.050, 0.08),
    (0.500, 0.500, 0.09, 0.020, 0.070, 0.12),
    (0.365, 0.530, -0.02, 0.070, 0.060, 0.10),
    (0.635, 0.530, -0.02, 0.070, 0.060, 0.10),
    (0.500, 0.600, 0.11, 0.050, 0.018, -0.35),
    (0.500, 0.700, 0.06, 0.085, 0.020, -0.45),
    (0.500, 0.760, 0.05, 0.060, 0.020, -0.10),
)
"""Brows, eyes, forehead, bridge, cheeks, nostrils, mouth and the shade below it: soft spots at x, y of the canonical crop, so far before the eyes, so
wide and so high (one sigma, in shares of its side), darker or lighter by so much of the colour there. Only where the crop lies, and how far the head
is turned, depends on the person."""

NOSE_BEFORE, TURNED_MOST = 0.5, 0.9
"""By how much the tip of a nose lies before the middle of eyes and mouth, in shares of their distance; and the largest sine of a turn that is
drawn."""

NARROWEST, HIDDEN_BELOW = 0.5, 0.3
"""A turned face's features are no narrower than so much of what they were; on its far side they fade until its cosine is below the second."""

VARIED, SHIFTED = 0.35, 0.02
"""By how much at most each feature's strength and place are varied at random, in shares of it and of the crop's side."""

LEAST_LIGHT = 64.0
"""Shades are drawn as on a face of this grey level at least: in darker ones nobody would see them."""

PLAIN = 0.1
"""By so much, in shares of its crop's side, a new face is blurred that becomes nobody's: no feature of it is left."""

PATCHES = 4
"""Patches of light along each side of nobody's crop."""

SKETCH_PX = 128
"""Side of the crop that features are drawn in."""


def obscure(photo: Pixels, face: Face, method: Method, rng: Generator) -> None:
    """Makes a face unrecognisable, in place; what lies further than a quarter of the box's sides away from it stays as it is.

    Args:
        photo: RGB uint8, height x width x 3, changed in place.
        face: which face; only its box counts, and for a sketch where its landmarks put the crop.
        method: "pixelate", "blur" (the same with soft passages), "sketch" (a blur with features) or "solid" (one grey).
        rng: where the noise comes from; with a generator of a known seed the noise can be taken away again.
    """
    height, width = photo.shape[:2]
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    half_w, half_h = max(face.width * REACH / 2, 1.0), max(face.height * REACH / 2, 1.0)
    x0, y0 = max(int(np.floor(x - half_w)), 0), max(int(np.floor(y - half_h)), 0)
    x1, y1 = min(int(np.ceil(x + half_w)) + 1, width), min(int(np.ceil(y + half_h)) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    below = photo[y0:y1, x0:x1]
    radius = np.hypot((np.arange(x0, x1)[None] - x) / half_w, (np.arange(y0, y1)[:, None] - y) / half_h)
    mask = np.clip((1 - radius) / SOFT_EDGE[method], 0, 1).astype(np.float32)[..., None]
    if method == "solid":
        colours = np.full((1, 1, 3), DARK if below.mean() > (DARK + LIGHT) / 2 else LIGHT, np.float32)
    else:
        colours = _means(below, CELLS[method])
    colours = _noisy(colours, rng)
    how = cv2.INTER_LINEAR if method in ("sketch", "blur") else cv2.INTER_NEAREST
    laid = np.asarray(cv2.resize(colours, (x1 - x0, y1 - y0), interpolation=how), np.float32)
    if method == "sketch":
        matrix = within(canonical_matrix(face, SKETCH_PX), x0, y0)
        relief = cv2.warpAffine(_relief(rng, _turn(face)), matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[..., None]
        laid = np.clip(laid + relief * np.where(relief < 0, np.maximum(laid, LEAST_LIGHT), laid), 0, 255)
    below[:] = np.rint(below + mask * (laid - below)).astype(np.uint8)


def nobody(face: Floats, mask: Floats, where: Face, rng: Generator, patches: float = 0.0) -> Floats:
    """A new face without its features: its colours out of focus, and a sketch's features.

    Args:
        face, mask: S x S x 3 float32 RGB in 0 to 255 and S x S float32, in the canonical crop.
        where: the face in the frame; tells how far it is turned.
        rng: varies the features.
        patches: by how much of their light parts of it are made lighter or darker at random.

    Returns:
        S x S x 3 float32; means something where the mask is.
    """
    sigma = PLAIN * len(face)
    cover = np.maximum(cv2.GaussianBlur(mask, (0, 0), sigma), 1e-3)[..., None]
    plain = np.asarray(cv2.GaussianBlur(face * mask[..., None], (0, 0), sigma) / cover, np.float32)
    relief = cv2.resize(_relief(rng, _turn(where)), face.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    light = rng.choice((-patches, patches), (PATCHES, PATCHES)).astype(np.float32)
    light = np.asarray(cv2.resize(light, face.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)[..., None]
    return np.asarray(np.clip(plain * (1 + light) * (1 + relief), 0, 255), np.float32)


def _means(pixels: Pixels, cells: int) -> Floats:
    return np.asarray(cv2.resize(pixels, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def _turn(face: Face) -> float:
    """The sine of the angle by which a head is turned, positive where its nose points to the right of the picture, as far as it is drawn."""
    points = face.landmarks @ canonical_matrix(face, 1)[:, :2].T
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    aside = float(points[2, 0] - (eyes[0] + mouth[0]) / 2) / max(NOSE_BEFORE * float(np.hypot(*(mouth - eyes))), 1e-6)
    return float(np.clip(np.nan_to_num(aside), -TURNED_MOST, TURNED_MOST))


def _relief(rng: Generator, turn: float) -> Floats:
    """A face's light and shade, S x S float32: shares of the colour by which each place is lighter or darker."""
    ys, xs = (np.mgrid[:SKETCH_PX, :SKETCH_PX] + 0.5) / SKETCH_PX
    relief, cosine = np.zeros((SKETCH_PX, SKETCH_PX)), float(np.sqrt(1 - turn**2))
    for x, y, before, width, height, strength in FEATURES:
        dx, dy = rng.uniform(-SHIFTED, SHIFTED, 2)
        across, wide = 0.5 + cosine * (x - 0.5) + turn * before, max(cosine, NARROWEST) * width
        seen = np.clip((cosine - HIDDEN_BELOW) / (1 - HIDDEN_BELOW), 0, 1) if (x - 0.5) * turn > 0 else 1.0
        spot = np.exp(-0.5 * (((xs - across - dx) / wide) ** 2 + ((ys - y - dy) / height) ** 2))
        relief += strength * seen * rng.uniform(1 - VARIED, 1 + VARIED) * spot
    return relief.astype(np.float32)


def _noisy(colours: Floats, rng: Generator) -> Floats:
    """Every colour lighter or darker at random, never so that it would be cut off at black or white."""
    change = rng.uniform(*NOISE_LEVELS, colours.shape[:2]).astype(np.float32)[..., None]
    change *= np.maximum(DARKEST_NOISE, np.minimum(colours.max(-1, keepdims=True) / FULL_NOISE_FROM, 1))
    lighter = (rng.random(colours.shape[:2]) < 0.5)[..., None]
    lighter = (lighter & (colours.max(-1, keepdims=True) + change <= 255)) | (colours.min(-1, keepdims=True) - change < 0)
    return np.clip(np.where(lighter, colours + change, colours - change), 0, 255).astype(np.float32)
