"""Photos made for measuring recall: made-up heads and patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masquerade.evaluation import scenes
from masquerade.evaluation.scenes import ANGLES_DEG, LIGHTS, SIZES_PX, Head
from masquerade.types import Face, Pixels

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def head() -> Head:
    """A red disc with a blue spot where the landmarks' middle is, 100 pixels wide in a picture of 200."""
    radius = np.hypot(*(np.mgrid[:200, :200] - 100))
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[radius < 60] = (220, 20, 20)
    face = Face((50, 40, 150, 160), np.full((5, 2), 100, np.float32), 0.9)
    return Head(pixels, (radius < 60).astype(np.float32), face)


@pytest.fixture
def patches() -> list[Pixels]:
    return [np.full((128, 128, 3), level, np.uint8) for level in (90, 130)]


@pytest.mark.parametrize("size", [12, 48, 150])
def test_head_is_pasted_at_its_place_in_its_size(head: Head, size: int) -> None:
    photo = np.full((400, 500, 3), 100, np.uint8)
    scenes.paste_head(photo, head, (200.0, 150.0), size, 30)
    ys, xs = np.nonzero(photo[..., 0] > 160)
    assert xs.mean() == pytest.approx(200, abs=0.6)
    assert ys.mean() == pytest.approx(150, abs=0.6)
    assert np.ptp(xs) == pytest.approx(1.2 * size, abs=2.5)


def test_head_over_the_edge_is_cut(head: Head) -> None:
    photo = np.full((100, 100, 3), 100, np.uint8)
    scenes.paste_head(photo, head, (0.0, 99.0), 60, 0)
    assert (photo[:20] == 100).all()
    assert (photo[80:, :20, 0] > 160).any()


def test_background_is_of_the_asked_size_and_made_of_the_patches(patches: list[Pixels]) -> None:
    photo = scenes.background(patches, 300, 200, np.random.default_rng(0))
    assert photo.shape == (200, 300, 3)
    assert photo.min() >= 89
    assert photo.max() <= 131


def test_light() -> None:
    photo = np.full((50, 50, 3), 120, np.uint8)
    normal, dark, bright = (scenes.relight(photo, light, np.random.default_rng(0)).mean() for light in LIGHTS)
    assert dark < 60 < normal < 140 < bright


def test_scenes_hold_every_size_and_angle_and_can_be_made_again(head: Head, patches: list[Pixels]) -> None:
    first, second = (next(scenes.scenes([head], patches, np.random.default_rng(4), 1, (1000,))) for _ in range(2))
    assert np.array_equal(first.photo, second.photo)
    assert {(p.size_px, p.angle_deg) for p in first.faces} == {(s, a) for s in SIZES_PX for a in ANGLES_DEG}


@pytest.mark.skipif(not (DATA / "celebamask.tar").exists(), reason="celebamask.tar is not at hand")
def test_real_heads_and_patches() -> None:
    heads, patches = scenes.read_heads(DATA, 4)
    assert len(heads) == 4
    assert len(patches) > 4
    assert all(h.mask.shape == h.pixels.shape[:2] and 0.1 < h.mask.mean() < 0.95 for h in heads)
