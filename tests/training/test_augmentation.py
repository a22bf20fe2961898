"""What lies before a face in training pictures is background in their maps, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.exposure import LIT
from masquerade.training.augmentation import BACKGROUND, SKIN, as_taken, occluded, veiled

SIZE = 128
FACE = (np.hypot(*(np.mgrid[:SIZE, :SIZE] - SIZE / 2)) < 45).astype(np.uint8) * SKIN
PICTURE = np.full((SIZE, SIZE, 3), (190, 140, 120), np.uint8)
OTHER = np.full((SIZE, SIZE, 3), (20, 200, 60), np.uint8)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_covered_becomes_background_and_the_rest_stays(seed: int) -> None:
    picture, parsing = occluded(PICTURE, FACE, OTHER, FACE, np.random.default_rng(seed))
    lost = (parsing != FACE) & (FACE == SKIN)
    assert set(np.unique(parsing)) <= {BACKGROUND, SKIN}
    assert ((parsing == FACE) | (parsing == BACKGROUND)).all()
    changed = np.abs(picture.astype(int) - PICTURE).sum(2) > 0
    assert changed[lost].mean() > 0.95 if lost.any() else True


def test_somebody_elses_head_covers_or_stands_beside() -> None:
    rng = np.random.default_rng(0)
    green = [(occluded(PICTURE, FACE, OTHER, FACE, rng)[0] == OTHER[0, 0]).all(2).sum() for _ in range(200)]
    assert sum(g > 500 for g in green) > 10


def test_without_its_map_no_head_is_taken() -> None:
    picture, parsing = occluded(PICTURE, FACE, OTHER, None, np.random.default_rng(1))
    assert picture.shape == PICTURE.shape and parsing.shape == FACE.shape


def test_the_same_chance_gives_the_same_picture() -> None:
    first, second = (occluded(PICTURE, FACE, OTHER, FACE, np.random.default_rng(5))[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_what_is_veiled_lost_its_details_or_comes_from_the_dark() -> None:
    rng = np.random.default_rng(0)
    lines = PICTURE.copy()
    lines[:, ::4] = 30
    for _ in range(40):
        picture = veiled(lines, rng)
        assert picture.shape == lines.shape and picture.dtype == np.uint8
        is_soft = np.abs(np.diff(picture[30:90, 30:90].astype(int), axis=1)).mean() < 0.6 * np.abs(np.diff(lines.astype(int), axis=1)).mean()
        assert is_soft or picture.mean() < 1.3 * LIT or np.abs(np.diff(picture.astype(int), axis=0)).mean() > 0.5


def test_cameras_show_one_picture_in_many_ways() -> None:
    shown = [as_taken(PICTURE, np.random.default_rng(seed)) for seed in range(12)]
    assert len({picture.tobytes() for picture in shown}) == 12
    assert np.array_equal(shown[3], as_taken(PICTURE, np.random.default_rng(3)))
