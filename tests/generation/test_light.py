"""A new face is lit as the one before was: from the same side, and as hard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.generation.lab import lab_of
from masquerade.generation.light import Light, between, light_of, lit
from masquerade.regions import BACKGROUND, EARS, HAIR, SKIN
from masquerade.types import Floats

SIDE = 128


def face(across: float = 0.0, down: float = 0.0, shadow: float = 0.0) -> tuple[Floats, NDArray[np.uint8]]:
    """Skin amid hair, lit from a side, with a soft shadow on one cheek, a little grain and a dark beard."""
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    parsing = np.full((SIDE, SIDE), HAIR, np.uint8)
    parsing[(x / 0.27) ** 2 + (y / 0.36) ** 2 <= 1] = SKIN
    cheek = np.exp(-(((x - 0.1) ** 2 + y**2) / 0.008))
    # The light is the cube of what CIELAB tells.
    light = np.exp(3 * (across * x + down * y - shadow * cheek))
    colour = np.array([0.42, 0.24, 0.16]) * light[..., None]
    colour[90:] *= 0.4
    grain = np.random.default_rng(0).normal(0, 1.5, (SIDE, SIDE, 1))
    return (255 * np.clip(colour, 0, 1) ** (1 / 2.2) + grain).clip(0, 255).astype(np.float32), parsing


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (0.8, 0.0), (-0.5, 0.4)])
def test_the_side_that_light_comes_from_is_told(across: float, down: float) -> None:
    light = light_of(*face(across, down))
    assert light is not None
    assert light.across == pytest.approx(across, abs=0.12) and light.down == pytest.approx(down, abs=0.12)


def test_shadows_are_told_from_grain() -> None:
    soft, hard = light_of(*face()), light_of(*face(shadow=0.4))
    assert soft is not None and hard is not None
    assert soft.contrast < 0.02 < 0.05 < hard.contrast


def test_a_face_is_lit_as_asked_and_keeps_its_tone() -> None:
    picture, parsing = face(-0.3, shadow=0.15)
    before = light_of(picture, parsing)
    assert before is not None
    wanted = Light(0.6, -0.3, 1.4 * before.contrast)
    after = lit(picture, parsing, wanted)
    light = light_of(after, parsing)
    assert light is not None
    assert light.across == pytest.approx(0.6, abs=0.15) and light.down == pytest.approx(-0.3, abs=0.15)
    assert light.contrast > 1.15 * before.contrast
    skin = parsing == SKIN
    assert np.abs(np.median(lab_of(after)[skin], 0) - np.median(lab_of(picture)[skin], 0)).max() < 2.5


def test_ears_are_darker_than_the_cheek_beside_them_on_the_side_of_the_light() -> None:
    """Carried on to them, the light makes ears glow."""
    picture, parsing = face()
    x = (np.mgrid[:SIDE, :SIDE][1] + 0.5) / SIDE - 0.5
    ears = (parsing == HAIR) & (np.abs(x) < 0.36) & (np.abs(np.mgrid[:SIDE, :SIDE][0] - 60) < 15)
    parsing[ears], picture[ears] = EARS, picture[60, 64]
    after = lab_of(lit(picture, parsing, Light(0.8, 0.0, 0.0)))[..., 0]
    bright, dark = after[ears & (x > 0.3)].mean(), after[ears & (x < -0.3)].mean()
    assert dark + 8 < bright < after[60, 95] - 5


def test_what_is_no_face_stays_as_it_was() -> None:
    picture, parsing = face()
    after = lit(picture, parsing, Light(1.0, 1.0, 0.1))
    assert np.abs(after[:10] - picture[:10]).max() < 1


def test_light_ends_as_softly_as_an_edge_is_drawn() -> None:
    """Ended at a pixel it would be a line around the face."""
    parsing = np.full((128, 128), BACKGROUND, np.uint8)
    parsing[30:100, 30:98] = SKIN
    face = np.full((128, 128, 3), 120, np.float32)
    row = lit(face, parsing, Light(0.8, 0.0, 0.0), harden=False)[60, :, 0] - 120
    steps = np.abs(np.diff(row))
    assert abs(row[33]) > 10 and np.abs(row[:26]).max() < 0.5
    assert steps[24:33].max() < 0.5 * abs(row[33])


def test_what_shines_loses_colour() -> None:
    parsing = np.full((128, 128), SKIN, np.uint8)
    face = np.full((128, 128, 3), (150, 110, 90), np.float32)
    face[40:60, 40:60] *= 1.5
    light = light_of(face, parsing)
    assert light is not None
    shone = lit(face, parsing, light, harden=False)

    def chroma(picture: Floats) -> float:
        return float(np.hypot(*lab_of(picture)[50, 50, 1:]))

    assert chroma(shone) < chroma(face) - 2
    assert np.abs(lab_of(shone)[50, 50, 0] - lab_of(face)[50, 50, 0]) < 2


def test_of_too_little_skin_nothing_is_told() -> None:
    picture, parsing = face()
    few = np.where(np.arange(SIDE) < 42, parsing, HAIR).astype(np.uint8)
    assert light_of(picture, few) is None
    assert np.array_equal(lit(picture, few, Light(1.0, 0.0, 0.1)), picture)
    inside = np.zeros((SIDE, SIDE), bool)
    assert light_of(picture, parsing, inside) is None


def test_light_is_steadied_as_far_as_it_is_known() -> None:
    one, other = Light(0.0, 1.0, 0.1), Light(1.0, 0.0, 0.2)
    assert between(one, other, 0.25) == pytest.approx((0.25, 0.75, 0.125))
    assert between(None, one, 0.25) == between(one, None, 0.25) == one
    assert between(None, None, 0.25) is None


def test_the_chin_turns_back_from_the_light() -> None:
    picture, parsing = face()
    after = lit(picture, parsing, Light(0.0, 0.8, 0.1), harden=False)
    rows = [np.median(after[y, 56:72] / picture[y, 56:72]) for y in (30, 64, 86, 105)]
    assert rows[0] < rows[1] < rows[2] > rows[3] > rows[0]
