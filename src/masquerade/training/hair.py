"""Tells from an identity's codes what hair goes with it, as it does in people: blond hair does not go with every face.

Codes of real faces are read, and the lightness of their hair is told from them by ridge regression. Where somebody comes from is neither asked nor
known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.brows import hair_of
from masquerade.generation.lab import lab_of
from masquerade.training.bank import LARGEST_YAW, encoded
from masquerade.training.data import open_prepared
from masquerade.training.ridge import ridge
from masquerade.training.shape import shapes_of

FACES, HELD_OUT = 12_000, 0.1
"""So many faces are read at most, and this share is kept for the test."""

STRENGTH = 100.0
"""Ridge penalty, for codes in units of their own spread."""


def hair_that_goes(data: Path, runs: Path, seed: int = 0) -> tuple[NDArray[np.float64], float, float]:
    """What tells how much lighter than the skin hair is, in L* of CIELAB: weights for codes (352), a constant, and the correlation on faces that were
    held out (NaN where there are none).

    Args:
        data: a prepared folder.
        runs: folder with the checkpoints of ShapeVAE and AnonymizationNet.
    """
    prepared = open_prepared(data)
    shapes, rows = shapes_of(prepared, "train")
    rng = np.random.default_rng(seed)
    frontal = rng.permutation(np.flatnonzero(np.abs(shapes.conditions[:, 1]) < LARGEST_YAW))
    seen = [(k, hair_of(lab_of(np.asarray(prepared.crops[rows[k]])), shapes.maps[k])) for k in frontal[: 2 * FACES]]
    known = [(k, hair) for k, hair in seen if hair is not None][:FACES]
    chosen, truth = np.array([k for k, _ in known]), np.array([hair for _, hair in known])
    latents, textures, _ = encoded(prepared, shapes, rows, chosen, runs)
    codes = np.concatenate([latents, textures.reshape(len(textures), -1)], 1).astype(np.float64)
    mean, spread = codes.mean(0), codes.std(0).clip(1e-6)
    given, middle, cut = (codes - mean) / spread, truth.mean(), round(HELD_OUT * len(codes))
    test = given[:cut] @ ridge(given[cut:], truth[cut:] - middle, STRENGTH)
    weights = ridge(given, truth - middle, STRENGTH) / spread
    agreement = float(np.corrcoef(test, truth[:cut])[0, 1]) if cut > 1 else float("nan")
    return weights, float(middle - mean @ weights), agreement
