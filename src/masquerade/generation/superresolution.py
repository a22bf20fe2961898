"""SuperResolutionNet at work: gives new faces that are laid into large photos the detail of what is around them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import finer, scale_of, take_crop
from masquerade.generation.tensors import from_network, to_network
from masquerade.masks import pasted_mask, snapped
from masquerade.types import Floats, Pixels
from masquerade.weights import load_session

FACTOR = 4
"""How many times wider and higher the answer is."""

LEAST_ENLARGEMENT = 0.8
"""Faces that are shrunk by more when they are laid into the photo are sharp enough as they are."""


@dataclass(frozen=True, eq=False)
class Detailed:
    """A new face that is ready to be laid into a photo: pixels S x S x 3 float32 RGB in 0 to 255, mask S x S float32, and the 2 x 3 matrix from
    the photo to them."""

    face: Floats
    mask: Floats
    matrix: NDArray[np.float64]


class SuperResolution:
    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("superresolution.onnx", threads)

    def __call__(self, photo: Pixels, matrix: NDArray[np.float64], face: Floats, mask: Floats) -> Detailed:
        """Gives a new face more detail where the photo has it.

        Args:
            photo: RGB uint8, height x width x 3; what the face looks like depends on it outside the mask only.
            matrix: 2 x 3, photo to the face's crop.
            face: S x S x 3 float32 RGB in 0 to 255.
            mask: S x S float32, where the crop is replaced.

        Returns:
            The face with 4S x 4S pixels, its mask's edges where the photo has them; as it was where the photo holds no more detail.
        """
        if scale_of(matrix) * LEAST_ENLARGEMENT > 1:
            return Detailed(face, pasted_mask(mask), matrix)
        size, fine = len(face), finer(matrix, FACTOR)
        wide = take_crop(photo, fine, FACTOR * size).pixels
        small = np.asarray(cv2.resize(wide, (size, size), interpolation=cv2.INTER_AREA), np.float32)
        picture = small + mask[..., None] * (face - small)
        wide_mask = np.asarray(cv2.resize(mask, wide.shape[:2], interpolation=cv2.INTER_LINEAR), np.float32)
        around = np.where(wide_mask > 0, np.float32(0), to_network(wide[None])[0])
        feed = {"picture": to_network(picture[None]), "mask": mask[None, None], "around": around[None]}
        detailed = from_network(self._session.run(None, feed)[0])[0]
        return Detailed(detailed, snapped(pasted_mask(wide_mask), wide), fine)
