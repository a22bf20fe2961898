"""Animated GIFs: every frame in colours of its own, the untouched parts exactly as they were; and how often the animation repeats."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from masquerade.types import Pixels

COLOURS, OPAQUE = 255, 128
"""A frame's colours besides the transparent one; alpha from which a pixel is shown."""

AT_ONCE = 8192
"""So many colours are compared with the palette at once."""


class Palettes:
    """Brings RGBA frames down to the colours that each had before anything was changed in it.

    The untouched parts of a frame that came from a GIF are thus the same to the last pixel, and a new face of the old tone finds its
    colours in the palette. Frames come in one order to both methods, which may run in two threads.
    """

    def __init__(self) -> None:
        self._chosen: deque[tuple[Pixels, bool]] = deque()

    def choose(self, original: VideoFrame) -> None:
        """Chooses the colours of the next frame."""
        pixels = np.asarray(original.to_ndarray(), np.uint8)
        found = np.unique(_packed(pixels[..., :3])[pixels[..., 3] >= OPAQUE])
        if len(found) <= COLOURS:
            self._chosen.append((_unpacked(found), True))
            return
        # A small copy shows all the colours that matter, at a sixteenth of the time.
        reduced = Image.fromarray(np.ascontiguousarray(pixels[::4, ::4, :3])).quantize(COLOURS, Image.Quantize.MEDIANCUT)
        self._chosen.append((np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:COLOURS], False))

    def __call__(self, changed: VideoFrame) -> VideoFrame:
        """The next frame in `pal8`, with its time."""
        pixels = np.asarray(changed.to_ndarray(), np.uint8)
        colours, had_few = self._chosen.popleft()
        # Where there were few colours before, the nearest ones serve; a pattern of dots would only tremble.
        indices = _nearest(pixels[..., :3], colours) if had_few else _dithered(pixels[..., :3], colours)
        indices[pixels[..., 3] < OPAQUE] = COLOURS
        palette = np.zeros((COLOURS + 1, 4), np.uint8)
        palette[:COLOURS, 0] = 255
        palette[: len(colours), 1:] = colours
        reduced = VideoFrame.from_ndarray((indices, palette), format="pal8")  # type: ignore[arg-type]
        reduced.pts, reduced.time_base, reduced.duration = changed.pts, changed.time_base, changed.duration
        return reduced


def _packed(rgb: Pixels) -> NDArray[np.uint32]:
    """One number for each pixel's colour."""
    red, green, blue = (rgb[..., k].astype(np.uint32) for k in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def _unpacked(packed: NDArray[np.uint32]) -> Pixels:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)


def _nearest(rgb: Pixels, colours: Pixels) -> NDArray[np.uint8]:
    """Index of the nearest colour for each pixel: the pixel's own where it is there."""
    if not len(colours):
        return np.zeros(rgb.shape[:2], np.uint8)
    found, where = np.unique(_packed(rgb), return_inverse=True)
    there = colours.astype(np.float32)
    lengths = (there**2).sum(1)
    parts = (_unpacked(found[start : start + AT_ONCE]).astype(np.float32) for start in range(0, len(found), AT_ONCE))
    nearest = np.concatenate([(lengths - 2 * part @ there.T).argmin(1) for part in parts])
    return nearest.astype(np.uint8)[where].reshape(rgb.shape[:2])


def _dithered(rgb: Pixels, colours: Pixels) -> NDArray[np.uint8]:
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    return np.array(Image.fromarray(np.ascontiguousarray(rgb)).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG), np.uint8)


def loops_of(path: Path) -> int:
    """How often a GIF is repeated, as FFmpeg's writer counts: -1 never, 0 for ever; other files: for ever."""
    try:
        with Image.open(path) as picture:
            return int(picture.info.get("loop", -1)) if picture.format == "GIF" else 0
    except OSError:
        return 0
