"""Faces in clips are steady: what is drawn is carried along the motion of the original face, and only along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from drawers import Upright
from masquerade.clip_anonymizer import FRESH_PICTURE, WARMED_UP, ClipAnonymizer
from masquerade.faces.alignment import TEMPLATE
from masquerade.faces.people import Person, Portrait
from masquerade.faces.placing import UPRIGHT, Placement
from masquerade.faces.tracks import Seen
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Measured, ReadBack, Reading
from masquerade.obscuring import Method, obscure
from masquerade.parts import Parts
from masquerade.steadying import EYES, EYES_REACH, MOUTH, MOUTH_REACH, Motion, around
from masquerade.types import Crop, Face, FaceReport, Floats, Identity, Pixels
from masquerade.video import TrackedFace

HEAD: Pixels = cv2.resize(astronaut()[:256, 96:352], (128, 128), interpolation=cv2.INTER_AREA)


class Bank:
    def draw(self, around: Surroundings, rng: np.random.Generator) -> Identity:
        return Identity(np.zeros(64, np.float32), np.zeros((9, 32), np.float32), 0)


class Flickers(Upright):
    """Draws every face in another gray, and remembers what it was told of the frame before."""

    def __init__(self) -> None:
        self.bank, self.rng = Bank(), np.random.default_rng(0)
        self.drawn: list[float] = []
        self.previous: list[tuple[Floats, Floats] | None] = []
        self.temporal: list[bool] = []

    def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
        measured = self.measure(crop)
        return self.reading(crop, measured.shares, measured.condition)

    def measure(self, crop: Crop) -> Measured:
        shares = np.zeros((14, 128, 128), np.float32)
        y, x = (np.mgrid[:128, :128] - 63.5) / 45
        shares[1] = x**2 + y**2 < 1
        shares[0] = 1 - shares[1]
        return Measured(shares, np.zeros(10, np.float32), Placement())

    def reading(
        self, crop: Crop, shares: Floats, condition: Floats, sure: bool = False, dark: bool = False, scene: Crop | None = None
    ) -> Reading | None:
        return Reading(shares.argmax(0).astype(np.uint8), shares[1], np.zeros(11, np.float32), Surroundings(None, 0.5))

    def draw(
        self, crop: Crop, reading: Reading, identities: Sequence[Identity], previous: tuple[Floats, Floats] | None = None, temporal: bool = False
    ) -> Floats:
        self.drawn.append(float(self.rng.uniform(80, 160)))
        self.previous.append(previous)
        self.temporal.append(temporal)
        return np.full((len(identities), 128, 128, 3), self.drawn[-1], np.float32)


class Sees:
    """A recogniser that knows drawn faces, which are gray, from others, and a detector that has nothing to object to."""

    def embed(self, photo: Pixels, face: Face) -> Floats:
        is_drawn = np.ptp(photo[60:68, 60:68].astype(int), axis=2).max() < 3
        return np.eye(128, dtype=np.float32)[1 if is_drawn else 2]

    def __call__(self, photo: Pixels) -> list[Face]:
        return [tracked().face]


def tracked(down_px: float = 0.0) -> TrackedFace:
    landmarks = (TEMPLATE * 128 + (0, down_px)).astype(np.float32)
    return TrackedFace(0, 0, Face((20.0, 20.0 + down_px, 108.0, 118.0 + down_px), landmarks, 0.9), "detected")


def next_frame(clip: ClipAnonymizer, rgb: Pixels, faces: Sequence[TrackedFace]) -> tuple[Pixels, list[FaceReport]]:
    return clip.frame(rgb, clip.look(rgb, faces))


def run(frames: Sequence[Pixels], temporal: bool = True) -> tuple[Flickers, list[float]]:
    """The gray in the middle of every frame's new face."""
    drawer = Flickers()
    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), drawer), seed=0, temporal=temporal)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    seen = []
    for frame in frames:
        pixels, (report,) = next_frame(clip, frame, [tracked()])
        assert report.action == "generated"
        seen.append(float(pixels[60:68, 60:68].mean()))
    return drawer, seen


def test_a_resting_face_is_steadier_than_what_is_drawn() -> None:
    drawer, seen = run([HEAD] * 12)
    assert np.abs(np.diff(seen)).mean() < 0.6 * np.abs(np.diff(drawer.drawn)).mean()
    assert drawer.previous[0] is None and all(p is not None for p in drawer.previous[1:])


def test_nothing_is_carried_over_a_change_that_is_no_motion() -> None:
    other = np.ascontiguousarray(255 - HEAD[::-1])
    drawer, seen = run([HEAD, other])
    assert abs(seen[1] - drawer.drawn[-1]) < 2


@pytest.mark.parametrize("temporal", [True, False])
def test_the_network_for_clips_can_be_left_out(temporal: bool) -> None:
    drawer, _ = run([HEAD] * 2, temporal)
    assert drawer.temporal == [temporal] * (2 + (WARMED_UP if temporal else 0))


def test_motion_is_undone_where_it_is_known() -> None:
    shifted = np.roll(HEAD, 2, 1)
    motion = Motion(shifted, HEAD)
    inner = (slice(16, 112), slice(16, 112))
    back = motion.of(HEAD.astype(np.float32))
    assert np.abs(back - shifted)[inner].mean() < 0.35 * np.abs(HEAD.astype(np.float32) - shifted)[inner].mean()
    assert motion.trust[inner].mean() > 0.9
    covered = shifted.copy()
    covered[50:80, 50:80] = (250, 0, 250)
    trust = Motion(covered, HEAD).trust
    assert trust[56:74, 56:74].mean() < 0.5 < trust[90:110, 20:100].mean()


def test_a_frame_that_still_shows_the_person_is_obscured() -> None:
    """The mean of the portraits says nothing; the frame itself does."""

    class SeesOnePerson(Sees):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            return np.eye(128, dtype=np.float32)[2]

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesOnePerson(), Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    (report,) = next_frame(clip, HEAD, [tracked()])[1]
    assert (report.action, report.reason) == ("obscured", "audit: still alike")


def test_a_blur_that_resembles_the_person_is_replaced_by_another() -> None:
    class SeesThePersonInTheFirstBlur(Sees):
        def __init__(self) -> None:
            self.seen: list[bytes] = []

        def embed(self, photo: Pixels, face: Face) -> Floats:
            there = photo[40:90, 40:90].tobytes()
            if there not in self.seen:
                self.seen.append(there)
            return np.eye(128, dtype=np.float32)[2 if self.seen.index(there) < 2 else 1]

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesThePersonInTheFirstBlur(), Flickers()), seed=0)
    frames = [next_frame(clip, HEAD, [replace(tracked(), obscure="hardly a face")])[0] for _ in range(3)]
    first = HEAD.copy()
    obscure(first, tracked().face, "blur", np.random.default_rng([0, 0, 0]))
    assert (frames[0] != first).any()
    assert all((frame == frames[0]).all() for frame in frames)


@pytest.mark.parametrize(("obscured", "method"), [("hardly a face", "blur"), ("", "sketch")])
def test_who_gets_no_face_is_sketched_and_what_may_be_a_hand_is_blurred(obscured: str, method: Method) -> None:
    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), Flickers()), seed=0)
    shown, (report,) = next_frame(clip, HEAD, [replace(tracked(), obscure=obscured)])
    expected = HEAD.copy()
    obscure(expected, tracked().face, method, np.random.default_rng([0, 0, 0]))
    assert report.action == "obscured" and np.array_equal(shown, expected)


class SeesThePersonAt(Sees):
    """Thinks that what was drawn resembles the person by so much, in those frames only."""

    def __init__(self, frames: set[int], likeness: float = 0.5) -> None:
        self.frames, self.likeness, self.now = frames, likeness, 0

    def embed(self, photo: Pixels, face: Face) -> Floats:
        vector = super().embed(photo, face)
        alike = np.where(np.arange(128) == 2, self.likeness, (1 - self.likeness**2) ** 0.5 * vector)
        return alike.astype(np.float32) if self.now in self.frames and vector[1] else vector


def test_a_face_that_grew_like_the_person_is_drawn_anew() -> None:
    drawer = Flickers()

    class SeesThePersonInWhatIsKept(Sees):
        """Of what was mixed with the frame before, from the fourth frame on until it is drawn by nothing once."""

        def embed(self, photo: Pixels, face: Face) -> Floats:
            vector = super().embed(photo, face)
            grew = len(drawer.previous) > 3 and all(previous is not None for previous in drawer.previous[1:])
            return np.eye(128, dtype=np.float32)[2] if vector[1] and grew else vector

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesThePersonInWhatIsKept(), drawer), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    reports = [next_frame(clip, HEAD, [tracked()])[1][0] for _ in range(8)]
    assert all(report.action == "generated" for report in reports)
    assert [previous is None for previous in drawer.previous].count(True) == 2


@pytest.mark.parametrize(
    ("alike", "likeness", "obscured"),
    [({3}, 0.32, set[int]()), ({3}, 0.355, {3, 4}), ({3}, 0.9, {3, 4}), (set(range(3, 30)), 0.355, set(range(3, 30)))],
    ids=["below the limit", "once", "once, much", "from then on"],
)
def test_a_track_is_obscured_from_the_first_frame_that_is_alike_and_comes_back(alike: set[int], likeness: float, obscured: set[int]) -> None:
    sees = SeesThePersonAt(alike, likeness)
    clip = ClipAnonymizer(Parts(Sees(), Sees(), sees, Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    failed = set()
    for sees.now in range(30):
        (report,) = next_frame(clip, HEAD, [tracked()])[1]
        if report.action == "obscured":
            failed.add(sees.now)
    assert failed == obscured


def test_a_face_that_is_alike_becomes_nobodys() -> None:
    """And one that resembles the person all the same is sketched."""

    class SeesThePersonInFocus(Sees):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            is_in_focus = np.ptp(photo[40:90, 40:90].astype(int), axis=(0, 1)).max() > 60
            return np.eye(128, dtype=np.float32)[2 if is_in_focus else 1]

    class DrawsLines(Flickers):
        def draw(
            self, crop: Crop, reading: Reading, identities: Sequence[Identity], previous: tuple[Floats, Floats] | None = None, temporal: bool = False
        ) -> Floats:
            lines = np.full((len(identities), 128, 128, 3), 90, np.float32)
            lines[:, ::6] = lines[:, 1::6] = lines[:, 2::6] = 190
            return lines

    sharp = np.ascontiguousarray(HEAD)
    sharp[::2, ::2] = 255 - sharp[::2, ::2]
    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesThePersonInFocus(), DrawsLines()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    pixels, (report,) = next_frame(clip, sharp, [tracked()])
    assert (report.action, report.reason) == ("obscured", "audit: still alike")
    assert np.abs(pixels[40:90, 40:90].mean((0, 2)) - 140).max() < 20


def test_a_face_that_passes_once_it_is_nudged_is_a_new_face() -> None:
    class SeesThePersonInEvenLight(Sees):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            is_even = abs(float(photo[40:50, 40:90].mean()) - float(photo[85:95, 40:90].mean())) < 10
            return np.eye(128, dtype=np.float32)[2 if is_even or super().embed(photo, face)[2] else 1]

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesThePersonInEvenLight(), Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    pixels, (report,) = next_frame(clip, HEAD, [tracked()])
    assert report.action == "generated"
    assert abs(float(pixels[40:50, 40:90].mean()) - float(pixels[85:95, 40:90].mean())) > 10


def test_a_hidden_face_comes_back_step_by_step() -> None:
    """Half of it first; and one frame that passes amid others that do not is not shown."""
    sees = SeesThePersonAt({3, 4, 6, 7}, 0.9)
    clip = ClipAnonymizer(Parts(Sees(), Sees(), sees, Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    actions = []
    for sees.now in range(14):
        (report,) = next_frame(clip, HEAD, [tracked()])[1]
        actions.append(report.action)
    assert actions[3:9] == ["obscured"] * 6 and actions[9:] == ["generated"] * 5


def test_what_may_be_no_face_lies_below_the_new_face() -> None:
    above = replace(tracked(), track=1, person=1, face=replace(tracked().face, box=(40.0, -20.0, 90.0, 26.0)), obscure="hardly a face")
    textured = HEAD.copy()
    textured[:30:2] = 230
    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    pixels, (face, other) = next_frame(clip, textured, [tracked(), above])
    assert face.action == "generated" and other.action == "obscured"
    assert np.abs(pixels[:12].astype(int) - textured[:12]).mean() > 4
    assert np.ptp(pixels[24:30, 55:75].astype(int), axis=(0, 1)).max() <= 8


@pytest.mark.parametrize("is_known", [False, True])
def test_who_is_drawn_unclearly_is_out_of_focus_in_every_frame_or_sketched_in_every_frame(is_known: bool) -> None:
    class DrawsUnclearly(Flickers):
        def read_back(self, faces: Pixels, reading: Reading, identities: Sequence[Identity]) -> list[ReadBack]:
            return [ReadBack(0.3)] * len(faces)

    class KnowsWhatIsOutOfFocus(Sees):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            return np.eye(128, dtype=np.float32)[2] if is_known else super().embed(photo, face)

    clip = ClipAnonymizer(Parts(Sees(), Sees(), KnowsWhatIsOutOfFocus(), DrawsUnclearly()), seed=0)
    clip.begin([Person(0, [Portrait(HEAD, tracked().face, 0.9)], embedding=np.eye(128, dtype=np.float32)[0])])
    reports = [next_frame(clip, HEAD, [tracked()])[1][0] for _ in range(7)]
    assert {(r.action, r.reason) for r in reports} == {("obscured", "audit: still alike" if is_known else "audit: not a face")}
    assert all((r.attempts == 0) is is_known for r in reports)


def test_a_face_that_hardly_changes_is_obscured() -> None:
    class DrawsTheSame(Flickers):
        def draw(
            self, crop: Crop, reading: Reading, identities: Sequence[Identity], previous: tuple[Floats, Floats] | None = None, temporal: bool = False
        ) -> Floats:
            return np.repeat(crop.pixels[None].astype(np.float32) + 3, len(identities), 0)

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesThePersonAt(set()), DrawsTheSame()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    gray = np.repeat(cv2.cvtColor(HEAD, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    pixels, (report,) = next_frame(clip, gray, [tracked()])
    assert (report.action, report.reason) == ("obscured", "hardly changed")
    assert np.abs(pixels[40:90, 40:90].astype(int) - gray[40:90, 40:90]).mean() > 5


def test_beyond_the_edge_a_face_is_as_it_was() -> None:
    """What the networks are shown of a face that leaves the picture is still whole."""
    shown: list[Pixels] = []

    class Remembers(Flickers):
        def measure(self, crop: Crop) -> Measured:
            shown.append(crop.pixels)
            return super().measure(crop)

    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), Remembers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    next_frame(clip, HEAD, [tracked()])
    up = tracked(-60)
    next_frame(clip, np.concatenate([HEAD[60:], HEAD[:60]]), [up])
    assert np.abs(shown[1][:55].astype(int) - shown[0][:55]).mean() < 2
    assert np.abs(shown[1][65:].astype(int) - shown[0][65:]).mean() < 6


def test_a_head_that_begins_to_lean_is_set_upright_little_by_little() -> None:
    crops: list[Crop] = []

    class Leans(Flickers):
        def measure(self, crop: Crop) -> Measured:
            crops.append(crop)
            turned = np.arctan2(crop.matrix[1, 0], crop.matrix[0, 0])
            return super().measure(crop)._replace(placement=Placement(turn=float(0.8 - turned)))

    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), Leans()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    for _ in range(12):
        next_frame(clip, HEAD, [tracked()])
    turns = [float(np.arctan2(crop.matrix[1, 0], crop.matrix[0, 0])) for crop in crops]
    assert turns[0] == pytest.approx(0, abs=0.02)
    assert all(0 < after - before < 0.25 for before, after in pairwise(turns))
    assert turns[-1] == pytest.approx(0.8 - UPRIGHT, abs=0.03)


def test_a_known_face_that_is_nearly_gone_is_still_drawn() -> None:
    class SeesAnywhere(Sees):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            is_drawn = min(np.ptp(photo[y : y + 8, 60:68].astype(int), axis=2).max() for y in (8, 60)) < 3
            return np.eye(128, dtype=np.float32)[1 if is_drawn else 2]

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesAnywhere(), Flickers()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    gone = np.concatenate([HEAD[80:], HEAD[:80]])
    assert next_frame(clip, gone, [tracked(-80)])[1][0].reason == "mostly outside the picture"
    assert next_frame(clip, HEAD, [tracked()])[1][0].action == "generated"
    assert next_frame(clip, gone, [tracked(-80)])[1][0].action == "generated"


@pytest.mark.parametrize(("seen", "obscured"), [("detected", False), ("filled", True)])
def test_a_face_that_cannot_be_read_for_an_instant_is_as_it_was(seen: Seen, obscured: bool) -> None:
    """A hand before it, which hides it from the detector, too, is not painted over."""

    class ReadsNothingIn(Flickers):
        def measure(self, crop: Crop) -> Measured:
            measured = super().measure(crop)
            return measured._replace(shares=np.zeros_like(measured.shares)) if len(self.drawn) == 2 + WARMED_UP else measured

        def reading(
            self, crop: Crop, shares: Floats, condition: Floats, sure: bool = False, dark: bool = False, scene: Crop | None = None
        ) -> Reading | None:
            return super().reading(crop, shares, condition) if shares[1].mean() > 0.05 else None

    class SeesNothing(Sees):
        def __call__(self, photo: Pixels) -> list[Face]:
            return []

    clip = ClipAnonymizer(Parts(Sees(), Sees(), SeesNothing(), ReadsNothingIn()), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    frames = [HEAD, HEAD, np.ascontiguousarray(255 - HEAD[::-1])]
    reports = [next_frame(clip, frame, [replace(tracked(), seen=seen)])[1][0] for frame in frames]
    assert [r.action for r in reports[:2]] == ["generated"] * 2
    assert (reports[2].action == "obscured") is obscured


def test_lips_and_eyes_are_where_they_open() -> None:
    mouth, eyes = around(128, MOUTH, MOUTH_REACH), around(128, EYES, EYES_REACH)
    corners = np.rint(TEMPLATE * 128).astype(int)
    assert all(eyes[y, x] == 1 for x, y in corners[:2]) and all(mouth[y, x] == 1 for x, y in corners[3:])
    assert mouth[corners[0][1], corners[0][0]] == eyes[corners[3][1], corners[3][0]] == 0
    assert max(mouth.mean(), eyes.mean()) < 0.2


def test_a_mouth_that_opens_is_drawn_afresh_and_the_rest_stays() -> None:
    class Speaks(Flickers):
        def measure(self, crop: Crop) -> Measured:
            measured = super().measure(crop)
            measured.condition[3] = 0.1 * len(self.drawn)
            return measured

    drawer = Speaks()
    clip = ClipAnonymizer(Parts(Sees(), Sees(), Sees(), drawer), seed=0)
    clip.begin([Person(0, embedding=np.eye(128, dtype=np.float32)[0])])
    pixels = [next_frame(clip, HEAD, [tracked()])[0] for _ in range(2)]
    mouth, cheek = ((round(0.7 * 128), 64), (round(0.5 * 128), 64))
    first, second = drawer.drawn[WARMED_UP:]
    change = second - first
    assert abs(float(pixels[1][mouth].mean()) - second) < 2
    assert abs(float(pixels[1][cheek].mean()) - (first + FRESH_PICTURE * change)) < 0.2 * abs(change) + 2
