"""IdentityNet at work: a second opinion, beside SFace's, on how alike a new face and the person are."""

from __future__ import annotations

import numpy as np

from masquerade.generation.tensors import to_network
from masquerade.types import Floats, Pixels
from masquerade.weights import load_session

LIMIT = 0.65
"""Likeness from which on IdentityNet says that a new face still is the person: of 1,000 pairs of strangers in LFW not one lies above it."""

WEIGHT = 0.3
"""How much it counts beside SFace's cosine when new faces are ranked: its figures are spread twice as wide."""


class SecondOpinion:
    """Compares canonical crops; see `masquerade.networks.identity.IdentityNet`.

    Raises:
        DamagedWeights: the network's file is missing or damaged.
    """

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("identity.onnx", threads)

    def __call__(self, person: Pixels, faces: Pixels) -> Floats:
        """How much new faces resemble a person.

        Args:
            person: the original canonical crop, 128 x 128 x 3 RGB uint8.
            faces: the same crop with new faces in it, K x 128 x 128 x 3.

        Returns:
            K cosines, -1 to 1.
        """
        codes: Floats = self._session.run(None, {"crop": to_network(np.concatenate([person[None], faces]))})[0]
        return np.asarray(codes[1:] @ codes[0], np.float32)
