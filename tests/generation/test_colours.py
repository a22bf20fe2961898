"""A new face has the colour of the skin that was there, white teeth, and none in a gray photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.generation.colours import FOLLOWING, LARGEST_TONING, gray, is_gray, toned
from masquerade.generation.lab import lab_of
from masquerade.regions import BACKGROUND, EARS, EYES, MOUTH, SKIN
from masquerade.types import Floats

SIDE = 64
DARK_SKIN = np.array([45, 14, 18], np.float32)
MOUTH_ROWS = slice(44, 52)


def rgb(lab: tuple[float, float, float]) -> Floats:
    return np.asarray(cv2.cvtColor(np.float32([[lab]]), cv2.COLOR_LAB2RGB)[0, 0] * 255, np.float32)


def drawn(teeth: tuple[float, float, float]) -> tuple[Floats, NDArray[np.uint8]]:
    """A face of light skin on blue, eyes, and a mouth whose lower half is teeth."""
    parsing = np.full((SIDE, SIDE), BACKGROUND, np.uint8)
    parsing[8:58, 8:56] = SKIN
    parsing[20:26, 14:50] = EYES
    parsing[MOUTH_ROWS, 16:48] = MOUTH
    face = np.full((SIDE, SIDE, 3), (30, 60, 200), np.float32)
    face[parsing == SKIN] = rgb((62, 14, 18))
    face[parsing == EYES] = rgb((80, 0, 2))
    face[44:48, 16:48], face[48:52, 16:48] = rgb((15, 10, 5)), rgb(teeth)
    return face, parsing


def test_skin_becomes_the_persons_eyes_stay_white_and_surroundings_as_they_are() -> None:
    face, parsing = drawn((60, 8, 20))
    after = lab_of(toned(face, parsing, DARK_SKIN))
    assert np.abs(after[34, 30] - DARK_SKIN).max() < 5
    assert np.abs(after[23, 30, 1:] - (0, 2)).max() < 1.5
    assert np.abs(toned(face, parsing, DARK_SKIN)[:4] - face[:4]).max() < 1.5


@pytest.mark.parametrize("lightness", [45, 79])
def test_eyes_are_lighter_and_darker_with_the_skin_but_less(lightness: int) -> None:
    face, parsing = drawn((60, 8, 20))
    after = lab_of(toned(face, parsing, np.array([lightness, 14, 18], np.float32), finished=False))
    skin, eyes = after[34, 30, 0] - 62, after[23, 30, 0] - 80
    assert eyes / skin == pytest.approx(FOLLOWING, abs=0.1)


def test_ears_of_another_colour_become_the_persons_too() -> None:
    face, parsing = drawn((60, 8, 20))
    parsing[20:40, :8], face[20:40, :8] = EARS, rgb((58, 22, 12))
    # Part of the background is in it.
    face[36:40, :8] = rgb((58, 50, 30))
    after = lab_of(toned(face, parsing, DARK_SKIN))
    assert np.abs(after[30, 3] - DARK_SKIN).max() < 5
    assert np.abs(after[38, 3, 1:] - DARK_SKIN[1:]).max() < 9


def test_toning_has_a_limit() -> None:
    face, parsing = drawn((60, 8, 20))
    after = lab_of(toned(face, parsing, np.array([5, 14, 18], np.float32)))
    assert after[34, 30, 0] == pytest.approx(62 - LARGEST_TONING, abs=1.5)


def test_only_finished_faces_get_white_teeth() -> None:
    face, parsing = drawn((60, 6, 12))
    parsing[44:46, 16:48] = parsing[50:52, 16:48] = SKIN
    rough, finished = (lab_of(toned(face, parsing, np.array([62, 14, 18], np.float32), finished=f))[49, 30] for f in (False, True))
    assert np.abs(rough - (60, 6, 12)).max() < 2
    assert finished[0] > rough[0] + 1 and np.hypot(*finished[1:]) < 0.9 * np.hypot(*rough[1:])


def test_gray_photos_have_gray_faces() -> None:
    levels = np.repeat(np.arange(200, dtype=np.uint8)[:, None], 3, 1)
    assert is_gray(levels)
    assert not is_gray(levels + np.uint8([40, 20, 0]))
    face, _ = drawn((60, 8, 20))
    assert np.ptp(gray(face[None]), -1).max() == 0
