"""ShapeVAE's decoder at work: draws the inner parsing map of a person who does not exist."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import planes_of
from masquerade.regions import INNER, OUTER
from masquerade.types import Floats
from masquerade.weights import load_session


class Shape:
    """Replaces the inner classes of a parsing map; what surrounds the face stays as it was parsed."""

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("shape.onnx", threads)

    def __call__(self, parsing: NDArray[np.uint8], latents: Floats, condition: Floats) -> NDArray[np.uint8]:
        """Draws one map for each latent.

        Args:
            parsing: merged classes, 128 x 128; only its outer classes and the face's area are looked at.
            latents: K x 64 float32.
            condition: 11 float32, pose and expression, and whether glasses are worn.

        Returns:
            K x 128 x 128 uint8 merged classes.
        """
        inside = np.isin(parsing, INNER)
        outer = planes_of(np.where(inside, 255, parsing)[None].clip(0, 13))[0, list(OUTER)] * ~inside
        planes = np.concatenate([outer, inside[None].astype(np.float32)])
        small = planes.reshape(len(planes), 64, 2, 64, 2).mean((2, 4), dtype=np.float32)
        count = len(latents)
        feed = {
            "latent": latents,
            "outer": np.broadcast_to(small, (count, *small.shape)).astype(np.float32),
            "condition": np.broadcast_to(condition, (count, len(condition))).astype(np.float32),
        }
        logits: Floats = self._session.run(None, feed)[0]
        drawn = np.asarray(INNER, np.uint8)[logits.argmax(1)]
        return np.where(inside, drawn, parsing)
