"""The shipped networks, on an astronaut."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.placing import UPRIGHT, placed
from masquerade.faces.yunet import YuNet
from masquerade.generation.identity import IdentityBank, Surroundings, keyed_seed
from masquerade.generation.light import Light, light_of
from masquerade.generation.replacement import SIZE, Reading, Replacement
from masquerade.generation.segmentation import Segmentation
from masquerade.regions import BACKGROUND, CODED, EYES, GLASSES, HAIR, INNER, LOWER_LIP, MERGED, NOSE, SKIN, UPPER_LIP
from masquerade.types import Crop


@pytest.fixture(scope="module")
def crop() -> Crop:
    photo = astronaut()
    (face,) = YuNet(0.6)(photo)
    return take_crop(photo, canonical_matrix(face, SIZE), SIZE)


@pytest.fixture(scope="module")
def replacement() -> Replacement:
    return Replacement(threads=1)


@pytest.fixture(scope="module")
def reading(replacement: Replacement, crop: Crop) -> Reading:
    found = replacement.read(crop)
    assert found is not None
    return found


def test_parser_gives_shares_and_finds_the_parts_of_a_face(crop: Crop) -> None:
    shares = Segmentation(threads=1).shares(crop.pixels)
    assert shares.shape == (len(MERGED), SIZE, SIZE)
    assert np.allclose(shares.sum(0), 1, atol=1e-3)
    seen = set(np.unique(shares.argmax(0)))
    assert {SKIN, NOSE, EYES, UPPER_LIP, LOWER_LIP, HAIR} <= seen


@pytest.mark.parametrize("lean_deg", [-40.0, 40.0])
def test_a_leaning_head_is_set_upright_and_in_the_middle(replacement: Replacement, lean_deg: float) -> None:
    """A detector that takes the leaning head for an upright one, and is beside it: level points, a little off those that are there."""
    photo = astronaut()
    (face,) = YuNet(0.6)(photo)
    matrix = cv2.getRotationMatrix2D(tuple(float(v) for v in face.landmarks.mean(0)), lean_deg, 1.0)
    leaning = np.asarray(cv2.warpAffine(photo, matrix, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)
    beside = dataclasses.replace(face, landmarks=face.landmarks + np.float32(0.15 * face.width))
    faces = (beside, placed(beside, replacement.placement(leaning, beside)), placed(beside, replacement.placement(leaning, beside, upright=0.5)))
    off, mended, partly = (replacement.measure(replacement.crop(leaning, f)).placement for f in faces)
    assert abs(off.turn) == pytest.approx(np.radians(40), abs=0.12) and off.misfit > 1
    assert abs(mended.turn) == pytest.approx(UPRIGHT, abs=0.06) and mended.misfit < 0.5
    assert abs(partly.turn) == pytest.approx(0.5, abs=0.12)


def test_in_the_dark_a_face_of_which_little_is_read_is_taken_for_a_whole_one(replacement: Replacement, crop: Crop) -> None:
    shares, condition, *_ = replacement.measure(crop)
    shares[:, :78], shares[BACKGROUND, :78] = 0, 1
    seen, taken = (replacement.reading(crop, shares, condition, dark=dark) for dark in (False, True))
    assert seen is not None and taken is not None
    assert seen.visible < 0.5 and taken.visible > 0.95
    nothing = np.zeros_like(shares)
    nothing[BACKGROUND] = 1
    assert replacement.reading(crop, nothing, condition, dark=True) is None


def test_an_upright_head_is_cropped_as_it_is(replacement: Replacement, crop: Crop) -> None:
    photo = astronaut()
    (face,) = YuNet(0.6)(photo)
    assert np.array_equal(replacement.crop(photo, placed(face, replacement.placement(photo, face))).pixels, crop.pixels)


def test_where_the_parser_sees_no_face_an_average_one_is_assumed_if_there_is_one(replacement: Replacement) -> None:
    wall = Crop(np.full((SIZE, SIZE, 3), 120, np.uint8), np.eye(2, 3), np.ones((SIZE, SIZE), bool))
    assert replacement.read(wall) is None
    assumed = replacement.read(wall, sure=True)
    assert assumed is not None and assumed.visible == 1.0
    assert assumed.parsing[SIZE // 2, SIZE // 2] == SKIN and assumed.mask[SIZE // 2, SIZE // 2] > 0.99
    assert not np.isin(assumed.parsing[:8], INNER).any()


def test_hidden_faces_are_less_visible(replacement: Replacement, crop: Crop, reading: Reading) -> None:
    covered = crop.pixels.copy()
    covered[SIZE // 2 :] = (20, 60, 20)
    hidden = replacement.read(Crop(covered, crop.matrix, crop.inside))
    assert reading.visible > 0.85
    assert hidden is None or hidden.visible < 0.7


def test_a_new_face_does_not_depend_on_the_inner_pixels_of_the_old_one(replacement: Replacement, crop: Crop, reading: Reading) -> None:
    """The promise itself: with the same reading, painting the face over changes nothing in the new one."""
    identity = replacement.bank.draw(reading.around, np.random.default_rng(0))
    painted = crop.pixels.copy()
    painted[reading.mask == 1] = (10, 200, 30)
    before = replacement.draw(crop, reading, [identity])[0]
    after = replacement.draw(Crop(painted, crop.matrix, crop.inside), reading, [identity])[0]
    assert np.abs(before - after)[reading.mask == 1].max() < 1e-3


def test_a_new_shape_does_not_depend_on_the_inner_lines_of_the_old_one(replacement: Replacement, reading: Reading) -> None:
    latent = replacement.bank.draw(reading.around, np.random.default_rng(0)).shape[None]
    plain = np.where(np.isin(reading.parsing, INNER), np.uint8(SKIN), reading.parsing)
    assert np.array_equal(replacement._shape(reading.parsing, latent, reading.condition), replacement._shape(plain, latent, reading.condition))


@pytest.mark.parametrize("across", [-0.8, 0.8])
def test_a_new_face_is_lit_as_the_reading_says(replacement: Replacement, crop: Crop, reading: Reading, across: float) -> None:
    identity = replacement.bank.draw(reading.around, np.random.default_rng(0))
    lit = dataclasses.replace(reading, light=Light(across, 0.0, 0.1))
    face = replacement.draw(crop, lit, [identity])[0]
    light = light_of(face, reading.parsing)
    assert light is not None
    assert light.across == pytest.approx(across, abs=0.25)


def test_who_wears_glasses_has_two_eyes_behind_them(replacement: Replacement, crop: Crop, reading: Reading) -> None:
    worn = dataclasses.replace(reading, condition=np.append(reading.condition[:-1], np.float32(1)))
    identities = [replacement.bank.draw(reading.around, np.random.default_rng(seed)) for seed in range(4)]
    for face, identity in zip(replacement.draw(crop, worn, identities), identities, strict=True):
        shares = replacement.measure(dataclasses.replace(crop, pixels=face.clip(0, 255).astype(np.uint8))).shares
        seen = shares[EYES] + shares[GLASSES]
        assert seen[:, :64].sum() > 40 and seen[:, 64:].sum() > 40, identity.seed


def test_identities_differ_and_repeat_by_seed(replacement: Replacement, crop: Crop, reading: Reading) -> None:
    def drawn(seed: int) -> np.ndarray:
        return replacement.draw(crop, reading, [replacement.bank.draw(reading.around, np.random.default_rng(seed))])[0]

    inside = reading.mask == 1
    assert np.array_equal(drawn(1), drawn(1))
    assert np.abs(drawn(1) - drawn(2))[inside].mean() > 3


def test_the_bank_is_complete_and_narrows_by_skin_and_surroundings() -> None:
    bank = IdentityBank()
    assert len(bank) >= 500
    rng = np.random.default_rng(0)
    identity = bank.draw(Surroundings(np.array([60, 12, 18], np.float32), 0.5), rng)
    assert identity.texture.shape == (len(CODED), 32)
    light, dark = np.array([80, 8, 14], np.float32), np.array([30, 14, 18], np.float32)
    of_light = {bank.draw(Surroundings(light, 0.9), rng).texture.tobytes() for _ in range(60)}
    of_dark = {bank.draw(Surroundings(dark, 0.9), rng).texture.tobytes() for _ in range(60)}
    assert not of_light & of_dark


def test_keys_decide_seeds() -> None:
    assert keyed_seed(b"a", b"m") == keyed_seed(b"a", b"m") != keyed_seed(b"b", b"m")
    assert 0 <= keyed_seed(b"a", b"m") < 2**64


def test_faces_of_black_and_white_photos_have_no_colour(replacement: Replacement, crop: Crop) -> None:
    pixels = np.repeat(crop.pixels.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    gray = dataclasses.replace(crop, pixels=pixels)
    reading = replacement.read(gray)
    assert reading is not None
    identity = replacement.bank.draw(reading.around, np.random.default_rng(0))
    assert np.ptp(replacement.draw(gray, reading, [identity])[0], axis=2).max() < 1e-3


def test_new_faces_in_large_photos_get_more_detail(replacement: Replacement, reading: Reading) -> None:
    photo = np.asarray(cv2.resize(astronaut(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    (face,) = YuNet(0.6)(astronaut())
    large = dataclasses.replace(face, box=tuple(4 * v for v in face.box), landmarks=4 * face.landmarks)
    matrix = canonical_matrix(large, SIZE)
    drawn = take_crop(photo, matrix, SIZE).pixels.astype(np.float32)
    detailed = replacement.detailed(photo, matrix, reading, drawn)
    assert detailed.face.shape == (4 * SIZE, 4 * SIZE, 3) and detailed.mask.shape == (4 * SIZE, 4 * SIZE)
    back = cv2.resize(detailed.face, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.abs(back - drawn)[reading.mask > 0.9].mean() < 6
    smooth = cv2.resize(drawn, (4 * SIZE, 4 * SIZE), interpolation=cv2.INTER_LINEAR)
    inside = detailed.mask > 0.99
    assert cv2.Laplacian(detailed.face, cv2.CV_32F)[inside].std() > 2 * cv2.Laplacian(smooth, cv2.CV_32F)[inside].std()


def test_no_pixel_of_the_person_reaches_the_finer_face(replacement: Replacement, reading: Reading) -> None:
    photo = np.asarray(cv2.resize(astronaut(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    (face,) = YuNet(0.6)(astronaut())
    matrix = canonical_matrix(dataclasses.replace(face, box=tuple(4 * v for v in face.box), landmarks=4 * face.landmarks), SIZE)
    deep = cv2.erode((reading.mask > 0.9999).astype(np.uint8), np.ones((3, 3), np.uint8))
    hidden = np.asarray(cv2.warpAffine(deep, matrix, photo.shape[1::-1], flags=cv2.WARP_INVERSE_MAP) > 0)
    other = photo.copy()
    other[hidden] = 0
    drawn = np.full((SIZE, SIZE, 3), (160, 120, 120), np.float32)
    faces = [replacement.detailed(p, matrix, reading, drawn).face for p in (photo, other)]
    assert hidden.mean() > 0.02
    assert np.abs(faces[0] - faces[1])[200:300, 200:300].max() < 0.05


def test_small_faces_stay_as_they_were_drawn(replacement: Replacement, reading: Reading, crop: Crop) -> None:
    drawn = crop.pixels.astype(np.float32)
    assert replacement.detailed(astronaut(), 2 * crop.matrix, reading, drawn).face is drawn
