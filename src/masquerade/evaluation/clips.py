"""How steady clips become, with the network that knows the frame before and without it: both are run, measured, and laid side by side.

python -m masquerade.evaluation.clips CLIP... --out DIR [--seed N] [--thresholds SFACE,DLIB]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from masquerade.anonymizer import Anonymizer
from masquerade.errors import MasqueradeError
from masquerade.evaluation.measuring import REPORTED_IOU, SAME_PLACE_IOU, SMALLEST_PX
from masquerade.evaluation.metrics import change_inside, iou
from masquerade.evaluation.recognisers import Detector, Embedding, Recogniser
from masquerade.evaluation.thresholds import Thresholds, parsed
from masquerade.media.frames import upright_rgb
from masquerade.media.videos import Clip, Frames, Span, probe
from masquerade.media.whole_files import whole_file
from masquerade.types import Box, Face, FaceReport, Floats, Pixels
from masquerade.video import ClipResult, VideoOptions

VARIANTS = {"single": False, "temporal": True}
"""Name of a variant, and whether the network that knows the frame before draws in it."""

EVERY = 5
"""People are compared in every so many frames."""

UNCHANGED_LEVELS = 4.0
"""A face that changed by less, in grey levels, was left as it was."""

STEADY_PX = 24
"""Flicker is measured in faces of this side and more."""

EQUAL_TIMES_S = 2e-3
COMPARISON_LINES = 480
COMPARISON_TIME_BASE = Fraction(1, 90_000)

FindFaces = Callable[[Pixels], list[Face]]
Embed = Callable[[Pixels, Face], Embedding]
OnFaces = Callable[[Sequence[FaceReport]], None]


class VideoAnonymizer(Protocol):
    """What a run needs of an `Anonymizer`."""

    def video(self, source: Path, target: Path, options: VideoOptions, *, on_faces: OnFaces) -> ClipResult: ...


class RunLog:
    """What a run says became of its faces, as far as it is needed here.

    Attributes:
        large: how many faces are 48 pixels wide or more, over all frames.
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
            if row.frame % EVERY == 0:
                self._rows.setdefault(row.frame, []).append(row)

    def row_of(self, frame: int, box: Box) -> FaceReport | None:
        """The row of the face in a box, in one of every five frames; None where no face was followed there."""
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
    walks, figures = [_pictures(run.path) for run in runs], [Figures() for _ in runs]
    last: list[Picture | None] = [None] * len(runs)
    for original in _originals(source, faces, embed):
        shown = [original.picture.rgb]
        for index, (run, walk, counted) in enumerate(zip(runs, walks, figures, strict=True)):
            output = next(walk, None)
            if output is None:
                counted.extra += 1
            elif output.rgb.shape != original.picture.rgb.shape:
                raise MasqueradeError(f"{run.path} has frames of another size than {source}; measure it against its own original.")
            else:
                _count(counted, original, output, last[index])
                _recognise(counted, original, output, run.log, faces, embed, limits)
            last[index] = output
            shown.append(np.zeros_like(original.picture.rgb) if output is None else output.rgb)
        on_frame(original.picture.time_s, shown)
    for walk, counted in zip(walks, figures, strict=True):
        counted.extra += sum(1 for _ in walk)
    return figures


def _pictures(path: Path) -> Iterator[Picture]:
    clip, first = probe(path), None
    for number, frame in enumerate(Frames(clip, Span())):
        assert frame.pts is not None
        first = frame.pts if first is None else first
        yield Picture(number, (frame.pts - first) * clip.time_base, upright_rgb(frame, clip.turns))


def _originals(source: Path, faces: FindFaces, embed: Embed) -> Iterator[Original]:
    optical = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    before: Pixels | None = None
    for picture in _pictures(source):
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


def _count(counted: Figures, original: Original, output: Picture, before: Picture | None) -> None:
    """What needs no recogniser: times, changed faces, flicker."""
    counted.frames += 1
    counted.times_equal += abs(original.picture.time_s - output.time_s) < EQUAL_TIMES_S
    counted.faces += len(original.faces)
    counted.unchanged += sum(change_inside(original.picture.rgb, output.rgb, face.box) < UNCHANGED_LEVELS for face in original.faces)
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


def evaluate(source: Path, out: Path, anonymizers: dict[str, VideoAnonymizer], faces: FindFaces, embed: Embed, limits: Thresholds) -> list[str]:
    """Anonymises a clip in every variant, measures it, writes the comparison.

    Args:
        source: the clip.
        out: the folder for what is written; earlier files of the same names are replaced.
        anonymizers: by name of the variant.
        faces: the detector that judges.
        embed: the recognisers that judge.
        limits: when two faces count as one person.

    Returns:
        Rows of the table, one a variant.

    Raises:
        MasqueradeError: the clip cannot be read, or nothing can be written.
    """
    clip = probe(source)
    runs = [_run(source, out / f"{source.stem}-{name}.mp4", name, anonymizer) for name, anonymizer in anonymizers.items()]
    with side_by_side(out / f"{source.stem}-comparison.mp4", clip, 1 + len(runs)) as write:
        figures = compare(source, runs, faces, embed, limits, write)
    return [row_of(source.stem, run, counted) for run, counted in zip(runs, figures, strict=True)]


def _run(source: Path, target: Path, name: str, anonymizer: VideoAnonymizer) -> Run:
    log, started = RunLog(), time.monotonic()
    anonymizer.video(source, target, VideoOptions(overwrite=True), on_faces=log)
    return Run(name, target, log, time.monotonic() - started)


HEADER = (
    "clip", "variant", "frames", "times equal", "faces", "unchanged", "flicker", "spread, original", "spread", "difference", "SFace accepts",
    "dlib accepts", "obscured", "seconds",
)  # fmt: skip


def row_of(clip: str, run: Run, counted: Figures) -> str:
    """A variant's row in the table."""
    before, after = counted.before.mean, counted.after.mean
    cells = [
        clip,
        run.variant,
        f"{counted.frames}" + (f" ({counted.extra} without counterpart)" if counted.extra else ""),
        f"{counted.times_equal}",
        f"{counted.faces}",
        f"{counted.unchanged}",
        _number(counted.flicker),
        _number(before),
        _number(after),
        _number(None if before is None or after is None else after - before, "+.2f"),
        _share(counted.sface, counted.looked),
        _share(counted.dlib, counted.looked),
        _share(run.log.obscured, run.log.large),
        f"{run.seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def markdown(rows: Sequence[str]) -> str:
    """The table of all clips."""
    return "\n".join([f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", *rows]) + "\n"


def refuse_clashes(clips: Sequence[Path], out: Path) -> None:
    """Raises MasqueradeError where outputs would replace each other or a clip."""
    targets = [(out / f"{clip.stem}-{end}.mp4").resolve() for clip in clips for end in (*VARIANTS, "comparison")]
    if len(set(targets)) < len(targets):
        raise MasqueradeError("Two clips have the same name; measure them one after the other, into different folders.")
    if set(targets) & {clip.resolve() for clip in clips}:
        raise MasqueradeError(f"A clip would be replaced by an output in {out}; choose another folder.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 2 when a clip failed: the others are measured all the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where clips, comparisons and clips.md are written")
    parser.add_argument("--seed", type=int, default=0, help="of the new faces (default: 0)")
    parser.add_argument("--thresholds", metavar="SFACE,DLIB", help="when two faces count as one person (default: those of LFW)")
    given = parser.parse_args(argv)
    try:
        return _evaluate_all(given)
    except (MasqueradeError, OSError) as error:
        print(f"masquerade: {error}", file=sys.stderr)
        return 2


def _evaluate_all(given: argparse.Namespace) -> int:
    refuse_clashes(given.clips, given.out)
    limits = parsed(given.thresholds) if given.thresholds else Thresholds()
    faces, embed = Detector(), Recogniser()
    anonymizers: dict[str, VideoAnonymizer] = {name: Anonymizer(seed=given.seed, temporal=temporal) for name, temporal in VARIANTS.items()}
    rows: list[str] = []
    code = 0
    for clip in given.clips:
        try:
            rows += evaluate(clip, given.out, anonymizers, faces, embed, limits)
        except (MasqueradeError, OSError) as error:
            print(f"masquerade: {error}", file=sys.stderr)
            code = 2
        else:
            # After every clip: a run of hours may be stopped.
            with whole_file(given.out / "clips.md", overwrite=True) as file:
                file.write(markdown(rows).encode())
    if rows:
        print(markdown(rows), end="")
    return code


if __name__ == "__main__":
    sys.exit(main())
