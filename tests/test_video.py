"""The journey of a clip: a real face moves through it, a painter stands in for the networks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from skimage.data import astronaut

from masquerade.errors import UnreadableInput, UnwritableOutput
from masquerade.faces.people import Person
from masquerade.faces.recognition import SFace
from masquerade.faces.yunet import YuNet
from masquerade.media.video_encoding import Encoding
from masquerade.media.videos import Span
from masquerade.types import Face, FaceReport, Pixels
from masquerade.video import ClipResult, TrackedFace, VideoOptions, anonymize_video

WIDTH, HEIGHT = 240, 160
HEAD: Pixels = cv2.resize(astronaut()[:256, 96:352], (112, 112), interpolation=cv2.INTER_AREA)
"""The face in it is about 45 pixels wide."""

find_faces, embed = YuNet(0.3), SFace().embed


def backdrop(seed: int) -> Pixels:
    noise = np.random.default_rng(seed).uniform(0, 255, (5, 7, 3)).astype(np.float32)
    return cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def picture(x: float | None, seed: int = 0) -> Pixels:
    frame = backdrop(seed)
    if x is not None:
        moved = np.array([[1, 0, x], [0, 1, 30]], np.float64)
        inside = cv2.warpAffine(np.ones((112, 112), np.uint8), moved, (WIDTH, HEIGHT)) > 0
        frame[inside] = cv2.warpAffine(HEAD, moved, (WIDTH, HEIGHT))[inside]
    return frame


def write(path: Path, pictures: Sequence[Pixels], gop: int = 12) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT, options={"crf": "8"})
        stream.codec_context.gop_size = gop
        for index, rgb in enumerate(pictures):
            frame = VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path) -> list[Pixels]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


class Painter:
    """Paints every face in the colour of its person, and remembers what it was told."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.frames: list[list[TrackedFace]] = []

    def begin(self, people: Sequence[Person]) -> None:
        self.people = list(people)

    def look(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> Sequence[TrackedFace]:
        return faces

    def frame(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> tuple[Pixels, list[FaceReport]]:
        self.frames.append(list(faces))
        pixels, reports = rgb.copy(), []
        for tracked in faces:
            x0, y0, x1, y1 = (max(round(v), 0) for v in tracked.face.box)
            pixels[y0:y1, x0:x1] = (0, 255 - 80 * tracked.person, 80 * tracked.person)
            reports.append(FaceReport(tracked.face.box, "obscured" if tracked.obscure else "generated", tracked.obscure, None, 1))
        return pixels, reports


def run(source: Path, target: Path, options: VideoOptions = VideoOptions()) -> tuple[ClipResult, Painter, list[FaceReport]]:  # noqa: B008
    painter, rows = Painter(), list[FaceReport]()
    result = anonymize_video(source, target, painter, find_faces, embed, replace(options, threads=1), on_faces=rows.extend)
    return result, painter, rows


def covered(original: Pixels, output: Pixels) -> list[bool]:
    """For every face that is found in the original, whether the output shows something else there."""
    boxes = [[max(round(v), 0) for v in f.box] for f in find_faces(original) if f.score >= 0.6]
    return [bool(np.abs(original[y0:y1, x0:x1].astype(int) - output[y0:y1, x0:x1]).mean() > 20) for x0, y0, x1, y1 in boxes]


def test_a_moving_face_is_replaced_in_every_frame_and_nothing_else_is(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(20 + 5 * n) for n in range(20)])
    result, painter, rows = run(source, tmp_path / "out.mp4")
    before, after = read(source), read(tmp_path / "out.mp4")
    found = [covered(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(map(len, found)) >= 20
    assert all(all(frame) for frame in found)
    assert (result.frames, result.tracks, result.people, result.lost) == (20, 1, 1, "")
    assert result.actions == {"generated": 20}
    assert [(r.frame, r.track) for r in rows] == [(n, 0) for n in range(20)]
    for n, (tracked,) in enumerate(painter.frames):
        x0, y0, x1, y1 = (round(v) for v in tracked.face.box)
        far = np.ones((HEIGHT, WIDTH), bool)
        far[max(y0 - 8, 0) : y1 + 8, max(x0 - 8, 0) : x1 + 8] = False
        assert np.abs(before[n][far].astype(int) - after[n][far]).mean() < 3
    assert len(painter.people[0].portraits) >= 1


def test_who_comes_back_after_a_cut_gets_the_same_new_face(tmp_path: Path) -> None:
    pictures = [picture(20 + n) for n in range(8)] + [picture(None, 1)] * 4 + [picture(110 - n, 2) for n in range(8)]
    result, painter, rows = run(write(tmp_path / "in.mp4", pictures), tmp_path / "out.mp4")
    assert (result.tracks, result.people) == (2, 1)
    assert {f.person for faces in painter.frames for f in faces} == {0}
    assert sorted({r.frame for r in rows}) == [*range(8), *range(12, 20)]


def test_kept_people_stay_as_they_are(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(20 + 2 * n) for n in range(10)])
    photo = astronaut()
    face = max(find_faces(photo), key=lambda f: f.score)
    result, painter, rows = run(source, tmp_path / "out.mp4", VideoOptions(keep=(embed(photo, face),)))
    assert result.actions == {"kept": 10}
    assert (painter.people, painter.frames) == ([], [])
    assert {(r.action, r.reason) for r in rows} == {("kept", "asked for")}
    assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(read(source), read(tmp_path / "out.mp4"), strict=True)]) < 3


def test_a_stranger_is_not_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(20 + 2 * n) for n in range(6)])
    stranger = np.eye(1, 128, dtype=np.float32)[0]
    assert run(source, tmp_path / "out.mp4", VideoOptions(keep=(stranger,)))[0].actions == {"generated": 6}


def test_a_face_seen_for_an_instant_is_obscured(tmp_path: Path) -> None:
    pictures = [picture(60) if n == 10 else picture(None) for n in range(20)]
    result, painter, rows = run(write(tmp_path / "in.mp4", pictures), tmp_path / "out.mp4")
    assert painter.people == []
    assert 10 in {r.frame for r in rows}
    assert {(r.action, r.reason) for r in rows} == {("obscured", "seen only for an instant")}
    assert result.actions["obscured: seen only for an instant"] == len(rows)


def test_outside_the_span_nothing_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(20 + 4 * n) for n in range(24)])
    result, _, rows = run(source, tmp_path / "out.mp4", VideoOptions(span=Span(0.36, 0.72)))
    assert result.frames == len(read(tmp_path / "out.mp4")) == 9
    assert [r.frame for r in rows] == list(range(9))
    assert all(all(covered(a, b)) for a, b in zip(read(source)[9:18], read(tmp_path / "out.mp4"), strict=True))


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    source = write(tmp_path / "in.mp4", [picture(None)] * 5)
    anonymize_video(source, tmp_path / "out.mp4", Painter(), lambda rgb: [], embed, on_progress=lambda *step: told.append(step))
    assert told == [(stage, done, 5) for stage in ("finding", "replacing") for done in range(1, 6)]


def test_a_face_behind_another_is_obscured_first(tmp_path: Path) -> None:
    """The smaller face stands half behind the larger one and is not found in the middle of the clip."""
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    large, small = (
        Face((x, 40.0, x + side, 40 + side), (points * side + np.array([x, 40])).astype(np.float32), 0.9) for x, side in [(60.0, 70.0), (105.0, 50.0)]
    )
    calls = iter(range(20))
    painter = Painter()
    anonymize_video(
        write(tmp_path / "in.mp4", [picture(None)] * 20),
        tmp_path / "out.mp4",
        painter,
        lambda rgb: [large] if next(calls) in range(8, 12) else [large, small],
        embed,
        VideoOptions(threads=1),
    )
    assert [f.obscure for f in painter.frames[5]] == ["", ""]
    assert [f.obscure for f in painter.frames[9]] == ["behind another face", ""]


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(None)] * 3)
    before = source.read_bytes()
    with pytest.raises(UnwritableOutput):
        run(source, source, VideoOptions(overwrite=True))
    assert source.read_bytes() == before


class DrawsNothing(Painter):
    def frame(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> tuple[Pixels, list[FaceReport]]:
        raise UnreadableInput("no")


class SeesNothing(Painter):
    def look(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> Sequence[TrackedFace]:
        raise UnreadableInput("no")


@pytest.mark.parametrize("broken", [DrawsNothing, SeesNothing])
def test_errors_of_the_anonymizer_leave_nothing(broken: type[Painter], tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(40)] * 5)
    with pytest.raises(UnreadableInput):
        anonymize_video(source, tmp_path / "out.mp4", broken(), find_faces, embed)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


KILLED = """
import os, signal, sys
from pathlib import Path
from masquerade.video import anonymize_video

class Nobody:
    def begin(self, people): pass

def on_progress(stage, done, total):
    if stage == "replacing" and done == 8:
        os.kill(os.getpid(), signal.SIGKILL)

anonymize_video(Path(sys.argv[1]), Path(sys.argv[2]), Nobody(), lambda rgb: [], None, on_progress=on_progress)
"""


def test_a_killed_run_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(n) for n in range(12)])
    killed = subprocess.run([sys.executable, "-c", KILLED, str(source), str(tmp_path / "out.mp4")], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_the_codec_can_be_chosen(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(None)] * 3)
    run(source, tmp_path / "out.mp4", VideoOptions(encoding=Encoding("hevc", crf=30)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "hevc"


def test_a_clip_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", [picture(None)] * 9)

    class Meddler(Painter):
        def begin(self, people: Sequence[Person]) -> None:
            write(source, [picture(None)] * 6)

    with pytest.raises(UnreadableInput, match="changed"):
        anonymize_video(source, tmp_path / "out.mp4", Meddler(), find_faces, embed)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]
