"""The four codecs: which encoder writes them, how, and in which pixel format a clip loses least."""

from __future__ import annotations

import os
from typing import Literal

import av
from av.video.format import VideoFormat
from av.video.reformatter import Colorspace

from masquerade.media.frames import can_be_patched
from masquerade.media.videos import Clip

Codec = Literal["h264", "hevc", "vp9", "av1"]

ENCODERS = {
    "h264": ("libx264", 18, {"preset": "superfast"}),
    "hevc": ("libx265", 20, {"preset": "superfast", "x265-params": "log-level=error"}),
    "vp9": ("libvpx-vp9", 24, {"deadline": "good", "cpu-used": "5", "row-mt": "1"}),
    "av1": ("libsvtav1", 26, {"preset": "9"}),
}
"""Codec to FFmpeg's encoder, the quality that it is used with (`crf`), and its options: the fastest that lose nothing to see.

H.264 by `veryfast`, at the same quality, spends fewer bits, and of a moving face lets more of the person through: SFace's cosine with them rose by up
to 0.095 by encoding alone, by `superfast` up to 0.037."""

EVEN_ONLY = frozenset({"libx264", "libx265", "libsvtav1"})
"""Encoders that need even sizes where colours are stored for two by two pixels."""

os.environ.setdefault("SVT_LOG", "1")  # Else AV1's encoder talks on the terminal.

HD_LINES = 720
"""From this height on RGB becomes YUV by BT.709, below by BT.601: what players assume."""


def matrix_for_rgb(height: int) -> tuple[Colorspace, int]:
    """The scaler's and FFmpeg's number of the matrix by which RGB becomes YUV."""
    return (Colorspace.ITU709, 1) if height >= HD_LINES else (Colorspace.ITU601, 6)


def pixel_format_for(clip: Clip, encoder: str) -> str:
    """The encoder's pixel format that keeps the most of the clip's: depth first, then colours, then no more than needed."""
    source = VideoFormat(clip.pixel_format, 16, 16)
    bits = max(c.bits for c in source.components)
    subsampled = len(source.components) < 3 or source.is_rgb or source.has_palette
    # Colours for 2 x 2 pixels are what every player shows: enough for gray, and for what was drawn on a screen.
    wanted = (8, 8) if subsampled else (source.chroma_width(16), source.chroma_height(16))

    def cost(name: str) -> tuple[int, int, int, int]:
        there = VideoFormat(name, 16, 16)
        chroma, depth = (there.chroma_width(16), there.chroma_height(16)), max(c.bits for c in there.components)
        too_coarse = (clip.width % 2 and chroma[0] < 16) or (clip.height % 2 and chroma[1] < 16)
        impossible = 1000 if encoder in EVEN_ONLY and too_coarse else 0
        lost = sum(max(0, w - c) for w, c in zip(wanted, chroma, strict=True))
        return impossible + max(0, bits - depth), lost, sum(chroma), depth

    formats = [f.name for f in av.Codec(encoder, "w").video_formats or () if can_be_patched(f.name) and len(f.components) == 3]
    full = clip.pixel_format.startswith("yuvj")
    return min((f for f in formats if full or not f.startswith("yuvj")), key=lambda name: (*cost(name), full != name.startswith("yuvj")))
