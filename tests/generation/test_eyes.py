"""Whether whites are seen in the eyes, and irises told from them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.generation.eyes import DULL, contrasted, dullness, whites_against_skin
from masquerade.regions import EYES, SKIN
from masquerade.types import Floats


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


def eyes_of(skin: float, iris: tuple[float, float, float]) -> tuple[Floats, NDArray[np.uint8]]:
    parsing = np.full((128, 128), SKIN, np.uint8)
    lab = np.full((128, 128, 3), (skin, 10, 15), np.float32)
    for x in (30, 70):
        parsing[48:58, x : x + 20], lab[48:58, x : x + 20] = EYES, (skin, 2, 4)
        lab[48:58, x + 6 : x + 14] = iris
    return lab, parsing


def test_pale_irises_become_dark_and_dark_ones_stay() -> None:
    pale, parsing = eyes_of(65, (50, 4, 6))
    after = contrasted(pale, parsing)
    assert after[53, 40, 0] < 42 and after[53, 32, 0] == pytest.approx(65, abs=1)
    assert np.array_equal(after[:40], pale[:40])
    dark, parsing = eyes_of(65, (10, 4, 6))
    assert np.abs(contrasted(dark, parsing) - dark).max() < 1e-3
    none = np.full_like(parsing, SKIN)
    assert np.array_equal(contrasted(pale, none), pale)


def test_dark_skin_goes_with_brown_eyes_and_light_skin_with_any() -> None:
    for skin, is_blue in ((45.0, False), (70.0, True)):
        lab, parsing = eyes_of(skin, (skin - 25, 0, -10))
        assert (contrasted(lab, parsing)[53, 40, 2] < 0) == is_blue
