"""Faces are followed by their texture, and given up when it is gone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.faces.motion import Cuts, follow
from masquerade.types import Face

Gray = NDArray[np.uint8]


def texture(seed: int, grain: float) -> Gray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).uniform(0, 255, (200, 300)).astype(np.float32), (0, 0), grain)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


SCENE = texture(0, 2.0)
FACE = Face((120, 70, 170, 130), np.array([[133, 92], [157, 92], [145, 104], [135, 116], [155, 116]], np.float32), 0.9)


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"), [(0, 1.0, (0, 0)), (0, 1.0, (9, -7)), (4, 1.0, (3, 2)), (0, 1.06, (-2, 4)), (0, 1.0, (0.4, 0.3))]
)
def test_follows_turns_and_growth(degrees: float, scale: float, shift: tuple[float, float]) -> None:
    matrix = cv2.getRotationMatrix2D((145, 100), degrees, scale)
    matrix[:, 2] += shift
    there = follow(SCENE, cv2.warpAffine(SCENE, matrix, (300, 200)), FACE)
    assert there is not None
    assert np.abs(there.landmarks - (FACE.landmarks @ matrix[:, :2].T + matrix[:, 2])).max() < 1
    assert there.width == pytest.approx(FACE.width * scale, rel=0.08)


def test_a_covered_face_is_lost() -> None:
    covered = SCENE.copy()
    covered[60:140, 110:180] = texture(1, 2.0)[60:140, 110:180]
    assert follow(SCENE, covered, FACE) is None


def test_a_face_in_nothing_is_lost() -> None:
    blank = np.full_like(SCENE, 90)
    assert follow(blank, blank, FACE) is None


@pytest.mark.parametrize("box", [(-90.0, 50.0, -40.0, 110.0), (290.0, 190.0, 340.0, 250.0), (299.0, 199.0, 300.0, 200.0)])
def test_a_face_outside_the_picture_is_lost(box: tuple[float, float, float, float]) -> None:
    assert follow(SCENE, SCENE, Face(box, FACE.landmarks - FACE.landmarks[0] + np.float32(box[:2]), 0.9)) is None


def test_cuts_are_found_and_motion_is_none() -> None:
    one, other = texture(2, 25), texture(3, 25)
    cuts = Cuts()
    frames = [*(np.roll(one, 4 * n, 1) for n in range(8)), *(np.roll(other, 4 * n, 1) for n in range(8))]
    assert [cuts(frame) for frame in frames] == [n == 8 for n in range(16)]


def test_flashes_and_fades_are_no_cuts() -> None:
    cuts = Cuts()
    one = texture(2, 25) // 2
    assert not any(
        cuts(np.clip(one * gain + offset, 0, 255).astype(np.uint8)) for gain, offset in [(1, 0), (1, 90), (1, 0), (0.8, 0), (0.6, 0), (0.4, 0)]
    )
