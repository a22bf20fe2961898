"""A decoded frame as RGB, upright; and what was changed in the RGB back into the frame, so that all other samples stay as they were."""

from __future__ import annotations

import cv2
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from masquerade.media.videos import Clip
from masquerade.types import Pixels

MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}
"""FFmpeg's number of a frame's matrix to the scaler's; all others, and frames that do not say, are BT.601 to the scaler."""

FULL_RANGE = 2


def upright_rgb(frame: VideoFrame, turns: int) -> Pixels:
    """The frame as RGB uint8, height x width x 3, turned counterclockwise by so many quarters."""
    rgb: Pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def write_back(frame: VideoFrame, before: Pixels, after: Pixels, turns: int) -> None:
    """Puts what was changed in a frame's RGB into the frame itself.

    Only samples of changed pixels are written: the rest keeps its depth and is not converted twice.

    Args:
        frame: changed in place; planar YUV, gray, or RGBA.
        before: what `upright_rgb` gave.
        after: the same with changes, same shape.
        turns: as given to `upright_rgb`.
    """
    before, after = np.rot90(before, -turns), np.rot90(after, -turns)
    bounds = _bounds(before, after)
    if bounds is None:
        return
    x0, y0, x1, y1 = bounds
    part = np.ascontiguousarray(after[y0:y1, x0:x1])
    changed = _changed(np.ascontiguousarray(before[y0:y1, x0:x1]), part)
    frame.make_writable()
    if frame.format.name == "rgba":
        np.copyto(_samples(frame, 0)[y0:y1, x0:x1, :3], part, where=changed[..., None] > 0)
        return
    patch = _converted(part, frame)
    for index in range(len(frame.planes)):
        source = _samples(patch, index)[..., 0]
        down, across = -(-patch.height // source.shape[0]), -(-patch.width // source.shape[1])
        target = _samples(frame, index)[y0 // down :, x0 // across :, 0][: source.shape[0], : source.shape[1]]
        cv2.copyTo(source, _any_in_blocks(changed, down, across), target)


def _bounds(before: Pixels, after: Pixels) -> tuple[int, int, int, int] | None:
    """The rectangle x0, y0, x1, y1 that holds all changes, widened to whole samples of colour; None where there is no change."""
    height, width = before.shape[:2]
    rows = np.flatnonzero((before != after).reshape(height, -1).any(1))
    if not len(rows):
        return None
    y0, y1 = int(rows[0]) & ~3, min(int(rows[-1] | 3) + 1, height)
    columns = np.flatnonzero((before[y0:y1] != after[y0:y1]).any(0).any(1))
    return int(columns[0]) & ~3, y0, min(int(columns[-1] | 3) + 1, width), y1


def can_be_patched(format_name: str) -> bool:
    """Whether `write_back` knows a pixel format: planar YUV or gray of 8 to 16 bits, little endian, without alpha, or RGBA."""
    pixel_format = VideoFormat(format_name, 16, 16)
    if format_name == "rgba":
        return True
    planar = len({c.plane for c in pixel_format.components}) == len(pixel_format.components) and len(pixel_format.components) in (1, 3)
    plain = not (pixel_format.is_rgb or pixel_format.is_big_endian or pixel_format.has_palette or pixel_format.is_bit_stream)
    return planar and plain and all(8 <= c.bits <= 16 for c in pixel_format.components) and "f32" not in format_name and "f16" not in format_name


def _converted(part: Pixels, like: VideoFrame) -> VideoFrame:
    """RGB in the pixel format and colours of a frame."""
    full = like.color_range == FULL_RANGE or like.format.name.startswith("yuvj")
    return VideoFrame.from_ndarray(part, format="rgb24").reformat(
        format=like.format.name,
        dst_colorspace=MATRICES.get(int(like.colorspace), Colorspace.ITU601),
        dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
        threads=1,
    )


def _samples(frame: VideoFrame, index: int) -> NDArray[np.unsignedinteger]:
    """A view of a plane: rows x columns x samples in one place."""
    plane = frame.planes[index]
    components = [c for c in frame.format.components if c.plane == index]
    kind: type[np.unsignedinteger] = np.uint8 if components[0].bits <= 8 else np.uint16
    flat = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
    return flat[:, : plane.width * len(components)].reshape(plane.height, plane.width, len(components))


def _changed(before: Pixels, after: Pixels) -> NDArray[np.uint8]:
    """255 where two pictures differ, 0 where they do not."""
    return np.asarray(cv2.bitwise_not(cv2.inRange(cv2.absdiff(before, after), (0, 0, 0), (0, 0, 0))), np.uint8)


def _any_in_blocks(mask: NDArray[np.uint8], down: int, across: int) -> NDArray[np.uint8]:
    """For every block of down x across pixels the greatest value in it; blocks at the edges may be smaller."""
    height, width = -(-mask.shape[0] // down), -(-mask.shape[1] // across)
    blocks = np.zeros((height, width), np.uint8)
    for y in range(down):
        for x in range(across):
            part = mask[y::down, x::across]
            np.maximum(blocks[: part.shape[0], : part.shape[1]], part, out=blocks[: part.shape[0], : part.shape[1]])
    return blocks


class Turner:
    """Turns a clip's frames upright, in their own pixel format."""

    def __init__(self, clip: Clip) -> None:
        filters = {1: [("transpose", "dir=cclock")], 2: [("hflip", ""), ("vflip", "")], 3: [("transpose", "dir=clock")]}[clip.turns]
        self._graph = Graph()
        size, base = f"{clip.width}x{clip.height}", f"{clip.time_base.numerator}/{clip.time_base.denominator}"
        # The pixel format is that of the first frame; what comes in another is converted by the filter.
        last = self._source = self._graph.add("buffer", video_size=size, pix_fmt=clip.pixel_format, time_base=base)
        for name, options in filters:
            after = self._graph.add(name, options)
            last.link_to(after)
            last = after
        self._sink = self._graph.add("buffersink")
        last.link_to(self._sink)
        self._graph.configure()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame turned, with its time."""
        self._source.push(frame)
        turned = self._sink.pull()
        assert isinstance(turned, VideoFrame)
        turned.pts, turned.time_base, turned.duration = frame.pts, frame.time_base, frame.duration
        return turned
