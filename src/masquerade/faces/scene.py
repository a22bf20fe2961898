"""The scene: a face with hair, shoulders and clothes, and the face itself hidden. From it is told who would fit there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import take_crop
from masquerade.masks import replaced_mask
from masquerade.types import Crop, Floats, Pixels

SIDE = 128
"""Side of a scene in pixels."""

WIDTH, MIDDLE = 1.3, (0.5, 0.58)
"""Side of a scene and its middle, in sides of the canonical crop: hair above, a collar below. Few training photos show more."""

HIDDEN = 128
"""Grey level of what is not shown: the face, and what lies beyond the photo's edge."""


def scene_of(photo: Pixels, crop: Crop) -> Crop:
    """Cuts out the scene around a canonical crop, with the face still in it, SIDE x SIDE; it is turned as the crop is."""
    scale = SIDE / (WIDTH * crop.size)
    centre = np.array(MIDDLE) * crop.size
    matrix = scale * crop.matrix
    matrix[:, 2] += SIDE / 2 - scale * centre
    return take_crop(photo, matrix, SIDE)


def without_face(scene: Crop, parsing: NDArray[np.uint8]) -> Pixels:
    """The scene without what will be replaced: no pixel of it is left.

    Args:
        scene: from `scene_of`.
        parsing: merged classes of the canonical crop, S x S.
    """
    return np.where((hidden_in(replaced_mask(parsing)) | ~scene.inside)[..., None], np.uint8(HIDDEN), scene.pixels)


def hidden_in(mask: Floats) -> NDArray[np.bool_]:
    """Where a mask of the canonical crop, S x S, lies in the scene, SIDE x SIDE: all that it touches."""
    scale = SIDE / (WIDTH * len(mask))
    shift = SIDE / 2 - scale * len(mask) * np.array(MIDDLE)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(cv2.warpAffine(mask, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR) > 0)
