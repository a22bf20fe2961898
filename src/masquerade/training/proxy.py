"""The proxy task that teaches HarmonizationNet without identities (paper, section 3.2 and supplement).

The face of a photo is spoilt, the surroundings stay; the network must give the photo back. The paper's five changes: random resized crop,
random hue and brightness, random colour balance, random gaussian noise. Ours beside them: blur, smoothing and flattened light, as rough
faces have them.
"""

from __future__ import annotations

import cv2
import numpy as np

from masquerade.types import Floats, Pixels


def spoilt(face: Pixels, rng: np.random.Generator, gentle: bool = False) -> Pixels:
    """A rough version of a face.

    Args:
        face: RGB uint8, S x S x 3.
        gentle: only colour, light and grain: for faces that are rough already, coming from AnonymizationNet.

    Returns:
        RGB uint8, S x S x 3.
    """
    x = face
    if not gentle:
        if rng.random() < 0.6:
            x = _resized_crop(x, rng)
        x = _softened(x, rng)
    if rng.random() < 0.8:
        x = _hue_and_brightness(x, rng)
    y = x.astype(np.float32)
    if rng.random() < 0.8:
        y = _colour_balance(y, rng)
    if rng.random() < 0.5:
        y = _other_light(y, rng)
    if rng.random() < 0.3:
        y += rng.standard_normal(y.shape, np.float32) * np.float32(rng.uniform(1, 10))
    return np.clip(y, 0, 255).astype(np.uint8)


def _resized_crop(face: Pixels, rng: np.random.Generator) -> Pixels:
    """Slightly moved, zoomed and stretched: features need not sit where the photo has them."""
    side = face.shape[0]
    zoom = np.exp(rng.uniform(-0.06, 0.06, 2))
    shift = rng.uniform(-0.02, 0.02, 2) * side + side / 2 * (1 - zoom)
    matrix = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])
    return np.asarray(cv2.warpAffine(face, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _softened(face: Pixels, rng: np.random.Generator) -> Pixels:
    kind = rng.random()
    if kind < 0.35:
        return np.asarray(cv2.GaussianBlur(face, (0, 0), float(rng.uniform(0.4, 1.6))), np.uint8)
    if kind < 0.6:
        return np.asarray(cv2.bilateralFilter(face, 7, float(rng.uniform(20, 70)), float(rng.uniform(2, 5))), np.uint8)
    if kind < 0.7:
        return np.asarray(cv2.medianBlur(face, 3 if rng.random() < 0.6 else 5), np.uint8)
    return face


def _hue_and_brightness(face: Pixels, rng: np.random.Generator) -> Pixels:
    hsv = cv2.cvtColor(face, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 7)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * np.exp(rng.normal(0, 0.3)), 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] * np.exp(rng.normal(0, 0.35)), 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


def _colour_balance(face: Floats, rng: np.random.Generator) -> Floats:
    gain = np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
    contrast = np.float32(np.exp(rng.normal(0, 0.15)))
    mean = face.mean((0, 1), keepdims=True)
    balanced: Floats = ((face - mean) * contrast + mean) * gain + rng.normal(0, 8, 3).astype(np.float32)
    return balanced


def _other_light(face: Floats, rng: np.random.Generator) -> Floats:
    """A smooth field of light and shade over the face, coloured a little."""
    side = face.shape[0]
    field = rng.normal(0, 0.3, (3, 3, 1)) + rng.normal(0, 0.06, (3, 3, 3))
    return face * np.exp(cv2.resize(field.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC))
