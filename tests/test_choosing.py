"""The new face of a whole clip is the one that resembles the person in none of their looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from drawers import Upright
from masquerade.audit import Audit
from masquerade.choosing import Chooser, Chosen, resemblance
from masquerade.faces.alignment import TEMPLATE
from masquerade.faces.people import Person, Portrait
from masquerade.faces.placing import LESS_UPRIGHT, UPRIGHT, Placement
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import ReadBack, Reading
from masquerade.parts import Parts
from masquerade.types import Crop, Face, Floats, Identity, Pixels

FACE = Face((20.0, 20.0, 108.0, 118.0), (TEMPLATE * 128).astype(np.float32), 0.9)


def axis(number: int) -> Floats:
    return np.eye(128, dtype=np.float32)[number]


class Bank:
    """Identities whose seed is the gray that they are drawn in."""

    def __init__(self) -> None:
        self.grays = iter([90, 120, 150] * 200)

    def draw(self, around: Surroundings, rng: np.random.Generator) -> Identity:
        return Identity(np.zeros(64, np.float32), np.zeros((9, 32), np.float32), next(self.grays))


class DrawsGray(Upright):
    def __init__(self, reads: bool = True, visible: float = 1.0, clear: float = 1.0, glasses: bool = False) -> None:
        self.bank, self.reads, self.visible, self.clear = Bank(), reads, visible, clear
        self.condition = np.array([0] * 10 + [glasses], np.float32)

    def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
        mask = np.ones((128, 128), np.float32)
        reading = Reading(np.ones((128, 128), np.uint8), mask, self.condition, Surroundings(None, 0.5), self.visible)
        return reading if self.reads else None

    def read_back(self, faces: Pixels, reading: Reading, identities: Sequence[Identity]) -> list[ReadBack]:
        return [ReadBack(self.clear)] * len(faces)

    def draw(
        self, crop: Crop, reading: Reading, identities: Sequence[Identity], previous: tuple[Floats, Floats] | None = None, temporal: bool = False
    ) -> Floats:
        return np.stack([np.full((128, 128, 3), i.seed, np.float32) for i in identities])


class KnowsGrays:
    """Sees the person in grays near 90 wherever the picture's corner is dark, in grays near 150 where it is light."""

    def embed(self, photo: Pixels, face: Face) -> Floats:
        gray, is_light = int(photo[64, 64].mean()), photo[-1, -1, 0] > 90
        is_person = gray < 80 or abs(gray - (150 if is_light else 90)) < 8
        return axis(0 if is_person else 1)

    def __call__(self, photo: Pixels) -> list[Face]:
        return []


def look(corner: int) -> Portrait:
    pixels = np.full((160, 160, 3), 75, np.uint8)
    pixels[-4:, -4:] = corner
    return Portrait(pixels, FACE, 0.8)


def choice(person: Person, drawer: DrawsGray | None = None) -> Chosen | None:
    knows = KnowsGrays()
    parts = Parts(knows, knows, knows, drawer or DrawsGray())
    return Chooser(parts, Audit(knows, knows, 0.359, 0.01))(person, np.random.default_rng(0))


def chosen(person: Person, drawer: DrawsGray | None = None) -> int | None:
    found = choice(person, drawer)
    return None if found is None else found.identity.seed


def test_a_face_that_resembles_the_person_in_one_view_only_is_not_taken() -> None:
    assert chosen(Person(0, portraits=[look(60)], views=[look(60), look(120)], embedding=axis(0))) == 120


def test_a_look_in_which_everybody_is_the_person_does_not_widen_the_search() -> None:
    class SeesThePersonInWhite(KnowsGrays):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            return axis(0) if photo[-1, -1, 0] > 200 else super().embed(photo, face)

    def tried(*views: Portrait) -> tuple[int, int]:
        knows, drawer = SeesThePersonInWhite(), DrawsGray()
        person = Person(0, portraits=[look(60)], views=list(views), embedding=axis(0))
        found = Chooser(Parts(knows, knows, knows, drawer), Audit(knows, knows, 0.359, 0.01))(person, np.random.default_rng(0))
        assert found is not None
        return found.identity.seed, len(list(drawer.bank.grays))

    assert tried(*[look(60)] * 5, look(255)) == tried(*[look(60)] * 6)


def test_where_nobody_is_safe_the_search_goes_on() -> None:
    """Of the first forty identities every one is the person in some look; of later ones some are in none."""

    class LateBank(Bank):
        def __init__(self) -> None:
            self.grays = iter([90, 150] * 20 + [90, 150, 120] * 200)

    drawer = DrawsGray()
    drawer.bank = LateBank()
    assert chosen(Person(0, portraits=[look(60)], views=[look(60), look(120)], embedding=axis(0)), drawer) == 120


def test_who_is_recognised_in_most_looks_is_not_taken() -> None:
    """There are two identities: one is the person in dark looks, the other in light ones, of which there are fewer."""
    drawer = DrawsGray()
    drawer.bank.grays = iter([90, 150] * 300)
    views = [look(60), look(60), look(60), look(120), look(60)]
    assert chosen(Person(0, portraits=[look(60)], views=views, embedding=axis(0)), drawer) == 150


def test_somebody_is_found_for_a_person_of_whom_nothing_is_known() -> None:
    assert chosen(Person(0)) == 90
    assert chosen(Person(0, portraits=[look(60)]), DrawsGray(reads=False)) == 90


def test_who_is_hidden_gets_no_new_face() -> None:
    assert choice(Person(0, portraits=[look(60)], embedding=axis(0)), DrawsGray(visible=0.3)) is None


@pytest.mark.parametrize(("clear", "glasses", "is_clear"), [(0.6, False, False), (0.73, False, False), (0.73, True, True), (1.0, False, True)])
def test_who_cannot_be_drawn_clearly_is_not_to_be_seen_in_focus(clear: float, glasses: bool, is_clear: bool) -> None:
    found = choice(Person(0, portraits=[look(60)], embedding=axis(0)), DrawsGray(clear=clear, glasses=glasses))
    assert found is not None and found.is_clear == is_clear


@pytest.mark.parametrize(("leans", "upright"), [(True, LESS_UPRIGHT), (False, UPRIGHT)])
def test_who_leans_and_resembles_everybody_is_set_less_upright(leans: bool, upright: float) -> None:
    """Who stands in a head that leans as the person's is the person to this recogniser."""

    class Leans(DrawsGray):
        def placement(self, photo: Pixels, face: Face, upright: float = UPRIGHT) -> Placement:
            return Placement(turn=0.7 - upright if leans else 0.0)

        def draw(
            self, crop: Crop, reading: Reading, identities: Sequence[Identity], previous: tuple[Floats, Floats] | None = None, temporal: bool = False
        ) -> Floats:
            is_level = abs(np.arctan2(crop.matrix[1, 0], crop.matrix[0, 0])) < 0.3
            return np.stack([np.full((128, 128, 3), 120 if leans and is_level else 90, np.float32) for _ in identities])

    found = choice(Person(0, portraits=[look(60)], embedding=axis(0)), Leans())
    assert found is not None and found.upright == upright


def test_a_head_that_cannot_be_read_less_upright_stays_upright() -> None:
    class ReadsUprightOnly(DrawsGray):
        def placement(self, photo: Pixels, face: Face, upright: float = UPRIGHT) -> Placement:
            self.reads = upright == UPRIGHT
            return Placement(turn=0.7 - upright)

    drawer = ReadsUprightOnly()
    drawer.bank.grays = iter([90] * 2000)
    found = choice(Person(0, portraits=[look(60)], embedding=axis(0)), drawer)
    assert found is not None and found.upright == UPRIGHT


@pytest.mark.parametrize(
    ("mean", "frame", "expected"),
    [(axis(0), axis(1)[None], 1.0), (axis(1), axis(0)[None], 1.0), (None, axis(0)[None], 1.0), (axis(0), None, None)],
)
def test_both_the_mean_and_the_frame_count(mean: Floats | None, frame: Floats | None, expected: float | None) -> None:
    there = axis(0)[None]
    if expected is None:
        assert resemblance(Audit(KnowsGrays(), KnowsGrays(), 0.359), mean, frame, there) is None
    else:
        assert resemblance(Audit(KnowsGrays(), KnowsGrays(), 0.359), mean, frame, there) == pytest.approx(expected)
