"""HarmonizationNet at work: makes a rough face fit the light, colour, grain and sharpness of its surroundings; in clips the frame before too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import from_network, planes_of, to_network
from masquerade.types import Floats, Pixels
from masquerade.weights import FOLDER, load_session

TEMPORAL = "temporal.onnx"
"""The network for clips; without it they are harmonised as photos are."""


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
        return from_network(self._session.run(None, _feed(crop, rough, mask, maps))[0])


class TemporalHarmonization:
    """As Harmonization, with the new face of the frame before."""

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session(TEMPORAL, threads)

    @staticmethod
    def shipped() -> bool:
        """Whether there is such a network."""
        return (FOLDER / TEMPORAL).exists()

    def __call__(
        self,
        crop: Pixels,
        rough: Floats,
        mask: Floats,
        maps: NDArray[np.uint8],
        previous: Floats | None = None,
        previous_mask: Floats | None = None,
    ) -> Floats:
        """Harmonises K rough faces with one crop.

        Args:
            crop, rough, mask, maps: as for Harmonization.
            previous: S x S x 3 float32 RGB in 0 to 255, the new face of the frame before, moved to where the face is now; None in a first frame.
            previous_mask: S x S float32, where it counts.

        Returns:
            K x 128 x 128 x 3 float32 RGB in 0 to 255; to be pasted through the mask.
        """
        feed = _feed(crop, rough, mask, maps)
        before, there = np.zeros_like(feed["picture"]), np.zeros_like(feed["mask"])
        if previous is not None and previous_mask is not None:
            there[:] = previous_mask
            before[:] = (previous.transpose(2, 0, 1) / np.float32(127.5) - 1) * (previous_mask > 0)
        return from_network(self._session.run(None, {**feed, "previous": before, "previous_mask": there})[0])


def _feed(crop: Pixels, rough: Floats, mask: Floats, maps: NDArray[np.uint8]) -> dict[str, Floats]:
    around = to_network(crop[None])
    masks = np.broadcast_to(mask, (len(rough), 1, *mask.shape)).astype(np.float32)
    return {"picture": around + mask * (rough - around), "mask": masks, "planes": planes_of(maps)}
