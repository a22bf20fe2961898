"""How a crop is laid into a photo."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.enlarging import lay


def square_mask() -> np.ndarray:
    mask = np.zeros((128, 128), np.float32)
    mask[32:96, 32:96] = 1
    return mask


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 2.0])
def test_nothing_changes_outside_the_mask(scale: float) -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (600, 700, 3), dtype=np.uint8)
    before = photo.copy()
    matrix = np.array([[scale, 0, 64 - 300 * scale], [0, scale, 64 - 280 * scale]])
    lay(photo, np.full((128, 128, 3), 200, np.float32), square_mask(), matrix, np.random.default_rng(0))
    reach = 33 / scale + 2
    y, x = np.mgrid[:600, :700]
    outside = (np.abs(x - 300) > reach) | (np.abs(y - 280) > reach)
    assert np.array_equal(photo[outside], before[outside])
    assert not np.array_equal(photo[270:290, 290:310], before[270:290, 290:310])


def test_a_face_at_its_own_size_is_laid_without_loss() -> None:
    photo = np.full((200, 200, 3), 90, np.uint8)
    face = np.random.default_rng(1).integers(0, 256, (128, 128, 3)).astype(np.float32)
    lay(photo, face, square_mask(), np.array([[1.0, 0, -20], [0, 1.0, -30]]), np.random.default_rng(0))
    assert np.array_equal(photo[30 + 40 : 30 + 90, 20 + 40 : 20 + 90], face[40:90, 40:90].astype(np.uint8))


def test_enlarged_faces_get_the_grain_of_a_noisy_photo_and_none_in_a_clean_one() -> None:
    def deviation(noise: float) -> float:
        rng = np.random.default_rng(2)
        photo = np.clip(128 + noise * rng.standard_normal((800, 800, 3)), 0, 255).astype(np.uint8)
        lay(photo, np.full((128, 128, 3), 120, np.float32), square_mask(), np.array([[0.2, 0, -16.0], [0, 0.2, -16.0]]), rng)
        return float(photo[380:420, 380:420].std())

    assert deviation(0) < 0.6
    assert deviation(8) > 2
