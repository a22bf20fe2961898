"""`masquerade train prepare-clips`: the face of every clip, frame by frame, for the temporal HarmonizationNet.

Writes the layout of `masquerade.training.data`: `file` is the clip's name, `identity` its number, `split` is always train. Two arrays more:

    frame.npy     N int64, number of the frame: rows r - 1 and r are neighbours where both clip and number say so
    flow.npy      N x 128 x 128 x 2 float16, x and y in pixels: what lies at p in row r lay at p + flow in row r - 1; zero without neighbour
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.landmarks import Landmarks, condition_of
from masquerade.faces.smoothing import local_line
from masquerade.faces.yunet import YuNet
from masquerade.generation.segmentation import Segmentation
from masquerade.types import Face, Floats, Pixels

SIZE = 128
FRAMES_A_SECOND, LONGEST = 25, 300
"""So many frames a second at most, and so many of one clip."""

LOOKED_AT_PX = 640
"""Longest side of the frames that faces are looked for in."""

STEADYING = 0.66
"""Spread in frames of the average over the landmarks: it reaches two frames to either side."""

CUT = 30.0
"""Mean difference of two frames' thumbnails, in grey levels, from which there is a cut between them."""

LEAP = 0.6
"""A face that moved so many of its widths in one frame is another one."""


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Frames in a row that show one face, and the faces that YuNet found there."""

    first: int
    pictures: list[Pixels]
    faces: list[Face]


def prepare_clips(clips: Path, out: Path) -> int:
    """Finds, crops, parses and measures the face of every clip; returns how many frames were written.

    Args:
        clips: a folder of mp4 files.
        out: the prepared folder.

    Raises:
        MasqueradeError: there are no clips, or no face in any of them.
    """
    paths = sorted(clips.glob("*.mp4"))
    if not paths:
        raise MasqueradeError(f"{clips} holds no clips: name a folder of mp4 files.")
    cv2.setNumThreads(1)
    find, parse, measure = YuNet(), Segmentation(1), Landmarks(1)
    crops, frames, rows = list[Pixels](), list[int](), list[list[str | int]]()
    maps, poses, flows = list[NDArray[np.uint8]](), list[Floats](), list[NDArray[np.float16]]()
    for number, path in enumerate(paths):
        before = len(crops)
        for stretch in _stretches(frames_of(path), find):
            taken = _taken(stretch)
            crops += taken
            maps += [parse(c) for c in taken]
            poses += [condition_of(measure(c)) for c in taken]
            flows += [np.zeros((SIZE, SIZE, 2), np.float16), *(flow_between(b, a).astype(np.float16) for a, b in pairwise(taken))]
            frames += range(stretch.first, stretch.first + len(taken))
        rows += [[path.name, "clips", number, "train", 0]] * (len(crops) - before)
        print(f"{path.name}: {len(crops) - before} frames", flush=True)
    if not crops:
        raise MasqueradeError(f"There is no face in the clips of {clips}.")
    out.mkdir(parents=True, exist_ok=True)
    for name, array in (("parsing", np.stack(maps)), ("pose", np.stack(poses)), ("flow", np.stack(flows)), ("frame", np.array(frames, np.int64))):
        np.save(out / f"{name}.npy", array)
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows(rows)
    np.save(out / "crops.npy", np.stack(crops))
    return len(crops)


def frames_of(path: Path) -> Iterator[Pixels]:
    """The frames of a clip, RGB uint8, as many as FRAMES_A_SECOND and LONGEST allow."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        due, count = 0.0, 0
        for frame in container.decode(video=0):
            time = frame.time or 0.0
            if time + 1e-3 < due:
                continue
            due = max(due + 1 / FRAMES_A_SECOND, time)
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            count += 1
            if count == LONGEST:
                return


def flow_between(now: Pixels, before: Pixels) -> Floats:
    """DIS optical flow, S x S x 2: what lies at p in `now` lay at p + flow in `before`.

    Source: Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (now, before)]
    return np.asarray(flow.calc(gray[0], gray[1], None), np.float32)  # type: ignore[call-overload]


def _stretches(pictures: Iterator[Pixels], find: YuNet) -> Iterator[_Stretch]:
    """Follows the largest face; a cut, a leap or a frame without a face begins a new stretch, and a frame is left out between two."""
    stretch: _Stretch | None = None
    seen: NDArray[np.float32] | None = None
    for number, picture in enumerate(pictures):
        small = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
        cut = seen is not None and float(np.abs(small - seen).mean()) > CUT
        seen = small
        face = _found(picture, find, stretch.faces[-1] if stretch and not cut else None)
        if stretch is not None and (face is None or cut or _leapt(stretch.faces[-1], face)):
            yield stretch
            stretch = None
        elif face is not None and stretch is None:
            stretch = _Stretch(number, [picture], [face])
        elif face is not None and stretch is not None:
            stretch.pictures.append(picture)
            stretch.faces.append(face)
    if stretch is not None:
        yield stretch


def _found(picture: Pixels, find: YuNet, known: Face | None) -> Face | None:
    """The face nearest to the known one, else the largest."""
    scale = min(1.0, LOOKED_AT_PX / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    found = [(f.box, f) for f in find(np.asarray(small, np.uint8))]
    faces = [Face((b[0] / scale, b[1] / scale, b[2] / scale, b[3] / scale), f.landmarks / scale, f.score) for b, f in found]
    if known is not None:
        return min(faces, key=lambda f: _distance(known, f), default=None)
    return max(faces, key=lambda f: f.width * f.height, default=None)


def _distance(a: Face, b: Face) -> float:
    return float(np.linalg.norm(a.landmarks.mean(0) - b.landmarks.mean(0)))


def _leapt(before: Face, now: Face) -> bool:
    return _distance(before, now) > LEAP * before.width


def _taken(stretch: _Stretch) -> list[Pixels]:
    """Canonical crops of a stretch, steadied over neighbouring frames."""
    series = np.stack([np.concatenate([f.landmarks.ravel(), f.box]) for f in stretch.faces]).astype(np.float64)
    crops = []
    for picture, numbers in zip(stretch.pictures, local_line(series, STEADYING), strict=True):
        x0, y0, x1, y1 = numbers[10:]
        face = Face((x0, y0, x1, y1), numbers[:10].reshape(5, 2).astype(np.float32), 1.0)
        crops.append(take_crop(picture, canonical_matrix(face, SIZE), SIZE).pixels)
    return crops
