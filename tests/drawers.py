"""What made-up drawers of faces have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.placing import UPRIGHT, Placement
from masquerade.generation.replacement import ReadBack, Reading, Rough
from masquerade.generation.superresolution import Detailed
from masquerade.masks import pasted_mask
from masquerade.types import Crop, Face, Floats, Identity, Pixels


class Upright:
    """Crops faces as they are found, and reads one expression everywhere."""

    def conditions(self, faces: Pixels) -> Floats:
        return np.zeros((len(faces), 10), np.float32)

    def placement(self, photo: Pixels, face: Face, upright: float = UPRIGHT) -> Placement:
        return Placement()

    def crop(self, photo: Pixels, face: Face) -> Crop:
        return take_crop(photo, canonical_matrix(face, 128), 128)

    def rough(self, reading: Reading, identities: Sequence[Identity]) -> Rough:
        return Rough(np.repeat(reading.parsing[None], len(identities), 0), np.zeros((len(identities), 3, 128, 128), np.float32))

    def harmonised(self, crop: Crop, reading: Reading, rough: Rough, previous: tuple[Floats, Floats] | None = None, temporal: bool = False) -> Floats:
        """As `draw` does, which tests make up."""
        faces: Floats = self.draw(crop, reading, [Identity(np.zeros(64), np.zeros((9, 32)), 0)] * len(rough.maps), previous, temporal)  # type: ignore[attr-defined]
        return faces

    def read_back(self, faces: Pixels, reading: Reading, identities: Sequence[Identity]) -> list[ReadBack]:
        return [ReadBack(1.0)] * len(faces)

    def detailed(self, photo: Pixels, matrix: NDArray[np.float64], reading: Reading, face: Floats) -> Detailed:
        return Detailed(face, pasted_mask(reading.mask), matrix)
