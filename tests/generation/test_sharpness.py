"""New faces are as soft as the ones before, and never made sharper."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.generation.sharpness import SOFTER_PX, blurred, needed_blur
from masquerade.types import Floats

MASK = (np.hypot(*(np.mgrid[:128, :128] - 64)) < 50).astype(np.float32)
SHARP: Floats = cv2.resize(astronaut()[30:220, 130:320], (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32)


def soft(sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(SHARP, (0, 0), sigma), np.float32)


def test_a_face_as_sharp_as_the_one_before_stays() -> None:
    assert needed_blur(SHARP.astype(np.uint8), SHARP, MASK) == 0
    assert blurred(SHARP, 0) is SHARP


def test_a_sharp_photo_makes_no_face_sharper() -> None:
    assert needed_blur(SHARP.astype(np.uint8), soft(1.5), MASK) == 0


@pytest.mark.parametrize("sigma", [0.8, 1.25, 2.0])
def test_in_a_photo_out_of_focus_a_sharp_face_gets_its_softness(sigma: float) -> None:
    found = needed_blur(soft(sigma).astype(np.uint8), SHARP, MASK)
    assert 0.7 * sigma < found < 1.5 * sigma


def test_light_and_colour_do_not_matter() -> None:
    dim = (soft(1.25) * (0.45, 0.4, 0.3)).astype(np.uint8)
    assert 0.8 <= needed_blur(dim, SHARP, MASK) <= 1.6


def test_the_softest_photos_get_the_largest_blur() -> None:
    assert needed_blur(np.full((128, 128, 3), 90, np.uint8), SHARP, MASK) == SOFTER_PX[-1]


def test_in_the_dark_no_face_is_sharp() -> None:
    blurs = [needed_blur(SHARP.astype(np.uint8), SHARP, MASK, gain) for gain in (1.0, 3.0, 8.0)]
    assert blurs[0] == 0 < blurs[1] < blurs[2] <= 1.5


def test_where_nothing_is_replaced_nothing_is_blurred() -> None:
    assert needed_blur(soft(2).astype(np.uint8), SHARP, np.zeros((128, 128), np.float32)) == 0


def test_finer_faces_are_blurred_by_as_much_of_the_face() -> None:
    fine = np.asarray(cv2.resize(SHARP, (512, 512), interpolation=cv2.INTER_CUBIC), np.float32)
    small = cv2.resize(blurred(fine, 1.25), (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(small - blurred(SHARP, 1.25))[4:-4, 4:-4].mean() < 2.5
