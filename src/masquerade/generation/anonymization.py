"""AnonymizationNet at work: a rough face from a drawn map and an identity code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import planes_of
from masquerade.types import Floats
from masquerade.weights import load_session


class Anonymization:
    """Invents faces; no pixel of the person enters."""

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("anonymization.onnx", threads)

    def __call__(self, maps: NDArray[np.uint8], codes: Floats, gaze: Floats) -> Floats:
        """Draws one rough face for each map.

        Args:
            maps: K x 128 x 128 uint8 merged classes.
            codes: K x 9 x 32 float32.
            gaze: 2 float32, where the eyes look.

        Returns:
            K x 3 x 128 x 128 float32 in [-1, 1].
        """
        feed = {"planes": planes_of(maps), "code": codes, "gaze": np.broadcast_to(gaze, (len(maps), 2)).astype(np.float32)}
        faces: Floats = self._session.run(None, feed)[0]
        return faces
