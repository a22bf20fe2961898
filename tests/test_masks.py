"""Which part of a crop is replaced."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.masks import behind_glasses, own_face, parsed, pasted_mask, replaced_mask, share_inside, snapped, without_specks
from masquerade.regions import BACKGROUND, CLOTH, EARS, EYES, GLASSES, HAIR, SKIN


def test_the_mask_reaches_a_little_over_the_face_and_no_further() -> None:
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[40:90, 40:90] = SKIN
    mask = replaced_mask(parsing)
    assert mask[42:88, 42:88].min() > 0.95
    assert mask[:30].max() == 0 and mask[:, 100:].max() == 0
    assert 0 < mask[38, 64] <= 1


def test_specks_are_not_replaced() -> None:
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[20, 20] = SKIN
    assert replaced_mask(parsing).max() == 0


def test_a_neighbour_in_the_crop_is_left_alone() -> None:
    parsing = np.zeros((128, 128), np.uint8)
    parsing[40:100, 40:88] = SKIN
    parsing[50:100, 118:128] = SKIN
    own = own_face(parsing)
    assert (own[50:100, 118:128] == BACKGROUND).all()
    assert (own[40:100, 40:88] == SKIN).all()


@pytest.mark.parametrize("side", [1, 3, 7])
def test_specks_amid_the_face_are_skin(side: int) -> None:
    """Nothing else may be drawn where the mask covers the face."""
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[40:100, 40:88] = SKIN
    parsing[60 : 60 + side, 60 : 60 + side] = BACKGROUND
    parsing[84 : 84 + side, 60 : 60 + side] = CLOTH
    whole = without_specks(parsing)
    assert (whole[40:100, 40:88] == SKIN).all()
    assert (whole[:40] == HAIR).all() and (whole[100:] == HAIR).all()


def test_objects_before_the_face_are_no_specks() -> None:
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[40:100, 40:88] = SKIN
    parsing[80:100, 56:72] = BACKGROUND
    assert (without_specks(parsing)[80:100, 56:72] == BACKGROUND).mean() > 0.95


@pytest.mark.parametrize(("certainty", "there"), [(0.95, BACKGROUND), (0.7, SKIN)])
def test_what_the_parser_doubts_amid_a_face_is_skin(certainty: float, there: int) -> None:
    shares = np.zeros((14, 128, 128), np.float32)
    shares[HAIR] = 1
    shares[:, 40:100, 40:88] = 0
    shares[SKIN, 40:100, 40:88] = 1
    hole = (slice(60, 85), slice(50, 75))
    shares[(BACKGROUND, *hole)], shares[(SKIN, *hole)] = certainty, 1 - certainty
    parsing = parsed(shares)
    assert (parsing[hole] == there).all()
    assert (np.where(parsing == there, SKIN, parsing)[40:100, 40:88] == SKIN).all() and (parsing[:40] == HAIR).all()


def test_what_reaches_into_a_face_from_outside_stays_however_doubtful() -> None:
    shares = np.zeros((14, 128, 128), np.float32)
    shares[SKIN, 40:100, 40:88] = 1
    shares[BACKGROUND] = 1 - shares[SKIN]
    shares[BACKGROUND, 80:, 55:75], shares[SKIN, 80:, 55:75] = 0.6, 0.4
    assert (parsed(shares)[80:, 55:75] == BACKGROUND).all()


def test_what_is_beside_an_ear_is_no_speck() -> None:
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[40:100, 40:80] = SKIN
    parsing[60:80, 80:84] = BACKGROUND
    parsing[60:80, 84:90] = EARS
    assert np.array_equal(without_specks(parsing), parsing)


def test_faces_with_glasses_have_the_eyes_they_have_without() -> None:
    bare = np.full((1, 8, 8), SKIN, np.uint8)
    bare[0, 3, 1:7] = EYES
    worn = np.full((1, 8, 8), SKIN, np.uint8)
    worn[0, 2:5, :6] = GLASSES
    worn[0, 2, 2] = EYES
    eyes = behind_glasses(worn, bare)
    assert (eyes[0, 3, 1:6] == EYES).all() and (eyes == EYES).sum() == 5
    assert (eyes == GLASSES).sum() == 13 and eyes[0, 3, 6] == SKIN


def test_ears_behind_hair_belong_to_the_face() -> None:
    parsing = np.zeros((128, 128), np.uint8)
    parsing[40:100, 40:80] = SKIN
    parsing[40:100, 80:88] = HAIR
    parsing[60:70, 90:96] = EARS
    assert (own_face(parsing)[60:70, 90:96] == EARS).all()


def test_faces_are_pasted_through_less_than_was_drawn_but_wholly_within() -> None:
    parsing = np.zeros((128, 128), np.uint8)
    parsing[40:90, 40:90] = SKIN
    mask, pasted = replaced_mask(parsing), pasted_mask(replaced_mask(parsing))
    assert (pasted <= mask + 1e-6).all() and pasted[42:88, 42:88].min() > 0.85
    assert pasted[:36].max() == 0 < mask[37].max()


def test_the_share_inside_counts_the_middle_of_the_crop() -> None:
    inside = np.ones((128, 128), bool)
    assert share_inside(inside) == 1
    inside[:66] = False
    assert share_inside(inside) == pytest.approx(0.5, abs=0.03)


def test_edges_snap_to_those_of_the_photo() -> None:
    photo = np.full((128, 128, 3), 220, np.uint8)
    photo[:, :64] = 60
    soft = np.clip((70 - np.arange(128)) / 8, 0, 1).astype(np.float32)[None].repeat(128, 0)
    edge = snapped(soft, photo)
    assert edge[:, :63].min() > 0.9
    assert (edge[:, 63] - edge[:, 64]).min() > 2 * (soft[:, 63] - soft[:, 64]).max()
    assert (edge[soft == 0] == 0).all()


def test_edges_stay_soft_where_the_photo_has_none() -> None:
    soft = np.clip((70 - np.arange(128)) / 8, 0, 1).astype(np.float32)[None].repeat(128, 0)
    edge = snapped(soft, np.full((128, 128, 3), 128, np.uint8))
    assert np.abs(edge - soft).max() < 0.15
