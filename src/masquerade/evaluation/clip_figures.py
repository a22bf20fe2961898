"""What is counted of a clip's variants, frame by frame, in one walk through all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.evaluation.clip_frames import Embed, FindFaces, Original, Picture, originals_of, pictures_of, unsteadiness
from masquerade.evaluation.measuring import REPORTED_IOU, SAME_PLACE_IOU, SMALLEST_PX
from masquerade.evaluation.metrics import change_inside, iou
from masquerade.evaluation.thresholds import Thresholds
from masquerade.types import Box, FaceReport, Pixels

UNCHANGED_LEVELS = 4.0
"""A face that changed by less, in grey levels, was left as it was."""

EQUAL_TIMES_S = 2e-3


class RunLog:
    """What a run says became of its faces, as far as it is needed here.

    Attributes:
        large: how many faces that were followed, seen or not, are 48 pixels wide or more, over all frames.
        obscured: how many of these were obscured.
    """

    def __init__(self) -> None:
        self.large = self.obscured = 0
        self._rows: dict[int, list[FaceReport]] = {}

    def __call__(self, reports: Sequence[FaceReport]) -> None:
        """Takes the rows of a frame."""
        for row in reports:
            is_large = row.box[2] - row.box[0] >= SMALLEST_PX
            self.large += is_large
            self.obscured += is_large and row.action == "obscured"
            self._rows.setdefault(row.frame, []).append(row)

    def row_of(self, frame: int, box: Box) -> FaceReport | None:
        """The row of the face in a box of a frame; None where no face was followed there."""
        best = max(self._rows.get(frame, []), key=lambda row: iou(row.box, box), default=None)
        return best if best and iou(best.box, box) >= REPORTED_IOU else None


@dataclass(frozen=True, eq=False)
class Run:
    """A clip that was anonymised: name of the variant, the file, what the run said, how long it took."""

    variant: str
    path: Path
    log: RunLog
    seconds: float


@dataclass
class Spread:
    """How far the faces of a track are from its first one: the mean of dlib's distances, the first faces themselves left out."""

    _first: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    _total: float = 0.0
    _count: int = 0

    def add(self, track: int, vector: NDArray[np.float64]) -> None:
        """Takes the next face of a track."""
        if track in self._first:
            self._total += float(np.linalg.norm(vector - self._first[track]))
            self._count += 1
        else:
            self._first[track] = vector

    @property
    def mean(self) -> float | None:
        return self._total / self._count if self._count else None


@dataclass
class Figures:
    """What is counted of one variant of a clip, frame by frame.

    Attributes:
        frames: frames that both the original and the output have.
        extra: frames that only one of them has.
        times_equal: frames whose time, from the first on, agrees within 2 ms.
        faces: faces that YuNet finds in the original.
        unchanged: those of them that changed by less than 4 grey levels.
        large: those of them that are 48 pixels wide or more.
        obscured: those of these that were not generated.
        own: the original's unsteadiness in its largest faces, summed over frames.
        ours: the output's, at the same places.
        looked: largest faces of 48 pixels and more in every fifth frame, which recognisers compare with the original.
        sface: how many of these SFace accepts as the same person.
        dlib: how many dlib accepts.
        before: how far the originals spread. Only faces that were not obscured count in both spreads.
        after: how far the new faces do.
    """

    frames: int = 0
    extra: int = 0
    times_equal: int = 0
    faces: int = 0
    unchanged: int = 0
    large: int = 0
    obscured: int = 0
    own: float = 0.0
    ours: float = 0.0
    looked: int = 0
    sface: int = 0
    dlib: int = 0
    before: Spread = field(default_factory=Spread)
    after: Spread = field(default_factory=Spread)

    @property
    def flicker(self) -> float | None:
        """The output's unsteadiness over the original's, None where the original has none."""
        return self.ours / self.own if self.own else None


def compare(
    source: Path, runs: Sequence[Run], faces: FindFaces, embed: Embed, limits: Thresholds, on_frame: Callable[[Fraction, list[Pixels]], None]
) -> list[Figures]:
    """Measures the variants of a clip in one walk through all of them.

    Args:
        source: the original.
        runs: its variants.
        faces: the detector.
        embed: the recognisers.
        limits: when two faces count as one person.
        on_frame: given the time in seconds and the frame of the original and of every variant; black where a variant has ended.

    Raises:
        MasqueradeError: a clip cannot be read, or a variant has another size.
    """
    walks, figures = [pictures_of(run.path) for run in runs], [Figures() for _ in runs]
    last: list[Picture | None] = [None] * len(runs)
    for original in originals_of(source, faces, embed):
        shown = [original.picture.rgb]
        for index, (run, walk, counted) in enumerate(zip(runs, walks, figures, strict=True)):
            output = next(walk, None)
            if output is None:
                counted.extra += 1
            elif output.rgb.shape != original.picture.rgb.shape:
                raise MasqueradeError(f"{run.path} has frames of another size than {source}; measure it against its own original.")
            else:
                _count(counted, original, output, last[index], run.log)
                _recognise(counted, original, output, run.log, faces, embed, limits)
            last[index] = output
            shown.append(np.zeros_like(original.picture.rgb) if output is None else output.rgb)
        on_frame(original.picture.time_s, shown)
    for walk, counted in zip(walks, figures, strict=True):
        counted.extra += sum(1 for _ in walk)
    return figures


def _count(counted: Figures, original: Original, output: Picture, before: Picture | None, log: RunLog) -> None:
    """What needs no recogniser: times, changed faces, how they were changed, flicker."""
    counted.frames += 1
    counted.times_equal += abs(original.picture.time_s - output.time_s) < EQUAL_TIMES_S
    counted.faces += len(original.faces)
    counted.unchanged += sum(change_inside(original.picture.rgb, output.rgb, face.box) < UNCHANGED_LEVELS for face in original.faces)
    rows = [log.row_of(output.number, face.box) for face in original.faces if face.width >= SMALLEST_PX]
    counted.large += len(rows)
    counted.obscured += sum(row is None or row.action == "obscured" for row in rows)
    if original.flow is not None and original.largest is not None and before is not None:
        counted.own += original.unsteadiness
        counted.ours += unsteadiness(output.rgb, before.rgb, original.flow, original.largest)


def _recognise(counted: Figures, original: Original, output: Picture, log: RunLog, faces: FindFaces, embed: Embed, limits: Thresholds) -> None:
    face, before = original.largest, original.embedding
    if face is None or before is None:
        return
    again = max(faces(output.rgb), key=lambda f: iou(f.box, face.box), default=face)
    after = embed(output.rgb, again if iou(again.box, face.box) >= SAME_PLACE_IOU else face)
    counted.looked += 1
    counted.sface += bool(before.sface @ after.sface > limits.sface)
    counted.dlib += bool(np.linalg.norm(before.dlib - after.dlib) < limits.dlib)
    row = log.row_of(output.number, face.box)
    if row is not None and row.track is not None and row.action != "obscured":
        counted.before.add(row.track, before.dlib)
        counted.after.add(row.track, after.dlib)
