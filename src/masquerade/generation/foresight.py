"""Foretells what identities will look like before any of them is drawn: drawing takes a thousand times as long.

The foresight is linear in an identity's codes: on heads that it was not fitted to, it correlates with what then was seen as
docs/training-log.md says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masquerade.types import Floats, Identity
from masquerade.weights import load_arrays


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What K identities will look like, each figure as far from the mean over identities; float32[K].

    Attributes:
        likeness: SFace's cosine with the person.
        commonness: SFace's cosine with what all new faces have in common.
        disagreement, roughness, clarity: as `masquerade.appraisal.Appraisal` will find them.
        contrast: of the new face, as a share of the person's.
        distinctness, belonging: as `masquerade.appraisal.Appraisal` will find them.
        brows: how much lighter than the skin they are, in L* of CIELAB.
        beard, paint: as `masquerade.generation.signs` tells.
        whites: how much lighter than the skin the lightest of the eyes are.
        teeth: how far what is light in an open mouth is from teeth.
        woman: logarithm of the odds that they are taken for a woman.
        years: how old they are taken to be.
        hair: how much lighter than the skin the hair is that goes with them. These last eight are not told from the mean.
    """

    likeness: Floats
    commonness: Floats
    disagreement: Floats
    roughness: Floats
    clarity: Floats
    contrast: Floats
    distinctness: Floats
    belonging: Floats
    brows: Floats
    beard: Floats
    paint: Floats
    whites: Floats
    teeth: Floats
    woman: Floats
    years: Floats
    hair: Floats


class Foresight:
    """Linear maps from codes to SFace's vector and to figures of quality.

    Raises:
        DamagedWeights: the file is missing or damaged.
    """

    def __init__(self) -> None:
        arrays = {name: array.astype(np.float32) for name, array in load_arrays("foresight.npz").items()}
        self._mean, self._vector, self._quality = arrays["mean"], arrays["vector"], arrays["quality"]
        self._common, self._mean_of_last = self._vector @ arrays["common"], arrays["quality_mean"]

    def __call__(self, identities: Sequence[Identity], person: Floats) -> Foreseen:
        """Looks ahead.

        Args:
            identities: K of them.
            person: unit vector of the person who is to be replaced, from SFace.
        """
        codes = codes_of(identities) - self._mean
        quality = codes @ self._quality
        quality[:, -len(self._mean_of_last) :] += self._mean_of_last
        return Foreseen(codes @ (self._vector @ person), codes @ self._common, *quality.T)


def codes_of(identities: Sequence[Identity]) -> Floats:
    """Shape and texture codes in a row for each identity: K x 352."""
    return np.stack([np.concatenate([i.shape.ravel(), i.texture.ravel()]) for i in identities]).astype(np.float32)
