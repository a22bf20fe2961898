"""People with glasses get eyes behind them in their maps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from masquerade.regions import EYES, GLASSES, SKIN
from masquerade.training import glasses
from masquerade.training.mesh import LEFT_CONTOUR, RIGHT_CONTOUR

LEFT, RIGHT = slice(36, 58), slice(70, 92)
LENSES = slice(46, 58)


def mesh() -> np.ndarray:
    """Every point between the eyes, but the eyes' outlines: two ellipses."""
    points = np.full((478, 3), 0.5, np.float16)
    for outline, middle in ((LEFT_CONTOUR, 47), (RIGHT_CONTOUR, 81)):
        turn = np.linspace(0, 2 * np.pi, len(outline), endpoint=False)
        points[list(outline), 0], points[list(outline), 1] = (middle + 6 * np.cos(turn)) / 128, (52 + 3 * np.sin(turn)) / 128
    return points


@pytest.fixture
def wearers(prepared: Path, tmp_path: Path) -> Path:
    """The drawn faces, every third of them with glasses over the eyes, one of these with half of them."""
    folder = tmp_path / "wearers"
    shutil.copytree(prepared, folder)
    crops, maps = np.load(folder / "crops.npy"), np.load(folder / "parsing.npy")
    for lens in (LEFT, RIGHT):
        maps[::3, LENSES, lens] = GLASSES
    maps[0, LENSES, RIGHT] = SKIN
    crops[::3][maps[::3] == GLASSES] = (150, 110, 100)
    # And sunglasses.
    crops[3][maps[3] == GLASSES] = 20
    np.save(folder / "crops.npy", crops)
    np.save(folder / "parsing.npy", maps)
    np.save(folder / "mesh.npy", np.stack([mesh()] * len(maps)))
    return folder


def test_eyes_are_drawn_behind_glasses_only() -> None:
    worn = np.full((1, 128, 128), SKIN, np.uint8)
    worn[0, LENSES, LEFT] = GLASSES
    drawn = glasses.with_eyes(worn, mesh()[None])[0]
    assert drawn[52, 47] == EYES and drawn[47, 47] == GLASSES
    assert (drawn[:, 64:] == SKIN).all()
    assert (worn != EYES).all()


def test_sunglasses_and_half_glasses_teach_nothing(wearers: Path) -> None:
    crops, maps = glasses.wearers_of(wearers)
    # Of faces 0, 3, ..., 21 face 0 has half glasses, 3 sunglasses, and 15 is for validation.
    assert len(crops) == len(maps) == 5
    assert (maps == EYES).any((1, 2)).all() and (maps == GLASSES).any((1, 2)).all()
