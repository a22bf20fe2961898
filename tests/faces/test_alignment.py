"""The canonical crop and its way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from masquerade.enlarging import lay
from masquerade.faces.alignment import TEMPLATE, canonical_matrix, finer, region_of, scale_of, take_crop
from masquerade.types import Face, Floats, Pixels

SIZE = 128


def face_at(x: float, y: float, width: float, turn_deg: float = 0.0) -> Face:
    """A face of average proportions whose box is `width` wide and centred at x, y."""
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = (TEMPLATE - TEMPLATE.mean(0)) * width / 0.5 @ rotation.T + (x, y)
    half_h = 0.625 * width
    return Face((x - width / 2, y - half_h, x + width / 2, y + half_h), landmarks.astype(np.float32), 0.9)


def smooth_photo(height: int, width: int) -> Pixels:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (height // 32 + 2, width // 32 + 2, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def soft_disc(size: int) -> Floats:
    radius = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2)) / (size / 2)
    return np.clip((0.8 - radius) / 0.2, 0, 1).astype(np.float32)


@pytest.mark.parametrize("turn_deg", [0, 30, 90, 180, -120])
@pytest.mark.parametrize("width", [20, 60, 400])
def test_landmarks_of_an_average_face_land_on_the_template(width: float, turn_deg: float) -> None:
    face = face_at(500, 400, width, turn_deg)
    matrix = canonical_matrix(face, SIZE)
    assert np.allclose(face.landmarks @ matrix[:, :2].T + matrix[:, 2], TEMPLATE * SIZE, atol=0.05)


@pytest.mark.parametrize("face", [face_at(150, 140, 90), face_at(150, 140, 90, 40), face_at(8, 290, 90), face_at(150, 140, 20)])
def test_round_trip_changes_nothing_where_the_mask_is_zero(face: Face) -> None:
    photo = smooth_photo(300, 320)
    matrix = canonical_matrix(face, SIZE)
    mask = soft_disc(SIZE)
    changed = photo.copy()
    lay(changed, np.zeros((SIZE, SIZE, 3), np.float32), mask, matrix, np.random.default_rng(0))
    reach = cv2.warpAffine(mask, matrix, (320, 300), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.array_equal(changed[reach == 0], photo[reach == 0])
    assert not np.array_equal(changed, photo)


@pytest.mark.parametrize("turn_deg", [0, 25])
def test_round_trip_gives_a_smooth_photo_back(turn_deg: float) -> None:
    photo = smooth_photo(300, 320)
    matrix = canonical_matrix(face_at(150, 140, 70, turn_deg), SIZE)
    back = photo.copy()
    lay(back, take_crop(photo, matrix, SIZE).pixels.astype(np.float32), soft_disc(SIZE), matrix, np.random.default_rng(0), grain=0)
    assert np.abs(back.astype(int) - photo).max() <= 6


def test_empty_mask_changes_nothing() -> None:
    photo = smooth_photo(100, 120)
    back = photo.copy()
    white = np.full((SIZE, SIZE, 3), 255, np.float32)
    lay(back, white, np.zeros((SIZE, SIZE), np.float32), canonical_matrix(face_at(60, 50, 40), SIZE), np.random.default_rng(0))
    assert np.array_equal(back, photo)


def test_profile_keeps_the_whole_box_in_the_crop() -> None:
    frontal = face_at(200, 200, 100)
    narrow = frontal.landmarks.copy()
    narrow[:, 0] = 170 + 0.05 * (narrow[:, 0] - 200)
    profile = Face(frontal.box, narrow, 0.9)
    matrix = canonical_matrix(profile, SIZE)
    assert scale_of(matrix) <= SIZE / (1.3 * profile.height) + 1e-9
    assert abs(matrix[1, 0]) < 0.2 * abs(matrix[0, 0])


@pytest.mark.parametrize("landmarks", [np.full((5, 2), 200.0), np.tile([[190.0, 200.0]], (5, 1)) + 1e-4])
def test_landmarks_in_one_point_give_an_upright_crop_as_large_as_the_box(landmarks: Floats) -> None:
    matrix = canonical_matrix(Face((150, 140, 250, 265), landmarks.astype(np.float32), 0.9), SIZE)
    assert np.isfinite(matrix).all()
    assert scale_of(matrix) == pytest.approx(SIZE / (1.3 * 125), rel=0.01)


def test_crop_over_the_edge_repeats_the_edge_and_says_so() -> None:
    photo = smooth_photo(200, 200)
    crop = take_crop(photo, canonical_matrix(face_at(0, 100, 80), SIZE), SIZE)
    assert 0.4 < crop.inside.mean() < 0.6
    outside = crop.pixels[64][~crop.inside[64]]
    assert len(outside) > 30
    assert (outside.max(0) - outside.min(0) <= 2).all()


def test_crop_wholly_outside_is_nowhere_inside() -> None:
    crop = take_crop(smooth_photo(200, 200), canonical_matrix(face_at(-500, 100, 80), SIZE), SIZE)
    assert not crop.inside.any()
    assert crop.pixels.shape == (SIZE, SIZE, 3)


def test_region_is_inside_the_photo_and_never_empty() -> None:
    for x, y in [(-500, -500), (900, 900), (100, 100)]:
        x0, y0, x1, y1 = region_of(canonical_matrix(face_at(x, y, 50), SIZE), SIZE, 320, 300)
        assert 0 <= x0 < x1 <= 320
        assert 0 <= y0 < y1 <= 300


def checkerboard(side: int) -> Pixels:
    """Black and white pixels in turn: the finest texture there is."""
    return np.tile(np.array([[0, 255], [255, 0]], np.uint8), (side // 2, side // 2))[..., None].repeat(3, -1)


@pytest.mark.parametrize(("width", "most"), [(120, 40), (300, 8), (700, 8)])
@pytest.mark.parametrize("turn_deg", [0, 20])
def test_fine_texture_of_a_large_face_does_not_alias(width: int, most: float, turn_deg: float) -> None:
    side = int(1.6 * width) * 2
    matrix = canonical_matrix(face_at(side / 2, side / 2, width, turn_deg), SIZE)
    assert take_crop(checkerboard(side), matrix, SIZE).pixels[16:-16, 16:-16].astype(float).std() < most


def test_fine_texture_laid_onto_a_small_face_does_not_alias() -> None:
    photo = np.full((60, 60, 3), 127, np.uint8)
    lay(
        photo,
        checkerboard(SIZE).astype(np.float32),
        np.ones((SIZE, SIZE), np.float32),
        canonical_matrix(face_at(30, 30, 16, 10), SIZE),
        np.random.default_rng(0),
    )
    assert photo[22:38, 22:38].astype(float).std() < 12


def test_a_finer_crop_shows_the_same_with_more_pixels() -> None:
    photo = smooth_photo(300, 320)
    matrix = canonical_matrix(face_at(150, 140, 90, 20), 32)
    small, large = take_crop(photo, matrix, 32).pixels, take_crop(photo, finer(matrix, 4), 128).pixels
    means = large.reshape(32, 4, 32, 4, 3).mean((1, 3))
    away = (means - small)[4:-4, 4:-4]
    assert np.abs(away).max() < 3
    assert np.abs(away.mean((0, 1))).max() < 0.1
