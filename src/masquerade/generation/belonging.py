"""BelongingNet at work: how much new faces look as if they were their heads' own."""

from __future__ import annotations

import cv2
import numpy as np

from masquerade.generation.tensors import to_network
from masquerade.types import Floats, Pixels
from masquerade.weights import load_session

SIDE = 96
"""Crops are shrunk to this side."""

SOFTENED_PX = 0.75
"""Crops are blurred by so much first: the network is not to look at the grain of what is drawn."""


class Belonging:
    """Looks at canonical crops; see `masquerade.networks.belonging.BelongingNet`.

    Raises:
        DamagedWeights: the network's file is missing or damaged.
    """

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("belonging.onnx", threads)

    def __call__(self, crops: Pixels) -> Floats:
        """Looks at crops with new faces in them.

        Args:
            crops: K x 128 x 128 x 3 RGB uint8.

        Returns:
            K logarithms of the odds that the head's own code and shape were drawn.
        """
        told: Floats = self._session.run(None, {"picture": to_network(np.stack([shrunk(crop, SOFTENED_PX) for crop in crops]))})[0][:, 0]
        return told


def shrunk(crop: Pixels, softened_px: float) -> Pixels:
    """A crop as the network looks at it: blurred, and shrunk to `SIDE`."""
    soft = cv2.GaussianBlur(crop, (0, 0), softened_px)
    return np.asarray(cv2.resize(soft, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
