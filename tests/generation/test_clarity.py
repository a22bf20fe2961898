"""Whether a new face shows what was drawn."""

from __future__ import annotations

import numpy as np

from masquerade.generation.clarity import clarity
from masquerade.regions import EYES, MERGED, MOUTH, SKIN


def drawn() -> np.ndarray:
    parsing = np.full((128, 128), SKIN, np.uint8)
    parsing[50:56, 40:52] = EYES
    parsing[90:98, 55:75] = MOUTH
    return parsing


def read_as(parsing: np.ndarray) -> np.ndarray:
    return np.eye(len(MERGED), dtype=np.float32)[parsing].transpose(2, 0, 1)


def test_what_is_read_as_it_was_drawn_is_clear() -> None:
    assert clarity(read_as(drawn()), drawn()) == 1.0


def test_a_mouth_that_is_not_read_as_one_is_not_clear() -> None:
    seen = drawn()
    seen[seen == MOUTH] = SKIN
    assert clarity(read_as(seen), drawn()) == 0.5


def test_a_displaced_feature_is_less_clear() -> None:
    assert 0.5 < clarity(read_as(np.roll(drawn(), 2, 0)), drawn()) < 0.9


def test_features_too_small_to_be_read_do_not_count() -> None:
    parsing = np.full((128, 128), SKIN, np.uint8)
    parsing[60, 60:66] = MOUTH
    assert clarity(read_as(np.full_like(parsing, SKIN)), parsing) == 1.0
