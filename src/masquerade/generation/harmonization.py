"""HarmonizationNet at work: makes a rough face fit the light, colour, grain and sharpness of its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import from_network, planes_of, to_network
from masquerade.types import Floats, Pixels
from masquerade.weights import load_session


class Harmonization:
    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("harmonization.onnx", threads)

    def __call__(self, crop: Pixels, rough: Floats, mask: Floats, maps: NDArray[np.uint8]) -> Floats:
        """Harmonises K rough faces with one crop.

        Args:
            crop: RGB uint8, 128 x 128 x 3; looked at outside the mask only.
            rough: K x 3 x 128 x 128 float32 in [-1, 1].
            mask: 128 x 128 float32.
            maps: K x 128 x 128 uint8, the maps that the rough faces were drawn from.

        Returns:
            K x 128 x 128 x 3 float32 RGB in 0 to 255; to be pasted through the mask.
        """
        around = to_network(crop[None])
        count = len(rough)
        entry = around + mask * (rough - around)
        feed = {"picture": entry, "mask": np.broadcast_to(mask, (count, 1, *mask.shape)).astype(np.float32), "planes": planes_of(maps)}
        return from_network(self._session.run(None, feed)[0])
