"""Nobody looks more like a head's own face than the face that was there."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut

from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.belonging import SIDE, Belonging, shrunk
from masquerade.generation.replacement import Replacement
from masquerade.masks import laid_over


def test_strangers_belong_less_than_the_face_that_was_there() -> None:
    photo = np.asarray(cv2.resize(astronaut()[:256, 96:352], (256, 256)), np.uint8)
    drawer, belonging = Replacement(2), Belonging(1)
    crop = drawer.crop(photo, YuNet(0.6)(photo)[0])
    reading = drawer.read(crop, scene=scene_of(photo, crop))
    assert reading is not None
    rng = np.random.default_rng(0)
    identities = [drawer.bank.draw(reading.around, rng) for _ in range(8)]
    told = belonging(laid_over(crop.pixels, drawer.draw(crop, reading, identities), reading.mask))
    assert told.shape == (8,) and told.dtype == np.float32 and np.ptp(told) > 0.5
    assert belonging(crop.pixels[None])[0] > told.max() + 1


def test_grain_is_not_looked_at() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 60
    assert shrunk(stripes, 1.2).shape == (SIDE, SIDE, 3)
    assert np.ptp(shrunk(stripes, 1.2)[8:-8, 8:-8]) < 8 < np.ptp(stripes)
