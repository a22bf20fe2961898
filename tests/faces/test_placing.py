"""Where a face lies in its crop is told from LandmarkNet's points; what is far off is mended, what is usual is left."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.faces.alignment import TEMPLATE, canonical_matrix
from masquerade.faces.placing import FIVE, MIDDLE, UPRIGHT, USUAL, Placement, placed, placement_of
from masquerade.types import Face, Floats

FACE = Face((10, 10, 90, 110), (TEMPLATE * 130 - 15).astype(np.float32), 0.9)


def _points(placement: Placement) -> Floats:
    """A mesh whose five points this would lay where they usually are."""
    points = np.zeros((478, 3), np.float32)
    matrix = placement.matrix
    for which, there in zip(FIVE, USUAL, strict=True):
        points[list(which), :2] = np.linalg.solve(matrix[:, :2], there - matrix[:, 2])
    return points


@pytest.mark.parametrize("placement", [Placement(), Placement(0.6, -0.2, 0.1, -0.05), Placement(-0.3, 0.1, -0.02, 0.0)])
def test_it_is_told_from_the_points(placement: Placement) -> None:
    seen = placement_of(_points(placement))
    assert np.allclose(seen.matrix, placement.matrix, atol=1e-4)


def test_what_is_usual_is_left_and_what_is_far_off_mended() -> None:
    assert Placement(0.15, 0.05, 0.02, 0.01).needed() == Placement()
    assert Placement(0.15, 0.3, 0.1, 0.0).needed() == Placement()
    far = Placement(0.6, 0.05, 0.08, 0.0)
    assert far.needed().right == pytest.approx(0.08) and far.needed().turn == pytest.approx(0.6 - UPRIGHT)
    assert far.needed(0.5).turn == pytest.approx(0.1)
    assert Placement(0.0, 0.0, 2.0, 0.0).needed() == Placement()


def test_one_after_the_other() -> None:
    first, second = Placement(0.3, 0.1, 0.05, -0.02), Placement(-0.1, 0.05, 0.01, 0.03)
    whole = np.vstack([second.matrix, [0, 0, 1]]) @ np.vstack([first.matrix, [0, 0, 1]])
    assert np.allclose(first.then(second).matrix, whole[:2], atol=1e-9)


def test_a_placed_face_is_cropped_where_it_should_be() -> None:
    placement = Placement(0.4, -0.1, 0.05, 0.03)
    crop, again = canonical_matrix(FACE, 1), canonical_matrix(placed(FACE, placement), 1)
    whole = np.vstack([placement.matrix, [0, 0, 1]]) @ np.vstack([crop, [0, 0, 1]])
    assert np.allclose(again, whole[:2], atol=1e-4)
    assert placed(FACE, Placement()) is FACE
    assert np.allclose(MIDDLE, TEMPLATE.mean(0))
