"""Faces as shapes in the plane."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from masquerade.faces.geometry import are_one, centre, is_part, moved, overlap, roll_degrees
from masquerade.types import Box, Face


def face_of(box: Box, score: float = 0.9) -> Face:
    """A face whose landmarks lie in the usual places of its box."""
    shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]])
    return Face(box, (shares * (box[2] - box[0], box[3] - box[1]) + box[:2]).astype(np.float32), score)


@pytest.mark.parametrize("turn", [0, 30, -75, 90, 180])
def test_moved_face_is_turned_and_scaled(turn: float) -> None:
    face = face_of((10, 20, 50, 80))
    matrix = cv2.getRotationMatrix2D(centre(face), -turn, 2.0)
    away = moved(face, matrix)
    assert np.allclose(centre(away), centre(face))
    assert roll_degrees(away) == pytest.approx(turn, abs=0.01) or abs(roll_degrees(away)) == pytest.approx(180)
    assert max(away.width, away.height) <= 120.01
    back = moved(away, cv2.invertAffineTransform(matrix))
    assert np.allclose(back.landmarks, face.landmarks, atol=1e-3)


@pytest.mark.parametrize(
    ("other", "one"),
    [
        ((0, 0, 40, 50), True),
        ((6, 6, 44, 52), True),
        ((10, 10, 30, 35), True),  # the inner part of the same face
        ((30, 0, 70, 50), False),  # cheek to cheek
        ((24, 10, 64, 60), False),  # one behind the other
        ((100, 0, 140, 50), False),
    ],
)
def test_which_detections_are_one_face(other: Box, one: bool) -> None:
    assert are_one(face_of((0, 0, 40, 50)), face_of(other)) is one
    assert are_one(face_of(other), face_of((0, 0, 40, 50))) is one


def test_overlap_of_boxes() -> None:
    a = face_of((0, 0, 10, 10))
    assert overlap(a, a) == pytest.approx(1)
    assert overlap(a, face_of((5, 0, 15, 10))) == pytest.approx(1 / 3)
    assert overlap(a, face_of((10, 0, 20, 10))) == 0


@pytest.mark.parametrize(
    ("small", "part"),
    [((5, 5, 20, 25), True), ((27, 15, 47, 40), True), ((42, 20, 58, 40), False), ((0, 0, 30, 40), False)],
)
def test_which_detections_lie_on_a_larger_face(small: Box, part: bool) -> None:
    assert is_part(face_of(small), face_of((0, 0, 40, 50))) is part
