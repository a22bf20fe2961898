"""SegmentationNet at work: the face parsing map of a canonical crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import to_network
from masquerade.types import Floats, Pixels
from masquerade.weights import load_session


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
        shares: Floats = self._session.run(None, {"picture": to_network(crop[None])})[0][0]
        return shares

    def __call__(self, crop: Pixels) -> NDArray[np.uint8]:
        """The likeliest class at every pixel, 128 x 128 uint8."""
        parsing: NDArray[np.uint8] = self.shares(crop).argmax(0).astype(np.uint8)
        return parsing
