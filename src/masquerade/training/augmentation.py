"""Random changes to training pictures. One picture is RGB uint8 S x S x 3, its map uint8 S x S; all randomness from `rng`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.exposure import LARGEST_GAIN, LIT
from masquerade.types import Pixels

Map = NDArray[np.uint8]

EXCHANGED = np.arange(256, dtype=np.uint8)
EXCHANGED[[4, 5, 6, 7, 8, 9]] = [5, 4, 7, 6, 9, 8]
"""What a class is called in the mirror."""

BACKGROUND, SKIN, NOSE = 0, 1, 2
HEAD = (*range(1, 16),)
"""Classes that make a head: face, ears, hair, hat and earrings, without neck and clothes."""


def mirrored(picture: Pixels, parsing: Map) -> tuple[Pixels, Map]:
    return np.ascontiguousarray(picture[:, ::-1]), EXCHANGED[parsing[:, ::-1]]


def moved(picture: Pixels, parsing: Map, rng: np.random.Generator, turn: float = 25, zoom: float = 0.25, shift: float = 0.08) -> tuple[Pixels, Map]:
    """Turns (degrees), zooms and shifts (share of the side), the same for picture and map."""
    size = picture.shape[0]
    angle = float(np.clip(rng.normal(0, turn / 2), -2 * turn, 2 * turn))
    matrix = np.asarray(cv2.getRotationMatrix2D((size / 2, size / 2), angle, float(np.exp(rng.uniform(-zoom, zoom)))), np.float64)
    matrix[:, 2] += rng.uniform(-shift, shift, 2) * size
    # A slight stretch stands for turned heads and lenses.
    matrix[0, :2] *= rng.uniform(0.9, 1.05)
    shape = (size, size)
    border = cv2.BORDER_REPLICATE
    warped = np.asarray(cv2.warpAffine(picture, matrix, shape, borderMode=border), np.uint8)
    return warped, np.asarray(cv2.warpAffine(parsing, matrix, shape, flags=cv2.INTER_NEAREST, borderMode=border), np.uint8)


def recoloured(picture: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Light, gamma, colour balance, saturation, sometimes gray, sometimes a light from one side."""
    x = picture.astype(np.float32) / 255
    x = x ** float(np.exp(rng.normal(0, 0.25 * strength)))
    x = x * np.exp(rng.normal(0, 0.15 * strength)) + rng.normal(0, 0.04 * strength)
    x = x * np.exp(rng.normal(0, 0.08 * strength, 3)).astype(np.float32)
    gray = x.mean(2, keepdims=True)
    x = gray + (x - gray) * (0.0 if rng.random() < 0.08 else float(np.exp(rng.normal(0, 0.25 * strength))))
    if rng.random() < 0.25:
        size = picture.shape[0]
        direction, ramp = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, size, dtype=np.float32)
        slope = np.cos(direction) * ramp[None] + np.sin(direction) * ramp[:, None]
        x = x * np.exp(rng.uniform(0.2, 0.8) * slope)[..., None]
    lit: Pixels = np.clip(x * 255, 0, 255).astype(np.uint8)
    return lit


def degraded(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur, lost resolution, noise, JPEG: what small and dark photos look like."""
    size = picture.shape[0]
    if rng.random() < 0.3:
        small = max(20, int(size * rng.uniform(0.2, 0.8)))
        shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    elif rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.8))), np.uint8)
    if rng.random() < 0.3:
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(2, 18))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        done = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])[1]
        picture = np.asarray(cv2.imdecode(done, cv2.IMREAD_COLOR), np.uint8)
    return picture


VEILED = 0.4
"""Share of the pictures that are out of focus, moved or in the dark."""


def as_taken(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture as cameras may show it: in other light, often veiled, often degraded."""
    picture = recoloured(picture, rng)
    return degraded(veiled(picture, rng) if rng.random() < VEILED else picture, rng)


def veiled(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Out of focus, moved during the exposure, or taken in the dark and brightened as at work: what backgrounds of clips look like."""
    kind = str(rng.choice(["focus", "motion", "dark", "dark and soft"], p=[0.25, 0.15, 0.3, 0.3]))
    if kind == "motion":
        length = int(rng.integers(5, 15))
        kernel = np.zeros((length, length), np.float32)
        angle, middle = rng.uniform(0, np.pi), np.full(2, (length - 1) / 2)
        reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(kernel, _point(middle - reach), _point(middle + reach), 1.0, 1)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)
    elif kind != "dark":
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(1.2, 3.5))), np.uint8)
    if kind.startswith("dark"):
        level = float(np.exp(rng.uniform(np.log(8), np.log(50))))
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0, 1.5))
        dark = picture * np.float32(min(level / max(float(picture.mean()), 1.0), 1.0)) + noise
        done = cv2.imencode(".jpg", np.clip(np.rint(dark), 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])[1]
        seen = np.asarray(cv2.imdecode(done, cv2.IMREAD_COLOR), np.float32)
        picture = np.clip(np.rint(seen * np.clip(LIT / max(float(seen.mean()), 1.0), 1, LARGEST_GAIN)), 0, 255).astype(np.uint8)
    return picture


def occluded(picture: Pixels, parsing: Map, other: Pixels, other_parsing: Map | None, rng: np.random.Generator) -> tuple[Pixels, Map]:
    """Lays a hand, arm, cup, stick, sheet or another head over or beside the face; what it covers is background, so that it stays as it is.

    Args:
        other: another picture of the same size, whose texture or head the object may have.
        other_parsing: its map; None where it has none: then no head is taken from it.
    """
    size = picture.shape[0]
    shape = np.zeros((size, size), np.uint8)
    kind = str(rng.choice(["hand", "arm", "head", "round", "stick", "sheet"], p=[0.3, 0.16, 0.14, 0.15, 0.1, 0.15]))
    if kind == "head" and other_parsing is not None:
        shape, texture = _other_head(parsing, other, other_parsing, rng)
    elif kind in ("hand", "arm", "head"):
        _draw_hand(shape, rng) if kind == "hand" else _draw_arm(shape, rng)
        texture = _skin_texture(shape, picture, (parsing == SKIN) | (parsing == NOSE), rng)
    else:
        _draw_object(shape, kind, rng)
        texture = _object_texture(other, rng)
    soft = cv2.GaussianBlur(shape.astype(np.float32) / 255, (0, 0), float(rng.uniform(0.4, 1.0)))[..., None]
    shade = cv2.GaussianBlur(soft[..., 0], (0, 0), 3.0)[..., None] * np.float32(rng.uniform(0, 0.35))
    mixed = (1 - soft) * picture * (1 - shade) + soft * texture
    return np.clip(mixed, 0, 255).astype(np.uint8), np.where(shape > 127, np.uint8(BACKGROUND), parsing)


def _skin_texture(shape: Map, picture: Pixels, skin: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """The tone of this skin, or any; half the time with the grain of a real patch of it."""
    seen = picture[skin]
    own = len(seen) > 50 and rng.random() < 0.8
    tone = np.median(seen, 0) if own else rng.integers(40, 240, 3)
    texture = _skin_like(shape, tone.astype(np.float32), rng)
    if own and rng.random() < 0.5:
        rows, columns = np.nonzero(skin)
        place, side = int(rng.integers(len(rows))), max(8, len(skin) // 6)
        y, x = (int(np.clip(v - side // 2, 0, len(skin) - side)) for v in (rows[place], columns[place]))
        patch = picture[y : y + side, x : x + side].astype(np.float32)
        grain = patch - cv2.GaussianBlur(patch, (0, 0), side / 5)
        turned = np.concatenate([np.concatenate([grain, grain[:, ::-1]], 1)] * 2)
        turned[side:] = turned[side:][::-1]
        times = -(-len(skin) // len(turned))
        texture = np.clip(texture + np.tile(turned, (times, times, 1))[: len(skin), : len(skin)], 0, 255)
    return texture


def _other_head(parsing: Map, other: Pixels, other_parsing: Map, rng: np.random.Generator) -> tuple[Map, NDArray[np.float32]]:
    """Somebody else's head at one side, before or behind this one: its shape, and its picture moved there."""
    size = len(parsing)
    zoom, side = float(rng.uniform(0.6, 1.2)), 1 if rng.random() < 0.5 else -1
    matrix = np.asarray(cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(-25, 25)), zoom), np.float64)
    matrix[:, 2] += np.array([side * rng.uniform(0.4, 0.85), rng.uniform(-0.3, 0.4)]) * size
    head = np.isin(other_parsing, HEAD).astype(np.uint8) * 255
    shape = np.asarray(cv2.warpAffine(head, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.5:
        shape = np.where(parsing == BACKGROUND, shape, np.uint8(0))
    return shape, cv2.warpAffine(other, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _draw_arm(shape: Map, rng: np.random.Generator) -> None:
    """A forearm that comes in from the picture's edge and ends beside or before the face, or crosses it."""
    size = len(shape)
    direction = rng.uniform(0, 2 * np.pi)
    start = size / 2 + size * np.array([np.cos(direction), np.sin(direction)])
    end = rng.uniform([0.0, 0.1], [1.0, 1.0]) * size
    thick, taper = rng.uniform(0.06, 0.18) * size, rng.uniform(0.6, 1.0)
    for share in np.linspace(0, 1, 40):
        at = start + share * (end - start)
        cv2.circle(shape, _point(at), max(2, int(thick * (1 + share * (taper - 1)))), 255, -1, cv2.LINE_AA)


def _draw_hand(shape: Map, rng: np.random.Generator) -> None:
    """A palm and a few fingers reaching into the picture from one side."""
    size = shape.shape[0]
    centre = rng.uniform([0.2, 0.45], [0.8, 1.0]) * size
    heading = rng.uniform(-np.pi, 0) if rng.random() < 0.8 else rng.uniform(0, np.pi)
    thick = rng.uniform(0.05, 0.085) * size
    across = np.array([-np.sin(heading), np.cos(heading)])
    along = np.array([np.cos(heading), np.sin(heading)])
    fingers = int(rng.integers(1, 5))
    for i in range(fingers):
        base = centre + across * (i - (fingers - 1) / 2) * thick * rng.uniform(1.0, 1.15)
        bend = rng.normal(0, 0.15)
        direction = np.array([np.cos(heading + bend), np.sin(heading + bend)])
        tip = base + direction * size * rng.uniform(0.15, 0.35)
        cv2.line(shape, _point(base), _point(tip), 255, max(2, int(thick)), cv2.LINE_AA)
    palm = centre - along * size * 0.12
    axes = (int(size * rng.uniform(0.1, 0.2)), int(max(2, fingers * thick * 0.6)))
    cv2.ellipse(shape, _point(palm), axes, float(np.degrees(heading)), 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(shape, _point(palm), _point(palm - along * size), 255, max(3, int(fingers * thick * 0.8)), cv2.LINE_AA)


def _draw_object(shape: Map, kind: str, rng: np.random.Generator) -> None:
    size = shape.shape[0]
    centre = rng.uniform([0.2, 0.4], [0.8, 0.95]) * size
    if kind == "round":
        axes = rng.uniform(0.07, 0.25, 2) * size
        cv2.ellipse(shape, _point(centre), (int(axes[0]), int(axes[1])), float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    if kind in ("round", "stick"):
        end = centre + rng.uniform([-0.5, 0.3], [0.5, 1.0]) * size
        cv2.line(shape, _point(centre), _point(end), 255, int(size * rng.uniform(0.02, 0.1)), cv2.LINE_AA)
        if kind == "stick":
            cv2.circle(shape, _point(centre), int(size * rng.uniform(0.03, 0.12)), 255, -1, cv2.LINE_AA)
    if kind == "sheet":
        angle = rng.uniform(-0.6, 0.6) + (np.pi / 2 if rng.random() < 0.4 else 0.0)
        half = rng.uniform(0.15, 0.6, 2) * size
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = rng.uniform([0.1, 0.6], [0.9, 1.1]) * size
        cv2.fillPoly(shape, [np.rint(corners @ turn.T + place).astype(np.int32)], 255, cv2.LINE_AA)


def _point(xy: NDArray[np.float64]) -> tuple[int, int]:
    return int(np.clip(xy[0], -2000, 2000)), int(np.clip(xy[1], -2000, 2000))


def _skin_like(shape: Map, tone: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Rounded shading: fingers are darker at their edges."""
    height = cv2.distanceTransform((shape > 127).astype(np.uint8), cv2.DIST_L2, 3)
    height = np.minimum(height / max(1.0, float(np.percentile(height[height > 0], 90)) if (height > 0).any() else 1.0), 1)
    light = np.float32(rng.uniform(0.55, 0.8)) + np.float32(rng.uniform(0.25, 0.5)) * np.sqrt(height)
    coarse = cv2.resize(rng.standard_normal((12, 12)).astype(np.float32), shape.shape[::-1], interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal(shape.shape).astype(np.float32)
    shaded: NDArray[np.float32] = np.clip(
        tone * (light + 0.06 * coarse)[..., None] * np.float32(rng.uniform(0.75, 1.15)) + 3 * grain[..., None], 0, 255
    ).astype(np.float32)
    return shaded


def _object_texture(other: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    size = other.shape[0]
    colour = rng.integers(0, 256, 3).astype(np.float32)
    if rng.random() < 0.5:
        ramp = np.linspace(rng.uniform(0.4, 1), rng.uniform(0.6, 1.3), size, dtype=np.float32)
        plain = np.broadcast_to(colour * ramp[None, :, None], (size, size, 3)) + 4 * rng.standard_normal((size, size, 1)).astype(np.float32)
        return np.clip(plain, 0, 255)
    # A strip of another picture's edge: cloth, hair, walls, but no face.
    side = max(8, size // 5)
    x, y = (0 if rng.random() < 0.5 else size - side), int(rng.integers(0, size - side))
    return cv2.resize(other[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
