"""Videos that show a clip and its variants beside each other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from masquerade.media.videos import Clip
from masquerade.media.whole_files import whole_file
from masquerade.types import Pixels

COMPARISON_LINES = 480
COMPARISON_TIME_BASE = Fraction(1, 90_000)


@contextlib.contextmanager
def side_by_side(target: Path, clip: Clip, panels: int) -> Iterator[Callable[[Fraction, list[Pixels]], None]]:
    """Writes a video whose frames are several pictures beside each other, at most 480 lines high.

    Args:
        target: the file; appears when it is whole, also in the place of an earlier one.
        clip: where rate and size come from.
        panels: how many pictures lie beside each other.

    Yields:
        A function that takes a frame's time in seconds and its pictures, RGB uint8, all of the clip's size.
    """
    width, height = (clip.height, clip.width) if clip.turns % 2 else (clip.width, clip.height)
    scale = min(1.0, COMPARISON_LINES / height)
    size = max(2, 2 * round(width * scale / 2)), max(2, 2 * int(height * scale / 2))
    with whole_file(target, overwrite=True) as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=clip.rate, width=panels * size[0], height=size[1], options={"preset": "veryfast", "crf": "20"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = COMPARISON_TIME_BASE
        last = -1

        def write(time_s: Fraction, pictures: list[Pixels]) -> None:
            nonlocal last
            small = [np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8) for picture in pictures]
            frame = VideoFrame.from_ndarray(np.concatenate(small, 1), format="rgb24")
            last = max(last + 1, round(time_s / COMPARISON_TIME_BASE))
            frame.pts, frame.time_base = last, COMPARISON_TIME_BASE
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))
