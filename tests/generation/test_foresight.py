"""What is foreseen of identities agrees with what is seen once they are drawn."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut

from masquerade.appraisal import appraise
from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.foresight import Foresight
from masquerade.masks import laid_over
from masquerade.parts import Parts


def test_likeness_and_roughness_are_foreseen() -> None:
    parts = Parts.shipped(2, "drawn", with_networks=True)
    drawer = parts.replacement
    assert drawer is not None
    photo = np.asarray(cv2.resize(astronaut()[:256, 96:352], (256, 256)), np.uint8)
    face = YuNet(0.6)(photo)[0]
    crop = drawer.crop(photo, face)
    reading = drawer.read(crop, scene=scene_of(photo, crop))
    assert reading is not None
    rng = np.random.default_rng(0)
    identities = [drawer.bank.draw(reading.around, rng) for _ in range(32)]
    person = parts.recognizer.embed(photo, face)
    foreseen = Foresight()(identities, person)
    faces = drawer.draw(crop, reading, identities)
    seen = appraise(parts, crop, reading, faces, identities)
    there = YuNet(0.6)(crop.pixels)[0]
    likeness = [float(parts.recognizer.embed(laid_over(crop.pixels, f, reading.mask), there) @ person) for f in faces]
    assert np.corrcoef(foreseen.likeness, likeness)[0, 1] > 0.3
    assert np.corrcoef(foreseen.roughness, [s.roughness for s in seen])[0, 1] > 0.3
    assert np.corrcoef(foreseen.distinctness, [s.distinctness or 0.0 for s in seen])[0, 1] > 0.5
    for name in ("brows", "beard", "paint"):
        told, there_is = getattr(foreseen, name), np.array([getattr(s, name) or 0.0 for s in seen])
        assert np.corrcoef(told, there_is)[0, 1] > 0.5 and abs(told.mean() - there_is.mean()) < 10, name
