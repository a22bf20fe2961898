"""People with glasses, the eyes behind them drawn into their maps.

Hand-labelled maps say "glasses" where eyes are, and so does a parser that learnt from them. From the mesh it is known where they are. The bank's
glasses are those of these people.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import EYES, GLASSES, SKIN
from masquerade.training.data import MESH, open_prepared
from masquerade.training.mesh import LEFT_CONTOUR, RIGHT_CONTOUR
from masquerade.training.shape import shapes_of

NOSE_BRIDGE, LESSER_LENS = 168, 0.25
"""A point between the eyes, and how much of the larger lens the smaller one must measure."""

DARK_LENS, GRAY = 0.6, 6.0
"""Lenses that are darker than so much of the skin are sunglasses: nothing is behind them. Black-and-white
photos have less difference of colours than the second, in grey levels."""


def with_eyes(maps: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Draws eyes where glasses hide them.

    Args:
        maps: N x S x S merged classes.
        mesh: N x 478 x 3, in shares of the crop's side.
    """
    filled, side = maps.copy(), maps.shape[-1]
    for drawn, points in zip(filled, mesh, strict=True):
        eyes = np.zeros((side, side), np.uint8)
        for contour in (LEFT_CONTOUR, RIGHT_CONTOUR):
            outline = cv2.convexHull(points[list(contour), :2].astype(np.float32) * side - 0.5)
            # Sixteenths of a pixel: eyes are but a few pixels high.
            cv2.fillConvexPoly(eyes, np.rint(outline * 16).astype(np.int32), 1, shift=4)
        drawn[(eyes > 0) & (drawn == GLASSES)] = EYES
    return filled


def wearers_of(data: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crops N x 128 x 128 x 3 and merged maps N x 128 x 128, with eyes, of the training faces whose glasses can be seen through.

    Args:
        data: a prepared folder with its mesh.
    """
    prepared = open_prepared(data)
    shapes, rows = shapes_of(prepared, "train")
    worn = np.flatnonzero(shapes.conditions[:, 10] > 0)
    crops, maps = np.asarray(prepared.crops[rows[worn]]), shapes.maps[worn]
    mesh = np.asarray(np.load(data / MESH, mmap_mode="r")[rows[worn]], np.float32)
    keep = _on_both_eyes(maps, mesh) & np.array([_is_clear(crop, parsing) for crop, parsing in zip(crops, maps, strict=True)], bool)
    return crops[keep], with_eyes(maps[keep], mesh[keep])


def _is_clear(crop: NDArray[np.uint8], parsing: NDArray[np.uint8]) -> bool:
    """Whether these are no sunglasses, and the photo has colours."""
    brightness = crop.mean(-1)
    lenses, skin = np.median(brightness[parsing == GLASSES]), np.median(brightness[parsing == SKIN])
    return bool(lenses > DARK_LENS * skin and np.ptp(crop.astype(np.int16), axis=-1).mean() > GRAY)


def _on_both_eyes(maps: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the parser saw both lenses, for N maps."""
    across = np.arange(maps.shape[-1]) / maps.shape[-1] < mesh[:, NOSE_BRIDGE, 0, None]
    glasses = (maps == GLASSES).sum(1)
    left, right = (glasses * across).sum(1), (glasses * ~across).sum(1)
    return np.asarray(np.minimum(left, right) > LESSER_LENS * np.maximum(left, right))
