"""The photo's way through made-up parts: what is drawn, obscured, refused, repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from drawers import Upright
from masquerade.anonymizer import LAST_LOOKS, Anonymizer
from masquerade.faces.alignment import TEMPLATE
from masquerade.faces.second_opinion import LIMIT
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading
from masquerade.limits import CANDIDATES, ROUNDS, SMALLEST_PX
from masquerade.parts import Parts
from masquerade.types import Crop, Face, Floats, Identity, Pixels

SIDE = 240


def face_at(x: float, y: float, width: float) -> Face:
    landmarks = np.float32([x, y]) + (TEMPLATE - TEMPLATE[2]).astype(np.float32) * width * 1.75
    return Face((x - width / 2, y - width / 2, x + width / 2, y + width / 2), landmarks, 0.9)


class Finds:
    """Always finds the same faces."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def __call__(self, photo: Pixels) -> list[Face]:
        return self.faces


class FindsInTheMiddle:
    """Finds one face in the middle of every picture: where the audit looks for a replaced face."""

    def __call__(self, photo: Pixels) -> list[Face]:
        return [face_at(photo.shape[1] / 2, photo.shape[0] / 2, 40)]


class SeesColour:
    """Tells people by the face's mean colour alone."""

    def embed(self, photo: Pixels, face: Face) -> Floats:
        x0, y0, x1, y1 = (max(0, int(v)) for v in face.box)
        vector = np.zeros(128, np.float32)
        vector[:3] = photo[y0:y1, x0:x1].reshape(-1, 3).mean(0) - 127.5
        return vector / max(float(np.linalg.norm(vector)), 1e-6)


class Bank:
    """Numbers its identities."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, around: Surroundings, rng: np.random.Generator) -> Identity:
        self.drawn += 1
        return Identity(np.zeros(64, np.float32), np.zeros((9, 32), np.float32), int(rng.integers(2**32)))


class Paints(Upright):
    """Draws every new face in one colour."""

    def __init__(self, colour: Sequence[int], readable: bool = True) -> None:
        self.colour, self.readable, self.bank = np.float32(colour), readable, Bank()

    def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
        y, x = (np.mgrid[:128, :128] - 63.5) / 50
        mask = (x**2 + y**2 < 1).astype(np.float32)
        reading = Reading(np.ones((128, 128), np.uint8), mask, np.zeros(11, np.float32), Surroundings(None, 0.5))
        return reading if self.readable else None

    def draw(self, crop: Crop, reading: Reading, identities: Sequence[Identity]) -> Floats:
        return np.broadcast_to(self.colour, (len(identities), 128, 128, 3)).astype(np.float32)


def anonymizer(drawer: Paints | None, *faces: Face, near: Sequence[Face] | None = None, **options: object) -> Anonymizer:
    checker = FindsInTheMiddle() if near is None else Finds(*near)
    return Anonymizer(parts=Parts(Finds(*faces), checker, SeesColour(), drawer), **options)  # type: ignore[arg-type]


@pytest.fixture
def photo() -> Pixels:
    """A red person before a gray wall."""
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    pixels[60:180, 60:180] = (200, 60, 60)
    return pixels


FACE = face_at(120, 120, 60)


def test_a_face_is_replaced_and_reported(photo: Pixels) -> None:
    result = anonymizer(Paints((40, 90, 220)), FACE, seed=1).photo(photo)
    (report,) = result.faces
    assert report.action == "generated" and report.reason == "" and report.attempts == 1
    assert report.box == FACE.box and report.similarity is not None and report.similarity < 0
    assert (result.pixels[120, 120] == (40, 90, 220)).all()


def test_pixels_away_from_the_face_stay(photo: Pixels) -> None:
    result = anonymizer(Paints((40, 90, 220)), FACE, seed=1).photo(photo)
    changed = np.argwhere((result.pixels != photo).any(2))
    assert changed.min() > 120 - 60 and changed.max() < 120 + 60


def test_the_input_is_left_as_it_was(photo: Pixels) -> None:
    before = photo.copy()
    anonymizer(Paints((40, 90, 220)), FACE).photo(photo)
    assert np.array_equal(photo, before)


def test_who_is_still_alike_is_obscured_after_every_round(photo: Pixels) -> None:
    drawer = Paints((200, 60, 60))
    (report,) = anonymizer(drawer, FACE, seed=1).photo(photo).faces
    assert (report.action, report.reason, report.attempts) == ("obscured", "audit: still alike", ROUNDS)
    assert drawer.bank.drawn == CANDIDATES * ROUNDS


@pytest.mark.parametrize(("resemblance", "action"), [(LIMIT - 0.01, "generated"), (LIMIT + 0.01, "obscured")])
def test_the_second_opinion_can_refuse(photo: Pixels, resemblance: float, action: str) -> None:
    def second(person: Pixels, faces: Pixels) -> Floats:
        assert person.shape == (128, 128, 3) and faces.shape[1:] == (128, 128, 3)
        return np.full(len(faces), resemblance, np.float32)

    parts = Parts(Finds(FACE), FindsInTheMiddle(), SeesColour(), Paints((40, 90, 220)), second)
    assert Anonymizer(parts=parts, seed=1).photo(photo).faces[0].action == action


def test_the_least_alike_by_both_opinions_is_taken(photo: Pixels) -> None:
    class PaintsBlues(Paints):
        def draw(self, crop: Crop, reading: Reading, identities: Sequence[Identity]) -> Floats:
            faces = super().draw(crop, reading, identities).copy()
            faces[..., 2] -= np.arange(len(faces), dtype=np.float32)[:, None, None]
            return faces

    def second(person: Pixels, faces: Pixels) -> Floats:
        return np.where(np.arange(len(faces)) == 2, 0.0, 0.3).astype(np.float32)

    parts = Parts(Finds(FACE), FindsInTheMiddle(), SeesColour(), PaintsBlues((40, 90, 220)), second)
    assert Anonymizer(parts=parts, seed=1).photo(photo).pixels[120, 120, 2] == 218


@pytest.mark.parametrize(("answer", "blue"), [(0.5, 158), (-0.5, 140)])
def test_a_mouth_that_opens_too_little_is_asked_again_unless_that_is_worse(photo: Pixels, answer: float, blue: int) -> None:
    class OpensItsMouth(Paints):
        """The more it is asked to open its mouth the bluer it is; what it shows of that is another matter."""

        def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
            found = super().read(crop, sure)
            assert found is not None
            condition = found.condition.copy()
            condition[3] = 0.2
            return replace(found, condition=condition)

        def draw(self, crop: Crop, reading: Reading, identities: Sequence[Identity]) -> Floats:
            faces = super().draw(crop, reading, identities).copy()
            faces[..., 2] = 100 + 200 * reading.condition[3]
            return faces

        def conditions(self, faces: Pixels) -> Floats:
            shown = np.zeros((len(faces), 10), np.float32)
            shown[:, 3] = answer * (faces[:, 64, 64, 2] - 100.0) / 200
            return shown

    pixels = anonymizer(OpensItsMouth((40, 90, 220)), FACE, seed=1).photo(photo).pixels
    assert pixels[120, 120, 2] == pytest.approx(blue, abs=1)


def test_mostly_hidden_faces_are_obscured(photo: Pixels) -> None:
    class SeesLittle(Paints):
        def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
            found = super().read(crop, sure)
            return None if found is None else replace(found, visible=0.3)

    assert anonymizer(SeesLittle((40, 90, 220)), FACE).photo(photo).faces[0].reason == "mostly hidden"


def test_who_is_recognised_in_the_finished_photo_is_obscured_in_the_end(photo: Pixels) -> None:
    class SeesTheHeadInWholePhotos(FindsInTheMiddle):
        def __call__(self, photo: Pixels) -> list[Face]:
            return [replace(FACE, box=(60.0, 60.0, 180.0, 180.0))] if photo.shape[:2] == (SIDE, SIDE) else super().__call__(photo)

    drawer = Paints((40, 90, 220))
    parts = Parts(Finds(FACE), SeesTheHeadInWholePhotos(), SeesColour(), drawer)
    (report,) = Anonymizer(parts=parts, seed=1).photo(photo).faces
    assert (report.action, report.reason) == ("obscured", "audit: still alike")
    assert drawer.bank.drawn == CANDIDATES * LAST_LOOKS


def test_an_obscured_face_that_is_recognised_in_the_finished_photo_is_obscured_again(photo: Pixels) -> None:
    class SeesTheBackgroundInWholePhotos(FindsInTheMiddle):
        """Looks elsewhere than the audit of one face does: there nothing changes, however often the face is obscured."""

        def __call__(self, photo: Pixels) -> list[Face]:
            return [replace(FACE, box=(0.0, 0.0, 20.0, 20.0))] if photo.shape[:2] == (SIDE, SIDE) else super().__call__(photo)

    parts = Parts(Finds(FACE), SeesTheBackgroundInWholePhotos(), SeesColour(), Paints((40, 90, 220), readable=False))
    once = anonymizer(Paints((40, 90, 220), readable=False), FACE, seed=1).photo(photo).faces[0]
    again = Anonymizer(parts=parts, seed=1).photo(photo).faces[0]
    assert (once.reason, again.reason) == ("no face for the parser",) * 2
    assert again.attempts == once.attempts + LAST_LOOKS


def test_what_no_detector_takes_for_a_face_is_obscured(photo: Pixels) -> None:
    (report,) = anonymizer(Paints((40, 90, 220)), FACE, near=[], seed=1).photo(photo).faces
    assert (report.action, report.reason) == ("obscured", "audit: not a face")


def test_small_and_unreadable_faces_are_obscured(photo: Pixels) -> None:
    small = face_at(120, 120, SMALLEST_PX - 1)
    assert anonymizer(Paints((40, 90, 220)), small).photo(photo).faces[0].reason == "too small"
    assert anonymizer(Paints((40, 90, 220), readable=False), FACE).photo(photo).faces[0].reason == "no face for the parser"


@pytest.mark.parametrize("method", ["blur", "pixelate", "solid"])
def test_the_other_methods_need_no_networks(photo: Pixels, method: str) -> None:
    result = anonymizer(None, FACE, method=method).photo(photo)
    assert result.faces[0].action == "obscured" and result.faces[0].reason == "method"
    assert (result.pixels != photo).any()


def test_a_seed_repeats_a_run_and_no_seed_does_not() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    def pixelated(seed: int | None) -> Pixels:
        return anonymizer(None, FACE, method="pixelate", seed=seed).photo(photo).pixels

    assert np.array_equal(pixelated(1), pixelated(1))
    assert not np.array_equal(pixelated(1), pixelated(2))
    assert not np.array_equal(pixelated(None), pixelated(None))


def test_a_photo_without_faces_stays_as_it_is(photo: Pixels) -> None:
    result = anonymizer(Paints((0, 0, 0))).photo(photo)
    assert result.faces == () and np.array_equal(result.pixels, photo)


def test_own_boxes_are_replaced_even_where_nothing_is_found(photo: Pixels) -> None:
    result = anonymizer(None, method="solid").photo(photo, boxes=[(100, 100, 140, 140)])
    assert result.faces[0].box == (100, 100, 140, 140)
    assert (result.pixels[120, 120] != photo[120, 120]).any()


def test_a_key_gives_one_person_one_identity_across_photos(photo: Pixels) -> None:
    class Remembers(Paints):
        seeds: list[int]

        def draw(self, crop: Crop, reading: Reading, identities: Sequence[Identity]) -> Floats:
            self.seeds = [i.seed for i in identities]
            return super().draw(crop, reading, identities)

    def seeds(key: bytes, pixels: Pixels) -> list[int]:
        drawer = Remembers((40, 90, 220))
        anonymizer(drawer, FACE, key=key).photo(pixels)
        return drawer.seeds

    other = photo.copy()
    other[:40] = 0
    assert seeds(b"key", photo) == seeds(b"key", other)
    assert seeds(b"key", photo) != seeds(b"another", photo)


def test_what_is_obscured_does_not_cover_the_new_face_before_it(photo: Pixels) -> None:
    """A face too small to be replaced, found after the one that it lies on the edge of."""
    small = face_at(145, 120, SMALLEST_PX - 4)
    result = anonymizer(Paints((40, 90, 220)), FACE, small, seed=1).photo(photo)
    assert [report.action for report in result.faces] == ["generated", "obscured"]
    assert [report.box for report in result.faces] == [FACE.box, small.box]
    assert (result.pixels[120, 140] == (40, 90, 220)).all()
