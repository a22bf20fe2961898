"""Dark faces are brightened for the networks, others are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.exposure import LARGEST_GAIN, LIFT, LIT, brightened, darkened, gain_of
from masquerade.types import Crop


def crop(level: int) -> Crop:
    return Crop(np.full((128, 128, 3), level, np.uint8), np.eye(2, 3), np.ones((128, 128), np.bool_))


@pytest.mark.parametrize(("level", "gain"), [(200, 1.0), (70, 1.0), (35, 2.0), (1, LARGEST_GAIN), (0, LARGEST_GAIN)])
def test_only_the_dark_is_brightened(level: int, gain: float) -> None:
    assert gain_of(crop(level)) == pytest.approx(gain)


def test_a_brightened_face_is_lit() -> None:
    dark = crop(20)
    dark.pixels[:10] = 255
    lit = brightened(dark, gain_of(dark))
    assert abs(float(lit.pixels[64, 64].mean()) - LIT) < 3
    assert (lit.pixels[:10] == 255).all()
    assert (dark.pixels[64, 64] == 20).all()


def test_what_lies_outside_the_picture_says_nothing_about_the_light() -> None:
    dark = crop(200)
    dark.pixels[:, 64:] = 20
    outside = Crop(dark.pixels, dark.matrix, np.broadcast_to(np.arange(128) >= 64, (128, 128)).copy())
    assert gain_of(outside) == pytest.approx(LIT / 20)
    nothing = Crop(dark.pixels, dark.matrix, np.zeros((128, 128), np.bool_))
    assert gain_of(nothing) == 1


def test_a_new_face_in_the_dark_is_a_little_brighter_than_the_old_one() -> None:
    drawn = np.full((128, 128, 3), 80, np.float32)
    assert darkened(drawn, 4.0).mean() == pytest.approx(20 + 0.75 * LIFT)
    assert darkened(drawn, 1.0) is drawn


def test_a_new_face_in_the_dark_is_paler() -> None:
    drawn = np.full((128, 128, 3), (160, 80, 60), np.float32)
    """But never gray: it is made brighter in its own hue."""
    colours = [darkened(drawn, gain)[0, 0] for gain in (1.0, 2.0, 8.0)]
    spans = [float(np.ptp(colour) / colour.mean()) for colour in colours]
    assert 1 == spans[0] > spans[1] > spans[2] > 0.5
