"""A clip's frames, and what of the original all of its variants are measured by: faces, optical flow, unsteadiness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from masquerade.evaluation.measuring import SMALLEST_PX
from masquerade.evaluation.recognisers import Embedding
from masquerade.media.frames import upright_rgb
from masquerade.media.videos import Frames, Span, probe
from masquerade.types import Face, Floats, Pixels

EVERY = 5
"""People are compared in every so many frames."""

STEADY_PX = 24
"""Flicker is measured in faces of this side and more."""

FindFaces = Callable[[Pixels], list[Face]]
Embed = Callable[[Pixels, Face], Embedding]


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame: its number, seconds since the first one, RGB uint8 upright."""

    number: int
    time_s: Fraction
    rgb: Pixels


@dataclass(frozen=True, eq=False)
class Original:
    """A frame of the original, and what all variants are measured by.

    Attributes:
        picture: the frame.
        faces: all of its faces.
        largest: the widest one.
        flow: height x width x 2 float32, from this frame to the one before; None where flicker is not measured.
        unsteadiness: of the original itself, likewise.
        embedding: of the largest face, in every fifth frame; None where it is too small.
    """

    picture: Picture
    faces: list[Face]
    largest: Face | None
    flow: Floats | None
    unsteadiness: float
    embedding: Embedding | None


def unsteadiness(frame: Pixels, before: Pixels, flow: Floats, face: Face) -> float:
    """Mean absolute difference, inside a face's box, of a frame and the one before it, moved by the flow.

    Args:
        frame: RGB uint8, height x width x 3.
        before: the frame before.
        flow: height x width x 2 float32: where each pixel of `frame` was in `before`, relative to it, in pixels.
        face: in pixels of `frame`.
    """
    x, y, width, height = _corner_and_size(face)
    window = slice(y, y + height), slice(x, x + width)
    now = frame[window].astype(np.float32)
    rows, columns = np.mgrid[y : y + now.shape[0], x : x + now.shape[1]].astype(np.float32)
    there = flow[window]
    moved = cv2.remap(before, columns + there[..., 0], rows + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(now - moved).mean())


def pictures_of(path: Path) -> Iterator[Picture]:
    clip, first = probe(path), None
    for number, frame in enumerate(Frames(clip, Span())):
        assert frame.pts is not None
        first = frame.pts if first is None else first
        yield Picture(number, (frame.pts - first) * clip.time_base, upright_rgb(frame, clip.turns))


def originals_of(source: Path, faces: FindFaces, embed: Embed) -> Iterator[Original]:
    optical = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    before: Pixels | None = None
    for picture in pictures_of(source):
        found = faces(picture.rgb)
        largest = max(found, key=lambda f: f.width, default=None)
        flow, own = None, 0.0
        if before is not None and largest is not None and min(_corner_and_size(largest)[2:]) >= STEADY_PX:
            now, then = (np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.uint8) for p in (picture.rgb, before))
            # None: a flow of zeros would be taken for a first guess, and give another one.
            flow = np.asarray(optical.calc(now, then, None), np.float32)  # type: ignore[call-overload]
            own = unsteadiness(picture.rgb, before, flow, largest)
        is_looked_at = largest is not None and largest.width >= SMALLEST_PX and picture.number % EVERY == 0
        embedding = embed(picture.rgb, largest) if largest is not None and is_looked_at else None
        yield Original(picture, found, largest, flow, own, embedding)
        before = picture.rgb


def _corner_and_size(face: Face) -> tuple[int, int, int, int]:
    x0, y0, _, _ = face.box
    return int(max(0, x0)), int(max(0, y0)), int(face.width), int(face.height)
