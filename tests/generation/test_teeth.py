"""Teeth are whitened, tongues are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.generation.teeth import TEETH, deepened, teeth_of, toothless, whitened
from masquerade.regions import MOUTH, SKIN
from masquerade.types import Floats

SKIN_TONE = (60, 14, 18)


def smile(inside: tuple[float, float, float]) -> tuple[Floats, NDArray[np.uint8]]:
    """Skin, and a mouth that is dark but for a row of something."""
    parsing = np.full((64, 64), SKIN, np.uint8)
    parsing[40:52, 16:48] = MOUTH
    lab = np.full((64, 64, 3), SKIN_TONE, np.float32)
    lab[40:52, 16:48] = 15, 10, 5
    lab[42:48, 16:48] = inside
    return lab, parsing


@pytest.mark.parametrize(("inside", "are_teeth"), [((72, 6, 12), True), ((70, 4, 14), True), ((55, 22, 12), False), ((30, 15, 8), False)])
def test_teeth_are_told_from_tongue_and_dark(inside: tuple[float, float, float], are_teeth: bool) -> None:
    far = teeth_of(*smile(inside))
    assert far is not None and (far < TEETH if are_teeth else far > 0)


def test_only_teeth_become_white() -> None:
    teeth, tongue = smile((72, 6, 12)), smile((55, 22, 12))
    white = whitened(*teeth)
    assert white[45, 32, 0] > 80 and 0 < white[45, 32, 1] < 6 and np.abs(white[45, 32, 2]) < 14
    assert np.array_equal(white[:38], teeth[0][:38])
    assert np.array_equal(whitened(*tongue), tongue[0])


def test_teeth_have_the_colour_of_the_light_and_are_never_darkened() -> None:
    """Light that makes skin yellow makes teeth yellow, too."""
    lab, parsing = smile((95, 4, 6))
    warm = lab.copy()
    warm[parsing == SKIN] = 50, 18, 32
    after, after_warm = whitened(lab, parsing)[45, 32], whitened(warm, parsing)[45, 32]
    assert after_warm[2] > after[2] + 5
    assert min(after[0], after_warm[0]) >= 94.5


def test_gaps_between_teeth_are_closed_and_the_dark_below_them_is_not() -> None:
    lab, parsing = smile((72, 6, 12))
    lab[42:48, 30:33, 0] = 20
    closed = whitened(lab, parsing)
    assert closed[45, 31, 0] > 45
    assert closed[51, 31, 0] < 25


def test_of_a_shut_mouth_nothing_is_told() -> None:
    lab, parsing = smile((72, 6, 12))
    parsing[41:] = parsing[:, 40:] = SKIN
    assert teeth_of(lab, parsing) is None
    assert np.array_equal(whitened(lab, parsing), lab)


def test_what_lacks_teeth_counts() -> None:
    assert toothless(np.array([TEETH - 5, TEETH, TEETH + 8], np.float32)).tolist() == [0, 0, 8]


@pytest.mark.parametrize(("height", "is_deep"), [(8, False), (20, True)])
def test_wide_open_mouths_are_dark_behind_the_teeth(height: int, is_deep: bool) -> None:
    parsing = np.full((128, 128), SKIN, np.uint8)
    parsing[80 : 80 + height, 40:88] = MOUTH
    lab = np.full((128, 128, 3), SKIN_TONE, np.float32)
    lab[parsing == MOUTH] = 75, 4, 8
    deep = deepened(lab, parsing)
    assert deep[81, 64, 0] > 70
    assert (deep[87, 64, 0] < 35) == is_deep
    assert np.abs(deep[:76] - lab[:76]).max() < 1
