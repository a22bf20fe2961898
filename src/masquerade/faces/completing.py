"""What a crop shows beyond the photo's edge: to networks that look at the face its mirror image, since faces are much the same on both sides; to the
one that draws nothing but colours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from masquerade.masks import ellipse
from masquerade.types import Crop, Face, Pixels

BLUR_PX = 6.0
"""Elsewhere the edge goes on, blurred by so many pixels: repeated sharply it makes stripes."""

MIRRORED_REACH = (0.33, 0.42)
"""Half axes of the ellipse in which the face is mirrored, in shares of the crop's side: a neighbour's face would be one more."""

FADING = 0.2
"""How far colours run on beyond the edge for who draws, in shares of the crop's side."""


def completed(crop: Crop, face: Face) -> Crop:
    """Fills what of a crop lies beyond the photo's edge, for the networks that look at it and know whole faces only.

    Beside the edge's repeated pixels the parser took much of a face for background, and left it as it was: of 50 photos of LFW, cut off at 20 to 50%
    of the face on the right, 11.7% of what was left of the face, of a mirrored one 0.3%.

    Args:
        crop: S x S, beyond the edge with the edge's repeated pixels, as `take_crop` gives it.
        face: whose crop it is.
    """
    if crop.inside.all():
        return crop
    pixels: Pixels = np.asarray(cv2.GaussianBlur(crop.pixels, (0, 0), BLUR_PX), np.uint8)
    if not _is_profile(face):
        mirrored = ellipse(crop.size, MIRRORED_REACH) & crop.inside[:, ::-1]
        pixels[mirrored] = crop.pixels[:, ::-1][mirrored]
    return replace(crop, pixels=np.where(crop.inside[..., None], crop.pixels, pixels))


def faded(crop: Crop) -> Pixels:
    """A crop's pixels with mere colours beyond the photo's edge: HarmonizationNet sees what surrounds a face, and should see no mirrored one.

    Args:
        crop: S x S.
    """
    if crop.inside.all():
        return crop.pixels
    there = crop.inside[..., None].astype(np.float32)
    sigma = FADING * crop.size
    colours = cv2.GaussianBlur(crop.pixels * there, (0, 0), sigma)
    weight = np.maximum(cv2.GaussianBlur(there, (0, 0), sigma), 1e-3)[..., None]
    return np.where(there > 0, crop.pixels, np.clip(colours / weight, 0, 255).astype(np.uint8))


def _is_profile(face: Face) -> bool:
    """Whether the nose is not between the eyes, seen along the line that joins them: a profile's mirror image looks at it."""
    left, right, nose = face.landmarks[:3].astype(np.float64)
    along = right - left
    return not 0.0 < float((nose - left) @ along) < float(along @ along)
