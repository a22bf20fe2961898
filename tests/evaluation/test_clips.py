"""How clips are measured: the astronaut moves a little, a painter stands in for the anonymiser, colours for the recognisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from skimage.data import astronaut

from masquerade.errors import MasqueradeError
from masquerade.evaluation import clips
from masquerade.evaluation.clip_figures import Figures, Run, RunLog, Spread, compare
from masquerade.evaluation.clip_frames import unsteadiness
from masquerade.evaluation.clip_table import markdown, row_of
from masquerade.evaluation.clips import refuse_clashes
from masquerade.evaluation.recognisers import Detector, Embedding
from masquerade.evaluation.side_by_side import side_by_side
from masquerade.evaluation.thresholds import Thresholds
from masquerade.media.videos import probe
from masquerade.types import Action, Box, Face, FaceReport, Pixels
from masquerade.video import ClipResult, VideoOptions

SIDE, FRAMES = 256, 8
ASTRONAUT: Pixels = np.asarray(astronaut(), np.uint8)  # type: ignore[no-untyped-call]
FACE: Box = (86.0, 86.0, 176.0, 198.0)
"""Where the face is in all frames, roughly."""

Change = Callable[[Pixels, int], Pixels]

find_faces = Detector()


def portrait(number: int) -> Pixels:
    matrix = np.array([[1, 0, number - 96], [0, 1, 0.5 * number + 20]], np.float64)
    return np.asarray(cv2.warpAffine(ASTRONAUT, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def write(path: Path, pictures: Sequence[Pixels], late: int | None = None) -> Path:
    """Writes 25 frames a second, without loss to see; the frame `late` comes 10 ms too late."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=pictures[0].shape[1], height=pictures[0].shape[0], options={"crf": "4"})
        stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, rgb in enumerate(pictures):
            frame = VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = 40 * number + 10 * (number == late), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def noisy(rgb: Pixels, number: int) -> Pixels:
    x0, y0, x1, y1 = map(int, FACE)
    rgb = rgb.copy()
    noise = np.random.default_rng(number).normal(0, 20, (y1 - y0, x1 - x0, 3))
    rgb[y0:y1, x0:x1] = (rgb[y0:y1, x0:x1] + noise).clip(0, 255).astype(np.uint8)
    return rgb


def blue(rgb: Pixels, number: int) -> Pixels:
    """Another person, always the same."""
    return np.asarray(rgb // np.array([3, 2, 1]), np.uint8)


def as_it_is(rgb: Pixels, number: int) -> Pixels:
    return rgb


def embed(photo: Pixels, face: Face) -> Embedding:
    """A face's colour is its person."""
    x0, y0, x1, y1 = map(int, face.box)
    colour = photo[y0:y1, x0:x1].reshape(-1, 3).mean(0)
    centred = colour - colour.mean()
    return Embedding((centred / np.linalg.norm(centred)).astype(np.float32), colour / 25, True)


def log_of(frames: int = FRAMES, action: Action = "generated", box: Box = FACE) -> RunLog:
    log = RunLog()
    for number in range(frames):
        log([FaceReport(box, action, "", None, 1, number, 0)])
    return log


def ignore(time_s: Fraction, pictures: list[Pixels]) -> None:
    """Shown to nobody."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clips") / "astronaut.mp4", [portrait(n) for n in range(FRAMES)])


@pytest.fixture
def measured(original: Path, tmp_path: Path) -> Callable[..., Figures]:
    """Measures the clip against itself, changed."""

    def measure(change: Change, frames: int = FRAMES, late: int | None = None, log: RunLog | None = None) -> Figures:
        path = write(tmp_path / "changed.mp4", [change(portrait(n), n) for n in range(frames)], late)
        return compare(original, [Run("single", path, log or log_of(), 1.0)], find_faces, embed, Thresholds(), ignore)[0]

    return measure


def test_the_clip_against_itself(original: Path) -> None:
    (counted,) = compare(original, [Run("single", original, log_of(), 1.0)], find_faces, embed, Thresholds(), ignore)
    assert counted.frames == counted.times_equal == counted.faces == counted.unchanged == FRAMES
    assert counted.extra == 0
    assert counted.flicker == 1
    assert counted.looked == counted.sface == counted.dlib == 2
    assert (counted.large, counted.obscured) == (FRAMES, 0)
    assert counted.before.mean == counted.after.mean


def test_noise_in_the_face_is_flicker(measured: Callable[..., Figures]) -> None:
    flicker = measured(noisy).flicker
    assert flicker is not None
    assert flicker > 2


def test_unsteadiness_follows_the_flow() -> None:
    before = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    frame = np.roll(before, (2, 3), (0, 1))
    face = Face((10, 12, 40, 50), np.zeros((5, 2), np.float32), 0.9)
    flow = np.broadcast_to(np.array([-3, -2], np.float32), (64, 64, 2))
    assert unsteadiness(frame, before, flow, face) == 0
    assert unsteadiness(frame, before, 0 * flow, face) > 50
    frame[0:12], frame[50:], frame[:, :10], frame[:, 40:] = 0, 0, 0, 0
    assert unsteadiness(frame, before, flow, face) == 0


@pytest.mark.parametrize("box", [(-9.5, -3.0, 30.0, 40.0), (30.0, 30.0, 90.0, 99.0)])
def test_unsteadiness_of_faces_that_reach_over_the_edge(box: Box) -> None:
    frame = np.full((64, 64, 3), 100, np.uint8)
    assert unsteadiness(frame, frame - 7, np.zeros((64, 64, 2), np.float32), Face(box, np.zeros((5, 2), np.float32), 0.9)) == 7


def test_another_person_is_not_accepted(measured: Callable[..., Figures]) -> None:
    counted = measured(blue)
    assert counted.faces == FRAMES
    assert counted.unchanged == counted.sface == counted.dlib == 0
    assert counted.looked == 2
    assert counted.after.mean == pytest.approx(counted.before.mean, abs=0.1)


def test_a_person_who_changes_is_spread(measured: Callable[..., Figures]) -> None:
    counted = measured(lambda rgb, number: blue(rgb, number) if number >= 5 else rgb)
    assert counted.before.mean is not None and counted.after.mean is not None
    assert counted.after.mean - counted.before.mean > 0.5
    assert counted.sface == 1


@pytest.mark.parametrize("log", [log_of(action="obscured"), log_of(frames=0), log_of(box=(200, 200, 256, 256))])
def test_only_followed_faces_that_were_drawn_are_spread(measured: Callable[..., Figures], log: RunLog) -> None:
    counted = measured(as_it_is, log=log)
    assert counted.looked == 2
    assert (counted.large, counted.obscured) == (FRAMES, FRAMES)
    assert counted.before.mean is None and counted.after.mean is None


def test_times_and_missing_frames(measured: Callable[..., Figures]) -> None:
    counted = measured(as_it_is, frames=6, late=3)
    assert (counted.frames, counted.extra, counted.times_equal) == (6, 2, 5)


def test_frames_too_many(measured: Callable[..., Figures]) -> None:
    counted = measured(as_it_is, frames=10)
    assert (counted.frames, counted.extra, counted.times_equal) == (FRAMES, 2, FRAMES)


def test_another_size_is_refused(measured: Callable[..., Figures]) -> None:
    with pytest.raises(MasqueradeError, match="another size"):
        measured(lambda rgb, number: rgb[:128])


def test_spread_is_the_mean_distance_to_each_tracks_first() -> None:
    spread = Spread()
    assert spread.mean is None
    for track, value in ((0, 1.0), (1, 5.0), (0, 2.0), (1, 8.0), (0, 1.0)):
        spread.add(track, np.array([value, 0.0]))
    assert spread.mean == pytest.approx((1 + 3 + 0) / 3)


def test_only_large_faces_count_as_obscured() -> None:
    log = RunLog()
    boxes: list[tuple[Box, Action]] = [((0, 0, 48, 60), "obscured"), ((0, 0, 47, 60), "obscured"), ((0, 0, 90, 90), "generated")]
    log([FaceReport(box, action, "", None, 1, 1, 0) for box, action in boxes])
    assert (log.large, log.obscured) == (2, 1)


def test_table() -> None:
    counted = Figures(120, 2, 118, 240, 3, 200, 30, 4.0, 5.0, 8, 1, 2)
    for spread, value in ((counted.before, 0.25), (counted.after, 0.5)):
        spread.add(0, np.zeros(1))
        spread.add(0, np.array([value]))
    lines = markdown([row_of("a", Run("temporal", Path(), log_of(4, "obscured"), 61.4), counted)]).split("\n")
    assert {line.count("|") for line in lines if line} == {16}
    cells = ["120 (2 without counterpart)", "118", "240", "3", "1.25", "0.25", "0.50", "+0.25", "12.5%", "25.0%", "15.0%", "100.0%", "61"]
    assert lines[2] == f"| a | temporal | {' | '.join(cells)} |"
    assert row_of("a", Run("single", Path(), RunLog(), 0), Figures()) == "| a | single | 0 | 0 | 0 | 0 | - | - | - | - | - | - | - | - | 0 |"


@pytest.mark.parametrize(("shape", "size"), [((256, 256), (768, 256)), ((540, 960), (2562, 480)), ((97, 61), (180, 96))])
def test_comparison_is_small_and_even(shape: tuple[int, int], size: tuple[int, int], tmp_path: Path) -> None:
    picture = np.full((*shape, 3), 128, np.uint8)
    clip = probe(write(tmp_path / "clip.mp4", [picture]))
    with side_by_side(tmp_path / "comparison.mp4", clip, 3) as show:
        for number in range(3):
            show(Fraction(number, 25), [picture, picture, picture])
    written = probe(tmp_path / "comparison.mp4")
    assert (written.width, written.height) == size
    assert (written.frames, float(written.rate)) == (3, 25.0)


@pytest.mark.parametrize("names", [["a/x.mp4", "b/x.mov"], ["x.mp4", "out/x-temporal.mp4"]])
def test_clashing_names_are_refused(names: list[str]) -> None:
    with pytest.raises(MasqueradeError):
        refuse_clashes([Path(name) for name in names], Path("out"))


@dataclass
class Painter:
    """Stands in for the anonymiser: blurs, and says that it drew one face in every frame."""

    seed: int
    temporal: bool

    def video(self, source: Path, target: Path, options: VideoOptions, *, on_faces: clips.OnFaces) -> ClipResult:
        assert options.overwrite
        width = 9 if self.temporal else 5
        target.parent.mkdir(exist_ok=True)
        write(target, [cv2.blur(portrait(n), (width, width)).astype(np.uint8) for n in range(FRAMES)])
        for number in range(FRAMES):
            on_faces([FaceReport(FACE, "generated", "", None, 1, number, 0)])
        return ClipResult(FRAMES, 1, 1)


@pytest.fixture
def without_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "Anonymizer", Painter)
    monkeypatch.setattr(clips, "Recogniser", lambda: embed)


@pytest.mark.usefixtures("without_networks")
def test_everything_at_once(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"no clip")
    assert clips.main([str(torn), str(original), "--out", str(out), "--seed", "3", "--thresholds", "0.3,0.6"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("masquerade: ") and printed.err.count("\n") == 1
    table = (out / "clips.md").read_text()
    assert printed.out == table
    assert [line.split(" | ")[:2] for line in table.split("\n")[2:4]] == [["| astronaut", "single"], ["| astronaut", "temporal"]]
    assert sorted(p.name for p in out.iterdir()) == ["astronaut-comparison.mp4", "astronaut-single.mp4", "astronaut-temporal.mp4", "clips.md"]
    assert clips.main([str(original), "--out", str(out)]) == 0


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("arguments", [["missing.mp4"], ["missing.mp4", "--thresholds", "x"], ["a/x.mp4", "b/x.mp4"]])
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clips.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("masquerade: ") and printed.err.count("\n") == 1
    assert not printed.out
