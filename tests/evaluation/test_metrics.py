from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from masquerade.evaluation import metrics
from masquerade.types import Box, Face, Pixels


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (50, 50, 60, 60), 0.0),
    ],
)
def test_iou(a: Box, b: Box, expected: float) -> None:
    assert metrics.iou(a, b) == pytest.approx(expected)


def test_changes_inside_and_outside_are_told_apart(photo: Pixels, face_in: Callable[[Box], Face]) -> None:
    box = (60.0, 60.0, 80.0, 80.0)
    inside, outside = photo.copy(), photo.copy()
    inside[60:80, 60:80] = photo[60:80, 60:80] // 2
    outside[:20] = photo[:20] // 2
    assert metrics.change_inside(photo, inside, box) > 50
    assert metrics.change_outside(photo, inside, [face_in(box)]) == 0
    assert metrics.change_inside(photo, outside, box) == 0
    assert metrics.change_outside(photo, outside, [face_in(box)]) > 5


def test_faces_that_fill_the_photo_leave_no_outside(photo: Pixels, face_in: Callable[[Box], Face]) -> None:
    assert metrics.change_outside(photo, photo // 2, [face_in((0, 0, 160, 160))]) == 0


def test_skin_tone_is_the_inner_faces(photo: Pixels, face_in: Callable[[Box], Face]) -> None:
    photo[:] = 0
    photo[64:96, 55:85] = 255
    assert metrics.skin_tone(photo, face_in((40, 40, 100, 110))) == pytest.approx([100, 0, 0], abs=0.1)


@pytest.mark.parametrize(("lab", "expected"), [((70, 0, 20), 45), ((50, 0, 10), 0), ((30, 0, 20), -45)])
def test_typology_angle(lab: tuple[float, float, float], expected: float) -> None:
    assert metrics.typology_angle(np.array(lab, np.float32)) == pytest.approx(expected)


def test_thirds_are_medians_in_the_order_of_the_other() -> None:
    assert metrics.thirds([9, 1, 2, 3, 8, 7], by=[3, 1, 1.1, 2, 3.1, 2.1]) == [1.5, 5.0, 8.5]


def test_thirds_of_equals_have_only_a_lowest() -> None:
    assert metrics.thirds([4, 6], by=[1, 1]) == [5.0, None, None]


def test_likeness_leaves_pairs_of_one_photo_out() -> None:
    a, b = np.array([1, 0]), np.array([0.6, 0.8])
    vectors = np.array([a, a, b], np.float32)
    assert metrics.likeness_between(vectors, ["x", "x", "y"]) == pytest.approx(0.6)
    assert metrics.likeness_between(vectors, ["x", "x", "x"]) is None


def test_rank1_counts_probes_nearest_to_their_own() -> None:
    gallery = np.eye(4)
    assert metrics.rank1_rate(gallery, gallery) == 1
    assert metrics.rank1_rate(gallery[[1, 0, 2, 3]], gallery) == 0.5


def test_who_sorts_a_gallery_by_a_new_face_finds_its_person_first_last_or_anywhere() -> None:
    gallery = np.arange(5.0)[:, None]
    assert metrics.farther_share(gallery, gallery) == 1
    assert metrics.farther_share(gallery[::-1][:2] + 10, gallery[:2]) == 0.5
    assert metrics.farther_share(np.array([[9.0], [-9.0]]), np.array([[0.0], [1.0]])) == 0
    assert metrics.farther_share(gallery[:1], gallery[:1]) is None


def test_distances() -> None:
    a, b = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0]])
    assert metrics.distances_between(a, b) == pytest.approx(np.array([[0.0], [5.0]]))


def test_correlation() -> None:
    assert metrics.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert metrics.correlation([1, 2, 3], [5, 5, 5]) is None
    assert metrics.correlation([1, 2], [1, 2]) is None


@pytest.mark.parametrize(("a", "b", "expected"), [(10, 4, 6), (-179, 179, 2), (90, -90, 180)])
def test_degrees_apart(a: float, b: float, expected: float) -> None:
    assert metrics.degrees_apart(a, b) == pytest.approx(expected)
