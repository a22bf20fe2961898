"""What networks see beyond a photo's edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masquerade.faces.alignment import TEMPLATE, canonical_matrix, take_crop
from masquerade.faces.completing import completed, faded
from masquerade.types import Crop, Face

SIZE, MIDDLE = 128, 64


def cut_off(nose_px: float = 0.0, seed: int = 0) -> tuple[Crop, Face]:
    """A crop of which the right third lies beyond the edge of a speckled photo, and its face, the nose moved to one side."""
    landmarks = (TEMPLATE * SIZE).astype(np.float32) - 0.5
    landmarks[2, 0] += nose_px
    face = Face((30.0, 30.0, 98.0, 110.0), landmarks, 0.9)
    photo = np.random.default_rng(seed).integers(0, 256, (SIZE, 85, 3)).astype(np.uint8)
    level = replace(face, landmarks=(TEMPLATE * SIZE).astype(np.float32) - 0.5)
    return take_crop(photo, canonical_matrix(level, SIZE), SIZE), face


def test_the_other_half_of_a_face_is_its_mirror_image() -> None:
    crop, face = cut_off()
    whole = completed(crop, face)
    assert np.array_equal(whole.pixels[MIDDLE, 90], crop.pixels[MIDDLE, SIZE - 1 - 90])
    assert np.array_equal(whole.pixels[crop.inside], crop.pixels[crop.inside])
    assert np.array_equal(whole.inside, crop.inside)


def test_a_neighbour_is_not_mirrored() -> None:
    crop, face = cut_off()
    beyond = completed(crop, face).pixels[:, 120:].astype(float)
    assert beyond.std(0).mean() < 0.5 * crop.pixels[:, :8].std(0).mean()


@pytest.mark.parametrize("nose_px", [-30.0, 30.0])
def test_a_profile_does_not_look_at_itself(nose_px: float) -> None:
    crop, face = cut_off(nose_px)
    beyond = completed(crop, face).pixels[MIDDLE, 86:100]
    assert not np.array_equal(beyond, crop.pixels[MIDDLE, SIZE - 100 : SIZE - 86][::-1])
    # Blurred, and not in stripes.
    assert np.ptp(beyond.astype(int), 0).max() < np.ptp(crop.pixels[MIDDLE, :85].astype(int), 0).max() / 2


def test_who_draws_sees_colours_only() -> None:
    crop, face = cut_off()
    seen = faded(completed(crop, face))
    assert np.array_equal(seen[crop.inside], crop.pixels[crop.inside])
    assert seen[~crop.inside].std(0).max() < 15 < crop.pixels[crop.inside].std(0).min()
    # Whatever was filled in there.
    other = replace(crop, pixels=np.where(crop.inside[..., None], crop.pixels, np.uint8(255)))
    assert np.array_equal(faded(other), seen)


def test_a_whole_crop_stays_as_it_is() -> None:
    crop, face = cut_off()
    whole = replace(crop, inside=np.ones_like(crop.inside))
    assert completed(whole, face) is whole
    assert faded(whole) is whole.pixels
