"""SegmentationNet at work: the face parsing map of a canonical crop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import to_network
from masquerade.masks import REPLACED, own_face
from masquerade.types import Crop, Floats, Pixels
from masquerade.weights import load_session

BESIDE_EDGE_PX, FROM_FACE_PX = 6, 14
"""So near to the photo's edge nothing is taken for an earring: what is mirrored there looks like one; and so far from the face it may be
a neighbour's."""


class Segmentation:
    """Parses canonical crops into the fourteen merged classes of `masquerade.regions`."""

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("segmentation.onnx", threads)

    def shares(self, crop: Pixels) -> Floats:
        """Probability of every class at every pixel.

        Args:
            crop: RGB uint8, 128 x 128 x 3.

        Returns:
            14 x 128 x 128 float32, sums to one over the classes.
        """
        return self._parsed(crop)[0]

    def shares_and_earrings(self, crop: Crop) -> tuple[Floats, int]:
        """Probabilities as from `shares`, and how many pixels near the crop's face show earrings, which the merged classes do not tell from the
        background."""
        shares, earrings = self._parsed(crop.pixels)
        well_inside = cv2.erode(crop.inside.astype(np.uint8), _square(BESIDE_EDGE_PX)) > 0
        face = np.isin(own_face(shares.argmax(0).astype(np.uint8)), REPLACED)
        beside = cv2.dilate(face.astype(np.uint8), _square(FROM_FACE_PX)) > 0
        return shares, int(((earrings > 0.5) & well_inside & beside).sum())

    def _parsed(self, crop: Pixels) -> tuple[Floats, Floats]:
        shares, earrings = self._session.run(["shares", "earrings"], {"picture": to_network(crop[None])})
        return shares[0], earrings[0]

    def __call__(self, crop: Pixels) -> NDArray[np.uint8]:
        """The likeliest class at every pixel, 128 x 128 uint8."""
        parsing: NDArray[np.uint8] = self.shares(crop).argmax(0).astype(np.uint8)
        return parsing


def _square(reach: int) -> NDArray[np.uint8]:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
