"""Frames come down to 255 colours: exactly where that is possible, nearly where it is not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from masquerade.media.gifs import Palettes, loops_of

RGBA = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def reduced(original: RGBA, changed: RGBA) -> RGBA:
    frames = [VideoFrame.from_ndarray(np.ascontiguousarray(p), format="rgba") for p in (original, changed)]
    for frame in frames:
        frame.pts, frame.time_base = 7, Fraction(1, 100)
    palettes = Palettes()
    palettes.choose(frames[0])
    there = palettes(frames[1])
    assert (there.pts, there.format.name) == (7, "pal8")
    return there.reformat(format="rgba").to_ndarray()


def few_colours() -> RGBA:
    rgb = np.random.default_rng(0).integers(0, 6, (40, 60, 3), np.uint8) * 50
    return np.dstack([rgb, np.full((40, 60), 255, np.uint8)])


def test_few_colours_stay_exact_where_nothing_changed() -> None:
    original = few_colours()
    changed = original.copy()
    changed[10:20, 10:20, :3] = (101, 149, 51)
    found = reduced(original, changed)
    assert np.array_equal(found[20:], original[20:])
    assert (found[10:20, 10:20, :3] == (100, 150, 50)).all()


def test_many_colours_stay_near() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 160), np.linspace(0, 1, 120))
    original = np.dstack([255 * x, 255 * y, 255 * (1 - x), np.full_like(x, 255)]).astype(np.uint8)
    found = reduced(original, original)
    assert np.abs(found.astype(int) - original).mean() < 6
    assert len(np.unique(found.reshape(-1, 4), axis=0)) <= 256


def test_transparent_pixels_stay_transparent() -> None:
    original = few_colours()
    original[:5, :, 3] = 0
    assert np.array_equal(reduced(original, original)[..., 3], original[..., 3])
    original[..., 3] = 0
    assert reduced(original, original)[..., 3].max() == 0


@pytest.mark.parametrize(("loop", "as_written"), [(None, -1), (0, 0), (5, 5)])
def test_knows_how_often_a_gif_repeats(tmp_path: Path, loop: int | None, as_written: int) -> None:
    pictures = [Image.new("P", (8, 8), n) for n in range(2)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=50, **({} if loop is None else {"loop": loop}))
    assert loops_of(tmp_path / "a.gif") == as_written


def test_other_files_repeat_for_ever(tmp_path: Path) -> None:
    assert loops_of(tmp_path / "a.mp4") == 0
