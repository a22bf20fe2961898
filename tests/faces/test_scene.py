"""The scene shows what surrounds a face, and nothing of the face."""

from __future__ import annotations

import numpy as np
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.scene import HIDDEN, SIDE, hidden_in, scene_of, without_face
from masquerade.faces.yunet import YuNet
from masquerade.masks import replaced_mask
from masquerade.regions import HAIR, SKIN
from masquerade.types import Crop, Pixels


def crop_of(photo: Pixels) -> Crop:
    return take_crop(photo, canonical_matrix(YuNet(0.6)(photo)[0], SIDE), SIDE)


def face_in_the_middle() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    parsing = np.full((SIDE, SIDE), HAIR, np.uint8)
    parsing[30:100, 30:100] = SKIN
    return parsing


def test_no_pixel_of_what_is_replaced_is_seen() -> None:
    photo, rng, parsing = astronaut(), np.random.default_rng(0), face_in_the_middle()
    crop = crop_of(photo)
    other = photo.copy()
    # Every pixel of the photo that the crop's mask touches is exchanged.
    inverse = np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]]))
    rows, columns = np.nonzero(replaced_mask(parsing) > 0.5)
    x, y, _ = np.rint(inverse @ np.stack([columns, rows, np.ones(len(rows))])).astype(int)
    other[y, x] = rng.integers(0, 256, (len(x), 3), np.uint8)
    before, after = (without_face(scene_of(p, crop), parsing) for p in (photo, other))
    assert (before == HIDDEN).all(-1).mean() > 0.2
    assert np.array_equal(before, after)


def test_a_mask_lies_where_the_face_lies() -> None:
    photo, parsing = astronaut(), face_in_the_middle()
    crop = crop_of(photo)
    scene = scene_of(photo, crop)
    to_scene = scene.matrix @ np.linalg.inv(np.vstack([crop.matrix, [0, 0, 1]]))
    corners = to_scene @ np.array([[30, 30, 1], [99, 99, 1]], float).T
    hidden = hidden_in(replaced_mask(parsing))
    (x0, y0), (x1, y1) = np.rint(corners.T).astype(int)
    assert hidden[y0:y1, x0:x1].all()
    assert not hidden[: y0 - 9].any() and not hidden[:, x1 + 9 :].any()


def test_beyond_the_photo_there_is_nothing() -> None:
    photo = astronaut()[:200, 150:300]
    scene = scene_of(photo, crop_of(photo))
    assert not scene.inside.all()
    assert (without_face(scene, face_in_the_middle())[~scene.inside] == HIDDEN).all()
