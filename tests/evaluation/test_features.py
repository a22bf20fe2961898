from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from masquerade.evaluation.features import frechet_distance, likeness, pixelated
from masquerade.types import Floats, Pixels


def _drawn(count: int, mean: float, seed: int, dimensions: int = 6) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.normal(mean, 1, (count, dimensions)) * np.arange(1, dimensions + 1)).astype(np.float32)


@pytest.mark.parametrize("count", [200, 4], ids=["more vectors than numbers", "fewer"])
def test_frechet_distance_is_the_formula(count: int) -> None:
    a, b = _drawn(count, 0, 1), _drawn(count, 0.5, 2)
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shared = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * shared)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)


def test_frechet_distance_of_a_set_to_itself_is_zero() -> None:
    a = _drawn(50, 0, 1)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_faces_of_the_same_kind_reach_the_floor_and_others_do_not() -> None:
    found = likeness(_drawn(400, 0, 1), _drawn(400, 0, 2), _drawn(400, 1, 3))
    assert found is not None
    assert found.ratio == pytest.approx(1, abs=0.5)
    assert found.share_of_pixelation == pytest.approx(0, abs=0.05)
    assert found.pixelated > 10 * found.floor


def test_unchanged_faces_are_no_nearer_than_the_floor() -> None:
    original = _drawn(100, 0, 1)
    found = likeness(original, original, _drawn(100, 1, 3))
    assert found is not None
    assert found.ratio == pytest.approx(1)


def test_few_faces_give_no_figure() -> None:
    few = _drawn(10, 0, 1)
    assert likeness(few, few, few) is None


def test_pixelated_changes_the_face_alone(photo: Pixels) -> None:
    blocks = pixelated(photo, (100.0, 100.0, 150.0, 150.0))
    changed = np.flatnonzero((blocks != photo).any((1, 2)))
    assert changed.min() >= 100
    assert changed.max() < 150
    assert len(np.unique(blocks[100:150, 100:150].reshape(-1, 3), axis=0)) <= 100


def test_a_face_outside_the_photo_is_left(photo: Pixels) -> None:
    assert (pixelated(photo, (500.0, 500.0, 550.0, 550.0)) == photo).all()
