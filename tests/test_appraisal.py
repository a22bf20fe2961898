"""What is thought of new faces, with a made-up reader of expressions and a made-up second opinion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masquerade.appraisal import (
    AGREEMENT,
    AS_OWN,
    BELONGING,
    FAINT_FROM,
    FAINTEST,
    LOPSIDED_FROM,
    ROUGH_FROM,
    UNITS,
    UNREADABLE,
    Appraisal,
    appraise,
    other_age,
    other_hair,
    other_sex,
)
from masquerade.faces.second_opinion import LIMIT, WEIGHT
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading
from masquerade.parts import Parts
from masquerade.regions import EYES, SKIN
from masquerade.types import Crop, Floats, Pixels

CROP = Crop(np.full((128, 128, 3), 50, np.uint8), np.eye(2, 3), np.ones((128, 128), bool))


class ReadsBrightness:
    """Takes a tenth of the face's brightness for the mouth's opening."""

    def conditions(self, faces: Pixels) -> Floats:
        found = np.zeros((len(faces), 10), np.float32)
        found[:, 3] = faces[:, 64, 64, 0] / 1000
        return found


def reading(opening: float) -> Reading:
    condition = np.zeros(11, np.float32)
    condition[3] = opening
    mask = np.zeros((128, 128), np.float32)
    mask[32:96, 32:96] = 1
    parsing = np.zeros((128, 128), np.uint8)
    parsing[40:88, 40:88] = SKIN
    return Reading(parsing, mask, condition, Surroundings(None, 0.5))


def test_expressions_are_compared_with_the_wanted_one() -> None:
    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness())  # type: ignore[arg-type]
    faces = np.stack([np.full((128, 128, 3), value, np.float32) for value in (100, 200)])
    near, far = appraise(parts, CROP, reading(0.1), faces)
    assert near.resemblance == 0 and near.disagreement == pytest.approx(0, abs=1e-6)
    assert far.disagreement == pytest.approx(0.1 / float(UNITS[3]) / 10)


def test_the_second_opinion_sees_the_face_within_its_crop() -> None:
    def second(person: Pixels, faces: Pixels) -> Floats:
        assert np.array_equal(person, CROP.pixels)
        assert (faces[:, 0, 0] == 50).all() and (faces[:, 64, 64] == 200).all()
        return np.float32([0.25])

    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness(), second)  # type: ignore[arg-type]
    (appraisal,) = appraise(parts, CROP, reading(0.2), np.full((1, 128, 128, 3), 200, np.float32))
    assert appraisal.resemblance == pytest.approx(0.25)
    assert appraisal.burden == pytest.approx(WEIGHT * 0.25 + AGREEMENT * appraisal.disagreement)


@pytest.mark.parametrize(
    ("resemblance", "disagreement", "clarity", "passes"),
    [(0.1, 0.3, 0.8, True), (LIMIT + 0.01, 0.3, 0.8, False), (0.1, 0.9, 0.8, False), (0.1, 0.3, UNREADABLE - 0.01, False)],
)
def test_resembling_and_broken_faces_do_not_pass(resemblance: float, disagreement: float, clarity: float, passes: bool) -> None:
    assert Appraisal(resemblance, disagreement, clarity=clarity).passes is passes


def test_blotched_skin_is_a_burden_and_even_skin_is_none() -> None:
    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness())  # type: ignore[arg-type]
    even = np.full((128, 128, 3), 150, np.float32)
    blotched = even.copy()
    blotched[np.indices((128, 128)).sum(0) % 14 < 5] = 60
    smooth, rough = appraise(parts, CROP, reading(0.15), np.stack([even, blotched]))
    assert smooth.roughness == pytest.approx(0, abs=1e-3)
    assert rough.roughness > ROUGH_FROM
    assert rough.burden > smooth.burden + 0.1


def test_faces_with_fog_for_eyes_do_not_pass() -> None:
    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness())  # type: ignore[arg-type]
    seen = reading(0.15)
    seen.parsing[60:66, 48:60] = seen.parsing[60:66, 68:80] = EYES
    foggy = np.full((128, 128, 3), 150, np.float32)
    drawn = foggy.copy()
    drawn[60:66, 48:60] = drawn[60:66, 68:80] = 40
    clear, faint = appraise(parts, CROP, seen, np.stack([drawn, foggy]))
    assert clear.distinctness is not None and clear.distinctness > FAINT_FROM and clear.passes
    assert faint.distinctness is not None and faint.distinctness < FAINTEST and not faint.passes
    assert faint.burden > clear.burden + 0.5
    (unseen,) = appraise(parts, CROP, reading(0.15), foggy[None])
    assert unseen.distinctness is None and unseen.passes


def test_unclear_faces_are_a_burden() -> None:
    assert Appraisal(0.0, 0.0, 0.0, clarity=0.7).burden > Appraisal(0.0, 0.0, 0.0, clarity=0.9).burden + 0.3


def test_a_dark_patch_for_an_eye_is_a_burden_light_from_the_side_is_none() -> None:
    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness())  # type: ignore[arg-type]
    wanted = reading(0.15)
    wanted.mask[:], wanted.parsing[20:110, 20:108] = 1, SKIN
    wanted.parsing[48:54, 36:52] = wanted.parsing[48:54, 76:92] = EYES
    even = np.full((128, 128, 3), 150, np.float32)
    patch, side = even.copy(), even.copy()
    patch[44:58, 32:56] = 80
    side[:, :64] = 120
    plain, patched, lit = appraise(parts, Crop(even.astype(np.uint8), np.eye(2, 3), CROP.inside), wanted, np.stack([even, patch, side]))
    assert plain.lopsidedness == pytest.approx(0, abs=1e-3)
    assert lit.lopsidedness < LOPSIDED_FROM + 0.02
    assert patched.lopsidedness > 3 * LOPSIDED_FROM
    assert replace(patched, distinctness=None).burden > replace(plain, distinctness=None).burden + 0.1


def test_faces_of_the_sex_and_age_that_the_surroundings_suggest_bear_nothing() -> None:
    woman, years = np.float32([3, 0, -3]), np.float32([20, 40, 60])
    assert other_sex(woman, 1.0).argsort().tolist() == [0, 1, 2] and other_sex(woman, 1.0)[0] == 0
    assert other_sex(woman, 0.0).argsort().tolist() == [2, 1, 0] and other_sex(woman, 0.0)[2] == 0
    # Where it is in doubt, faces that might be either bear least.
    assert other_sex(woman, 0.5).argmin() == 1
    assert not other_sex(woman, None).any() and not other_age(years, None).any()
    assert other_age(years, 38.0).argsort().tolist() == [1, 0, 2] and other_age(years, 38.0)[1] == 0


def test_faces_go_with_the_hair_that_is_there() -> None:
    goes = np.float32([-50, -30, -10])
    assert other_hair(goes, -12.0).argmin() == 2 and other_hair(goes, -48.0).argmin() == 0
    assert not other_hair(goes, None).any()


def test_who_does_not_belong_is_a_burden() -> None:
    def belonging(crops: Pixels) -> Floats:
        assert (crops[:, 0, 0] == 50).all()
        return np.float32([AS_OWN + 1, AS_OWN - 2])

    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness(), belonging=belonging)  # type: ignore[arg-type]
    own, stranger = appraise(parts, CROP, reading(0.2), np.full((2, 128, 128, 3), 200, np.float32))
    assert stranger.burden - own.burden == pytest.approx(2 * BELONGING)


def test_faces_are_blurred_to_be_as_soft_as_the_one_before() -> None:
    parts = Parts(lambda _: [], lambda _: [], None, ReadsBrightness())  # type: ignore[arg-type]
    sharp = np.full((1, 128, 128, 3), 100, np.float32)
    sharp[:, ::3] = 180
    (soft,) = appraise(parts, CROP, reading(0.1), sharp)
    (dark,) = appraise(parts, CROP, reading(0.1), np.full((1, 128, 128, 3), 100, np.float32), gain=4.0)
    assert soft.blur >= 1 and 0 < dark.blur <= 1.2
