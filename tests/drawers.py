"""What made-up drawers of faces have in common."""

from __future__ import annotations

import numpy as np

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.types import Crop, Face, Floats, Pixels


class Upright:
    """Crops faces as they are found, and reads one expression everywhere."""

    def conditions(self, faces: Pixels) -> Floats:
        return np.zeros((len(faces), 10), np.float32)

    def lean(self, photo: Pixels, face: Face) -> float:
        return 0.0

    def crop(self, photo: Pixels, face: Face, lean: float) -> Crop:
        return take_crop(photo, canonical_matrix(face, 128), 128)
