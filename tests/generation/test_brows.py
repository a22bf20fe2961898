"""Brows are as much darker than the skin as goes with the hair."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.generation.brows import brows_of, hair_of, misfit
from masquerade.generation.lab import lab_of
from masquerade.regions import BROWS, HAIR, SKIN

PARSING = np.full((128, 128), SKIN, np.uint8)
PARSING[:20], PARSING[40:44, 30:60] = HAIR, BROWS
PICTURE = np.full((128, 128, 3), 190, np.uint8)
PICTURE[:20], PICTURE[40:44, 30:60] = 30, 100
LAB = lab_of(PICTURE)


def test_both_are_told_against_the_skin() -> None:
    hair, brows = hair_of(LAB, PARSING), brows_of(LAB, PARSING)
    assert hair is not None and brows is not None
    assert hair == pytest.approx(11 - 77, abs=3) and brows == pytest.approx(42 - 77, abs=3)
    assert hair_of(LAB, np.full_like(PARSING, SKIN)) is None and brows_of(LAB, np.full_like(PARSING, SKIN)) is None


def test_pale_brows_do_not_go_with_black_hair_nor_black_ones_with_fair() -> None:
    pale, dark = np.float32([-4]), np.float32([-24])
    assert misfit(pale, -60) > 10 and misfit(dark, -60) == 0
    assert misfit(dark, 0) > 5 and misfit(np.float32([-10]), 0) == 0
    assert misfit(pale, None) == 0
