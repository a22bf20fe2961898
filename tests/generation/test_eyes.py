"""Whether whites are seen in the eyes."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.generation.eyes import DULL, dullness, whites_against_skin
from masquerade.regions import EYES, SKIN


@pytest.mark.parametrize("whites", [10.0, -30.0])
def test_the_lightest_of_the_eyes_is_told_from_the_skin(whites: float) -> None:
    parsing = np.full((128, 128), SKIN, np.uint8)
    parsing[50:56, 30:50] = parsing[50:56, 70:90] = EYES
    lab = np.full((128, 128, 3), (60, 10, 15), np.float32)
    lab[parsing == EYES, 0] = 15
    lab[50:56, 30:38, 0] = 60 + whites
    assert whites_against_skin(lab, parsing) == pytest.approx(whites)
    assert whites_against_skin(lab, np.full_like(parsing, SKIN)) is None


def test_only_dull_eyes_count() -> None:
    assert dullness(np.float32([20, DULL, DULL - 15])).tolist() == [0, 0, 15]
