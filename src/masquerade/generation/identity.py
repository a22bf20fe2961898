"""Who the new face is: identities drawn from a bank of people who do not exist.

A shape comes from one of them, a texture from another: the pairs are many more than the people. What is known of the surroundings (skin
of neck and ears, whether hair and clothes look like a woman's or a man's) narrows the choice; the person's face does not.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import planes_of
from masquerade.regions import INNER, OUTER
from masquerade.types import Floats, Identity
from masquerade.weights import load_arrays

NEAREST_IN_SKIN = 40
"""Textures are drawn among so many whose skin is nearest to the surroundings' own."""

SURE = 0.7
"""Above this probability (or below one minus it) the surroundings decide apparent sex; between them chance does."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the choice of an identity may depend on.

    Attributes:
        skin: CIELAB of the skin, float32[3], or None where none is seen.
        female: probability that hair and clothes are taken for a woman's.
    """

    skin: Floats | None
    female: float


class IdentityBank:
    """Draws identities; equal random states give equal identities."""

    def __init__(self) -> None:
        arrays = load_arrays("identities.npz")
        self._shape, self._texture = arrays["shape"].astype(np.float32), arrays["texture"].astype(np.float32)
        self._skin, self._female = arrays["skin"].astype(np.float32), arrays["female"] == 1
        self._weight, self._bias = arrays["around_weight"].astype(np.float32), float(arrays["around_bias"][0])

    def __len__(self) -> int:
        return len(self._shape)

    def apparent_sex(self, parsing: NDArray[np.uint8]) -> float:
        """Probability of a woman's surroundings, from the outer classes of a merged map 128 x 128 alone."""
        inside = np.isin(parsing, INNER)
        outer = planes_of(parsing[None])[0, list(OUTER)]
        planes = np.concatenate([outer, inside[None].astype(np.float32)])
        cells = planes.reshape(len(planes), 8, 16, 8, 16).mean((2, 4))
        return float(1 / (1 + np.exp(-(cells.reshape(-1) @ self._weight + self._bias))))

    def draw(self, around: Surroundings, rng: np.random.Generator) -> Identity:
        """One identity that fits the surroundings.

        Args:
            around: see `Surroundings`.
            rng: the source of all chance.
        """
        seed = int(rng.integers(2**63))
        own = np.random.default_rng(seed)
        female = around.female > 0.5 if abs(around.female - 0.5) > SURE - 0.5 else bool(own.random() < 0.5)
        people = np.flatnonzero(self._female == female)
        textures = people
        if around.skin is not None:
            # Light differs between photos more than skin does: lightness counts half.
            distance = np.linalg.norm((self._skin[people] - around.skin) * np.array([0.5, 1, 1], np.float32), axis=1)
            textures = people[np.argsort(distance)[:NEAREST_IN_SKIN]]
        return Identity(self._shape[own.choice(people)], self._texture[own.choice(textures)], seed)


def keyed_seed(key: bytes, message: bytes) -> int:
    """A seed that only the holder of the key can compute: HMAC-SHA256 of a message, as a number below 2 ** 64."""
    return int.from_bytes(hmac.new(key, message, hashlib.sha256).digest()[:8], "big")
