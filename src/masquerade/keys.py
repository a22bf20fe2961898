"""One person, one new face across photos, for whoever holds the key.

The seed is an HMAC of a coarse cell of the person's embedding: two photos of one person mostly fall into one cell, and without the key
nothing can be learned of which cell it was. docs/privacy.md says how often this works.
"""

from __future__ import annotations

import numpy as np

from masquerade.audit import Recognizer
from masquerade.generation.identity import keyed_seed
from masquerade.types import Face, Floats, Pixels

CELLS = 64
"""Cells of the embedding space: more tell more people apart, fewer hold one person's photos together."""

REMEMBERED = 0.45
"""Cosine similarity above which a face of the same run is taken for a person seen before."""


class PersonKey:
    """Derives seeds from faces and a secret; within one run it also remembers whom it saw.

    Args:
        key: the secret, any bytes.
        recognizer: embeds faces.
    """

    def __init__(self, key: bytes, recognizer: Recognizer) -> None:
        self._key, self._recognizer = key, recognizer
        centres = np.random.default_rng(0).standard_normal((CELLS, 128)).astype(np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        self._seen: list[tuple[Floats, int]] = []

    def seed(self, photo: Pixels, face: Face) -> int:
        """The seed of the person whose face this is."""
        embedding = self._recognizer.embed(photo, face)
        for known, seed in self._seen:
            if float(known @ embedding) > REMEMBERED:
                return seed
        cell = int(np.argmax(self._centres @ embedding))
        seed = keyed_seed(self._key, f"masquerade identity {cell}".encode())
        self._seen.append((embedding, seed))
        return seed
