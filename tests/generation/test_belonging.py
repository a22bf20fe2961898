"""Faces that fit their head belong there more than those that do not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from skimage.data import astronaut

from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.belonging import SIDE, Belonging, shrunk
from masquerade.generation.replacement import Replacement
from masquerade.masks import laid_over


def test_women_belong_to_a_womans_head_more_than_men() -> None:
    photo = np.asarray(cv2.resize(astronaut()[:256, 96:352], (256, 256)), np.uint8)
    drawer = Replacement(2)
    crop = drawer.crop(photo, YuNet(0.6)(photo)[0])
    reading = drawer.read(crop, scene=scene_of(photo, crop))
    assert reading is not None
    rng = np.random.default_rng(0)
    told = []
    for female in (1.0, 0.0):
        identities = [drawer.bank.draw(replace(reading.around, female=female), rng) for _ in range(12)]
        told.append(Belonging(1)(laid_over(crop.pixels, drawer.draw(crop, reading, identities), reading.mask)))
    assert all(t.shape == (12,) and t.dtype == np.float32 for t in told)
    assert told[0].mean() > told[1].mean() + 0.1


def test_grain_is_not_looked_at() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 60
    assert shrunk(stripes, 1.2).shape == (SIDE, SIDE, 3)
    assert np.ptp(shrunk(stripes, 1.2)[8:-8, 8:-8]) < 8 < np.ptp(stripes)
