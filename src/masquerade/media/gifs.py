"""Animated GIFs: every frame in colours of its own, the untouched parts exactly as they were; and how often the animation repeats."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from PIL import Image

DITHER, DITHER_OF_GIFS = "bayer:bayer_scale=4", "none"
"""Clips need a pattern to hide how few colours there are. GIFs had few before: the nearest ones serve a new face as well, a pattern would
only tremble, and colours that are in the palette, as all that was not changed, stay exact."""


COLOURS, OPAQUE = 256, 128
"""Size of a palette; alpha from which a pixel is shown."""


class Palettes:
    """Brings RGBA frames down to 255 colours and one transparent: to those of the frame before anything was changed in it.

    The untouched parts of a frame that came from a GIF are thus the same to the last pixel, and a new face of the old tone finds its
    colours in the palette. Frames come in one order to both methods.

    Args:
        width: of the frames in pixels.
        height: the same.
        time_base: seconds in one tick of their times.
        from_gif: whether the frames had so few colours already.
    """

    def __init__(self, width: int, height: int, time_base: Fraction, from_gif: bool) -> None:
        size = f"{width}x{height}"
        self._chosen: deque[VideoFrame] = deque()
        choosing = Graph()
        self._original, choose = _source(choosing, size, "rgba", time_base), choosing.add("palettegen", "stats_mode=single")
        self._palette = choosing.add("buffersink")
        self._original.link_to(choose)
        choose.link_to(self._palette)
        choosing.configure()
        using = Graph()
        self._changed, self._given = _source(using, size, "rgba", time_base), _source(using, "16x16", "bgra", time_base)
        use, self._reduced = using.add("paletteuse", f"new=1:dither={DITHER_OF_GIFS if from_gif else DITHER}"), using.add("buffersink")
        self._changed.link_to(use, 0, 0)
        self._given.link_to(use, 0, 1)
        use.link_to(self._reduced)
        using.configure()
        # A graph lives as long as something in Python holds it.
        self._graphs = choosing, using

    def choose(self, original: VideoFrame) -> None:
        """Chooses the colours of the next frame."""
        exact = _exact_palette(original)
        if exact is None:
            self._original.push(original)
            exact = _pulled(self._palette)
        self._chosen.append(exact)

    def __call__(self, changed: VideoFrame) -> VideoFrame:
        """The next frame in `pal8`, with its time."""
        palette = self._chosen.popleft()
        palette.pts, palette.time_base = changed.pts, changed.time_base
        self._given.push(palette)
        self._changed.push(changed)
        reduced = _pulled(self._reduced)
        reduced.pts, reduced.time_base, reduced.duration = changed.pts, changed.time_base, changed.duration
        return reduced


def _exact_palette(frame: VideoFrame) -> VideoFrame | None:
    """A picture of 16 x 16 with all opaque colours of an RGBA frame and a transparent one, or None where there are too many."""
    pixels = frame.to_ndarray()
    colours = np.unique(np.ascontiguousarray(pixels).view(np.uint32)[pixels[..., 3:] >= OPAQUE])
    if len(colours) >= COLOURS:
        return None
    rgba = np.zeros(COLOURS, np.uint32)
    rgba[: len(colours)] = colours
    rgba[len(colours) : -1] = colours[-1] if len(colours) else 0
    return VideoFrame.from_ndarray(rgba.view(np.uint8).reshape(16, 16, 4)[..., [2, 1, 0, 3]].copy(), format="bgra")


def _source(graph: Graph, size: str, pixel_format: str, time_base: Fraction) -> FilterContext:
    return graph.add("buffer", video_size=size, pix_fmt=pixel_format, time_base=f"{time_base.numerator}/{time_base.denominator}")


def _pulled(sink: FilterContext) -> VideoFrame:
    frame = sink.pull()
    assert isinstance(frame, VideoFrame)
    return frame


def loops_of(path: Path) -> int:
    """How often a GIF is repeated, as FFmpeg's writer counts: -1 never, 0 for ever; other files: for ever."""
    try:
        with Image.open(path) as picture:
            return int(picture.info.get("loop", -1)) if picture.format == "GIF" else 0
    except OSError:
        return 0
