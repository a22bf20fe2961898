"""What is changed in a frame's RGB comes into the frame; everything else stays, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import VideoFrame

from masquerade.media.frames import can_be_patched, upright_rgb, write_back
from masquerade.types import Pixels

BT601, BT709, BT2020 = 6, 1, 9


def smooth(width: int = 67, height: int = 53) -> Pixels:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([60 + 120 * x, 80 + 90 * y, 190 - 100 * x], 2).round().astype(np.uint8)


def frame_of(rgb: Pixels, pixel_format: str, matrix: int, full: bool) -> VideoFrame:
    scaler = {BT601: "ITU601", BT709: "ITU709", BT2020: "BT2020"}[matrix]
    frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format, dst_colorspace=scaler, dst_color_range=2 if full else 1)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "yuvj420p"])
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("turns", [0, 1])
def test_changes_come_back(pixel_format: str, matrix: int, full: bool, turns: int) -> None:
    full |= pixel_format.startswith("yuvj")
    frame = frame_of(smooth(), pixel_format, matrix, full)
    before = upright_rgb(frame, turns)
    planes = [bytes(plane) for plane in frame.planes]
    after = before.copy()
    after[12:32, 16:40] = (after[12:32, 16:40] * 0.7 + 40).astype(np.uint8)
    write_back(frame, before, after, turns)
    found = upright_rgb(frame, turns).astype(int)
    assert np.abs(found - after)[14:30, 18:38].mean() < 3
    far = np.ones(before.shape[:2], bool)
    far[8:36, 12:44] = False
    assert np.array_equal(found[far], before[far].astype(int))
    assert all(plane != bytes(new) for plane, new in zip(planes, frame.planes, strict=True))


def test_without_changes_not_a_bit_is_written() -> None:
    frame = frame_of(smooth(), "yuv420p10le", BT709, False)
    before = upright_rgb(frame, 0)
    planes = [bytes(plane) for plane in frame.planes]
    write_back(frame, before, before.copy(), 0)
    assert planes == [bytes(plane) for plane in frame.planes]


def test_the_decoders_own_frame_is_not_touched() -> None:
    frame = frame_of(smooth(), "yuv420p", BT601, False)
    before = upright_rgb(frame, 0)
    after = before.copy()
    after[10:20, 10:20] = 0
    write_back(frame, before, after, 0)
    assert before[15, 15].sum() > 0


def test_transparency_stays() -> None:
    rgba = np.dstack([smooth(), np.full((53, 67), 77, np.uint8)])
    frame = VideoFrame.from_ndarray(rgba, format="rgba")
    before = upright_rgb(frame, 0)
    after = before.copy()
    after[10:20, 10:20] = 9
    write_back(frame, before, after, 0)
    assert np.array_equal(frame.to_ndarray()[..., :3], after)
    assert (frame.to_ndarray()[..., 3] == 77).all()


@pytest.mark.parametrize(
    ("name", "can"), [("yuv420p", True), ("yuv422p12le", True), ("rgba", True), ("nv12", False), ("gbrp", False), ("yuva420p", False)]
)
def test_knows_what_it_can_patch(name: str, can: bool) -> None:
    assert can_be_patched(name) is can
