"""A clip from file to file: look through it, follow every face, tell people apart; then go through it again and replace them."""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import cv2
import numpy as np
from av.video.frame import VideoFrame

from masquerade.errors import UnreadableInput, UnwritableOutput
from masquerade.faces.motion import Gray
from masquerade.faces.people import SAME_PERSON, Embed, Gallery, People, Person
from masquerade.faces.tracking import FaceTracker
from masquerade.faces.tracks import Seen, Track, shared
from masquerade.media.frames import upright_rgb, write_back
from masquerade.media.video_encoding import ClipWriter, Encoding
from masquerade.media.videos import Clip, Frames, Span, probe
from masquerade.pipeline import ahead, mapped
from masquerade.types import Face, FaceReport, Floats, Pixels

LOOKED_AT_PX = 1280
"""Longest side of the frames that faces are looked for in."""

FRAMES_AHEAD = 1
"""Frames are read, looked at, drawn and written at once; so many may wait between two of these."""

BEHIND = 0.3
"""A face that was not found in a frame is behind one that was, when so much of it is covered by that one."""

FindFaces = Callable[[Pixels], list[Face]]
"""Faces in an RGB picture, also doubtful ones (score 0.3 and more): from 0.6 on each is covered, the others lengthen tracks."""

Stage = Literal["finding", "replacing"]
Progress = Callable[[Stage, int, int], None]
"""Is told the stage, how many frames are done, and how many there are (an estimate, 0 where unknown)."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face in a frame, and what is known of it from the whole clip.

    Attributes:
        track: number of its track. A track has no gaps: one that is not among a frame's faces has ended.
        person: number of the person; the tracks of one person share one new face.
        face: steadied, in pixels of the frame.
        seen: whether it was found in this frame, lies between two findings, or was followed beyond them.
        obscure: why it is to be obscured instead of replaced; empty when it is to be replaced.
    """

    track: int
    person: int
    face: Face
    seen: Seen
    obscure: str = ""


Sights = TypeVar("Sights")


class FrameAnonymizer(Protocol[Sights]):
    """What makes new faces: one for each clip, since it remembers people and tracks."""

    def begin(self, people: Sequence[Person]) -> None:
        """Is told, before the first frame, whose faces are to be replaced; `portraits` and `views` help to choose a new one once and for all."""

    def look(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> Sights:
        """Reads the faces of a frame; frames come in order, those without faces are left out. Runs ahead of `frame`, in a thread of its own.

        Args:
            rgb: RGB uint8, height x width x 3, upright; not to be changed.
            faces: at least one; those that are to be obscured first, then small ones before large ones, so that what is painted last is nearest.

        Returns:
            Whatever `frame` needs.
        """

    def frame(self, rgb: Pixels, faces: Sights) -> tuple[Pixels, list[FaceReport]]:
        """Replaces the faces of a frame.

        Args:
            rgb: as for `look`.
            faces: what `look` returned.

        Returns:
            A picture of the same size, and what became of each face, in the order that `look` was given them; frame and track are filled in by the
            caller.
        """


@dataclass(frozen=True)
class VideoOptions:
    """How a clip is anonymised.

    Attributes:
        span: the part that is written.
        encoding: codec and quality.
        keep: unit vectors of people who stay as they are.
        same_person: cosine above which two faces are one person's.
        overwrite: replace an output that exists.
        threads: how many frames are looked at in parallel, and how many threads codecs may use.
    """

    span: Span = field(default_factory=Span)
    encoding: Encoding = field(default_factory=Encoding)
    keep: tuple[Floats, ...] = ()
    same_person: float = SAME_PERSON
    overwrite: bool = False
    threads: int = 2


@dataclass(frozen=True)
class ClipResult:
    """What became of a clip.

    Attributes:
        frames: how many were written.
        tracks: how many faces were followed.
        people: how many different people they belong to.
        actions: how many faces in frames were generated, obscured, kept; obscured ones also by reason, as "obscured: ...".
        lost: one sentence about what could not be read, empty for a sound file.
    """

    frames: int
    tracks: int
    people: int
    actions: dict[str, int] = field(default_factory=dict)
    lost: str = ""


def anonymize_video(
    source: Path,
    target: Path,
    anonymizer: FrameAnonymizer[Any],
    find_faces: FindFaces,
    embed: Embed,
    options: VideoOptions = VideoOptions(),
    on_progress: Progress = lambda stage, done, total: None,
    on_faces: Callable[[Sequence[FaceReport]], None] = lambda reports: None,
) -> ClipResult:
    """Anonymises a clip.

    Args:
        source: anything that FFmpeg reads.
        target: the new file; appears only when it is whole. The suffix chooses the format.
        anonymizer: makes the new faces.
        find_faces: the detector.
        embed: the recogniser, which tells people apart.
        options: span, encoding, who is kept.
        on_progress: told of every frame.
        on_faces: given the rows of the report, frame by frame, so that they need not be held in memory.

    Returns:
        Counts, and what was lost.

    Raises:
        UnreadableInput: nothing of the clip can be read.
        UnwritableOutput: it cannot be written to `target`; nothing is left there.
    """
    clip = probe(source)
    if target.exists() and target.samefile(source):
        raise UnwritableOutput(f"{target} is an input itself; choose another output.")
    frames = Frames(clip, options.span, options.threads)
    total = clip.frames_in(options.span)
    with ClipWriter(clip, target, options.span, options.encoding, options.overwrite, options.threads) as writer:
        story = _look_through(clip, frames, find_faces, embed, options, lambda done: on_progress("finding", done, total))
        kept = {p.number for p in story.people if any(p.likeness(k) >= options.same_person for k in options.keep)}
        drawn = {story.person_of[track.number] for track in story.tracks if not _why_obscured(track)}
        anonymizer.begin([p for p in story.people if p.number in drawn - kept])
        actions: Counter[str] = Counter()
        done = 0
        with (
            contextlib.closing(ahead(_seen(ahead(frames, FRAMES_AHEAD), clip, writer, story, kept, anonymizer), FRAMES_AHEAD)) as seen,
            contextlib.closing(ahead(_replaced(seen, writer.turns, anonymizer), FRAMES_AHEAD)) as replaced,
        ):
            for frame, reports in replaced:
                writer.write(frame)
                on_faces(reports)
                actions.update(name for r in reports for name in ([r.action, f"{r.action}: {r.reason}"] if r.action == "obscured" else [r.action]))
                done += 1
                on_progress("replacing", done, len(story.times))
    return ClipResult(done, len(story.tracks), len(story.people), dict(actions), frames.lost)


@dataclass(frozen=True, eq=False)
class _Story:
    """What was seen in a clip: times of all frames (`pts`), tracks by their first frame, whose they are, and who was there."""

    times: array[int]
    tracks: list[Track]
    person_of: dict[int, int]
    people: list[Person]


@dataclass(frozen=True, eq=False)
class _Look:
    """One frame, as faces were looked for in it: `scale` times as large as the frame."""

    pts: int
    rgb: Pixels
    gray: Gray
    scale: float
    faces: list[Face]


def _look_through(clip: Clip, frames: Frames, find_faces: FindFaces, embed: Embed, options: VideoOptions, on_frame: Callable[[int], None]) -> _Story:
    """The first walk through a clip: only boxes, landmarks and a few portraits are kept."""
    rate = float(clip.rate)
    tracker, gallery, people = FaceTracker(rate), Gallery(rate), People(embed, options.same_person)
    times = array("q")
    tracks: list[Track] = []
    person_of: dict[int, int] = {}
    scale = 1.0

    def close(ended: Sequence[Track]) -> None:
        for track in ended:
            person_of[track.number] = people.person_of(track, gallery.take(track.number), gallery.take_views(track.number)).number
            tracks.append(_scaled(track, 1 / scale))

    with contextlib.closing(mapped(lambda frame: _look(frame, clip.turns, find_faces), ahead(frames), options.threads)) as seen:
        for number, look in enumerate(seen):
            scale = look.scale
            times.append(look.pts)
            matched, ended = tracker.update(look.gray, look.faces)
            for track, face in matched:
                gallery.offer(track, number, look.rgb, face)
            close(ended)
            on_frame(number + 1)
    close(tracker.finish())
    return _Story(times, sorted(tracks, key=lambda t: t.first), person_of, people.people)


def _look(frame: VideoFrame, turns: int, find_faces: FindFaces) -> _Look:
    rgb = upright_rgb(frame, turns)
    scale = min(1.0, LOOKED_AT_PX / max(rgb.shape[:2]))
    if scale < 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    assert frame.pts is not None
    return _Look(frame.pts, rgb, np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8), scale, find_faces(rgb))


def _scaled(track: Track, factor: float) -> Track:
    rows = track.rows.copy()
    rows[:, :14] *= factor
    return replace(track, rows=rows)


@dataclass(frozen=True, eq=False)
class _Sighted:
    """A frame in the pixel format that is encoded, its picture and what was read of the faces that are to be replaced (nothing where there are none),
    their tracks, and reports of the others."""

    number: int
    frame: VideoFrame
    rgb: Pixels | None
    sights: Any
    tracks: list[int]
    reports: list[FaceReport]


def _seen(
    frames: Iterator[VideoFrame], clip: Clip, writer: ClipWriter, story: _Story, kept: set[int], anonymizer: FrameAnonymizer[Any]
) -> Generator[_Sighted]:
    """The second walk: every frame, ready to be encoded, and what there is to draw by."""
    coming, here = iter(story.tracks), list[Track]()
    following = next(coming, None)
    # Strict, so that no frame is written whose faces are not known, and none is missing.
    for number, (frame, time) in enumerate(zip_longest(frames, story.times)):
        if frame is None or frame.pts != time:
            raise UnreadableInput(f"{clip.path} changed while it was being read; try again.")
        here = [track for track in here if track.end > number]
        while following is not None and following.first <= number:
            here.append(following)
            following = next(coming, None)
        faces = _faces_at(number, here, story.person_of)
        reports = [FaceReport(f.face.box, "kept", "asked for", None, 0, number, f.track) for f in faces if f.person in kept]
        changing = [f for f in faces if f.person not in kept]
        ready = writer.prepared(frame)
        rgb = upright_rgb(ready, writer.turns) if changing else None
        sights = None if rgb is None else anonymizer.look(rgb, changing)
        yield _Sighted(number, ready, rgb, sights, [f.track for f in changing], reports)


def _replaced(seen: Iterator[_Sighted], turns: int, anonymizer: FrameAnonymizer[Any]) -> Generator[tuple[VideoFrame, list[FaceReport]]]:
    """Every frame with its faces replaced, and what became of them."""
    for sighted in seen:
        reports = sighted.reports
        if sighted.rgb is not None:
            after, made = anonymizer.frame(sighted.rgb, sighted.sights)
            write_back(sighted.frame, sighted.rgb, after, turns)
            reports = reports + [replace(report, frame=sighted.number, track=track) for report, track in zip(made, sighted.tracks, strict=True)]
        yield sighted.frame, reports


def _faces_at(number: int, tracks: Sequence[Track], person_of: dict[int, int]) -> list[TrackedFace]:
    """The tracks' faces in a frame, in the order in which they are to be painted."""
    found = [t.face(number) for t in tracks if t.seen_at(number) == "detected"]
    faces = []
    for track in tracks:
        face, seen = track.face(number), track.seen_at(number)
        # Two faces are not painted over each other where only one was seen.
        is_behind = seen != "detected" and any(shared(face, other) > BEHIND for other in found)
        obscure = _why_obscured(track) or ("behind another face" if is_behind else "")
        faces.append(TrackedFace(track.number, person_of[track.number], face, seen, obscure))
    return sorted(faces, key=lambda f: (not f.obscure, f.face.width))


def _why_obscured(track: Track) -> str:
    """Why a whole track is to be obscured; empty when it is not."""
    return "seen only for an instant" if track.is_instant else "hardly a face" if track.is_doubtful else ""
