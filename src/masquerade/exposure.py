"""Faces in the dark: the networks, which learnt from well-lit photos, are shown them brightened, and what they draw is darkened again."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from masquerade.masks import average_outline
from masquerade.types import Crop, Floats

LIT, LARGEST_GAIN = 70.0, 8.0
"""Mean grey level up to which the average face's outline is brightened, and by how much at most: of less than that nothing can be seen."""


DARK_FROM = 2.5
"""A crop that must be brightened so many times was taken in the dark."""

LIFT, LIFTS = 12.0, (12.0, 18.0, 24.0)
"""So many grey levels brighter, at most, is a new face in the dark than the old one was: else what is hardly seen would hardly change. And more
where it hardly changes all the same."""

PALER = np.float32(0.5)
"""A new face in the dark has less colour than what was drawn, by so much of it at most: a brightened crop has colours of noise, often red."""


def gain_of(crop: Crop) -> float:
    """How many times brighter a canonical crop should be; 1 for all but dark ones."""
    face = average_outline(crop.size) & crop.inside
    if not face.any():
        return 1.0
    level = float(cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2GRAY)[face].mean())
    return float(np.clip(LIT / max(level, 1.0), 1.0, LARGEST_GAIN))


def brightened(crop: Crop, gain: float) -> Crop:
    """The crop with every pixel so many times brighter."""
    return crop if gain == 1 else replace(crop, pixels=np.clip(np.rint(crop.pixels * np.float32(gain)), 0, 255).astype(np.uint8))


def darkened(drawn: Floats, gain: float, lift: float = LIFT) -> Floats:
    """What was drawn for a brightened crop as it belongs into the picture, brighter than what was there by so many grey levels at most."""
    if gain == 1:
        return drawn
    share = np.float32(1 - 1 / gain)
    grays = drawn.mean(-1, keepdims=True)
    paler = drawn + PALER * share * (grays - drawn)
    # Brighter in its own hue: lifted by gray, brown skin in the dark was a gray mask.
    hue = paler.mean((0, 1)) / max(float(paler.mean()), 1.0)
    return np.asarray(paler / np.float32(gain) + np.float32(lift) * share * hue, np.float32)
