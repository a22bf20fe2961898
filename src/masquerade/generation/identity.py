"""Who the new face is: identities drawn from a bank of people who do not exist.

A shape comes from one of them, a texture from another: the pairs are many more than the people. What is known of the surroundings (skin
of neck and ears; whether hair and clothes look like a woman's or a man's, like a young or an old person's) narrows the choice; the
person's face does not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import EYES, MOUTH
from masquerade.types import Floats, Identity, Pixels
from masquerade.weights import load_arrays

SHAPES, TEXTURES = 320, 80
"""Shapes and textures are drawn among so many whose age and skin are nearest to what the surroundings suggest."""

SHAPE_SKIN = 0.5
"""How much skin counts for shapes: as much as for textures, it left too few strangers to some people, and in one clip all were too much like its
person in 90% of the frames; not at all, and dark-skinned people got the features of light-skinned ones."""

SKIN_UNIT, AGE_UNIT = 6.0, 8.0
"""So much difference in skin (CIELAB) counts as much as so many years."""

MAN, WOMAN = 0.3, 0.5
"""Below the first of these probabilities a face is a man's, above the second a woman's, between them chance decides as the probability says."""

LIGHTNESS = 0.75
"""How much a difference in the skin's lightness counts beside one in its hue."""

WHITES, FEWEST_WHITES, LIT = 62.0, 30, 0.5
"""Lightness (CIELAB) of eye whites and teeth in middling light, how many pixels of eyes and mouth tell it, and how much of its difference from
that is taken from the skin's: of UTKFace's pictures the skin's lightness alone tells dark-skinned people from others with an AUC of 0.81, so
corrected with 0.85; the difference is people in dim light."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the choice of an identity may depend on.

    Attributes:
        skin: CIELAB of the skin, float32[3], or None where none is seen.
        female: probability that hair and clothes are taken for a woman's; None asks for either sex.
        age: years that they suggest, or None.
        whites: lightness of eye whites and teeth, or None where too little is seen of them; it tells dark skin from dim light.
        hair: how much lighter than the skin it is, in L* of CIELAB, or None where too little is seen of it.
    """

    skin: Floats | None
    female: float | None
    age: float | None = None
    whites: float | None = None
    hair: float | None = None

    @property
    def tone(self) -> Floats | None:
        """CIELAB of the skin in middling light."""
        return None if self.skin is None else in_middling_light(self.skin, self.whites)


def together(looks: Sequence[Surroundings]) -> Surroundings:
    """What several looks at one person suggest: the mean of each, where it is known. A single one may be far off, as a head turns."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [v for v in values if v is not None]
        return float(np.mean(known)) if known else None

    skins = [look.skin for look in looks if look.skin is not None]
    skin = np.mean(skins, 0).astype(np.float32) if skins else None
    female, age, whites, hair = (mean([getattr(look, name) for look in looks]) for name in ("female", "age", "whites", "hair"))
    return Surroundings(skin, female, age, whites, hair)


def whites_of(crop: Pixels, parsing: NDArray[np.uint8]) -> float | None:
    """Lightness (CIELAB) of the lightest tenth of eyes and mouth in a crop, S x S x 3 uint8, with its merged classes; None where few are seen."""
    seen = crop[np.isin(parsing, (EYES, MOUTH))]
    if len(seen) < FEWEST_WHITES:
        return None
    return float(np.quantile(cv2.cvtColor(seen[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, :, 0], 0.9))


def in_middling_light(skin: Floats, whites: float | None) -> Floats:
    """CIELAB of skin as it would be in light that makes eye whites and teeth middling light."""
    brighter = 0.0 if whites is None else LIT * (WHITES - whites)
    return np.asarray(skin + np.array([brighter, 0, 0]), np.float32)


class IdentityBank:
    """Draws identities; equal random states give equal identities."""

    def __init__(self) -> None:
        arrays = load_arrays("identities.npz")
        self._shape, self._texture = arrays["shape"].astype(np.float32), arrays["texture"].astype(np.float32)
        self._skin, self._female, self._age = arrays["skin"].astype(np.float32), arrays["female"] == 1, arrays["age"].astype(np.float32)
        self._fitting = lru_cache(maxsize=4)(self._fit)

    def __len__(self) -> int:
        return len(self._shape)

    def draw(self, around: Surroundings, rng: np.random.Generator) -> Identity:
        """One identity that fits the surroundings.

        Everybody in the bank gets a random rank, and the first among those who fit is taken: with the same random state, two photos of one
        person get the same identity as long as it fits both.

        Args:
            around: see `Surroundings`.
            rng: the source of all chance.
        """
        seed = int(rng.integers(2**63))
        own = np.random.default_rng(seed)
        shapes, textures = self._fitting(around, own.random() < _share_of_women(around.female))
        rank_of_shape, rank_of_texture = own.random((2, len(self)))
        shape, texture = shapes[rank_of_shape[shapes].argmin()], textures[rank_of_texture[textures].argmin()]
        return Identity(self._shape[shape], self._texture[texture], seed)

    def _fit(self, around: Surroundings, female: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Who fits the surroundings: places in the bank of those whose shape does, and of those whose texture does."""
        people = np.flatnonzero(self._female == female)
        away, skin = np.zeros((2, len(people)), np.float32)
        if around.age is not None:
            away += np.abs(self._age[people] - around.age) / AGE_UNIT
        if around.tone is not None:
            skin += np.linalg.norm((self._skin[people] - around.tone) * np.array([LIGHTNESS, 1, 1], np.float32), axis=1) / SKIN_UNIT
        shapes = people[np.argsort(away + SHAPE_SKIN * skin, kind="stable")[:SHAPES]] if around.age is not None else people
        away += skin
        textures = people[np.argsort(away, kind="stable")[:TEXTURES]] if away.any() else people
        return shapes, textures


def _share_of_women(probability: float | None) -> float:
    if probability is None:
        return 0.5
    return 0.0 if probability < MAN else 1.0 if probability > WOMAN else probability


def keyed_seed(key: bytes, message: bytes) -> int:
    """A seed that only the holder of the key can compute: HMAC-SHA256 of a message, as a number below 2 ** 64."""
    return int.from_bytes(hmac.new(key, message, hashlib.sha256).digest()[:8], "big")
