"""Photos with real heads pasted at known places, sizes, angles and light: what the detector's recall is measured on.

Heads and backgrounds come from `celebamask.tar`: its parsing maps cut the heads out and tell which parts of a photo hold no skin.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from masquerade.faces.geometry import centre
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Floats, Pixels

Light = Literal["normal", "dark", "bright"]

SIZES_PX = (12, 16, 20, 32, 48, 96)
ANGLES_DEG = (0, 30, 60, 90)
WIDTHS_PX = (1000, 1600, 2400, 4000)
LIGHTS: tuple[Light, ...] = ("normal", "dark", "bright")

NO_SKIN = (0, 13, 14, 18)
"""Classes of the parsing maps that a background may hold: background, hair, hat, cloth."""

NO_HEAD = (0, 16, 18)
"""Classes that are not cut out with a head: background, necklace, cloth."""

PATCH_PX = 128


@dataclass(frozen=True, eq=False)
class Head:
    """A head cut out of a photo: RGB uint8, a soft mask 0 to 1 of the same size, and its face."""

    pixels: Pixels
    mask: Floats
    face: Face


@dataclass(frozen=True)
class Placed:
    """A face pasted into a scene: centre and width in pixels, turn in the picture's plane, light."""

    centre: tuple[float, float]
    size_px: float
    angle_deg: int
    light: Light


@dataclass(frozen=True, eq=False)
class Scene:
    photo: Pixels
    faces: tuple[Placed, ...]


def read_heads(data: Path, limit: int) -> tuple[list[Head], list[Pixels]]:
    """Cuts heads and face-free patches out of the photos with parsing maps.

    Args:
        data: the folder that holds `celebamask.tar`.
        limit: how many photos to read.

    Returns:
        Heads, and face-free patches (RGB uint8, 128 x 128).
    """
    find = YuNet()
    heads: list[Head] = []
    patches: list[Pixels] = []
    with tarfile.open(data / "celebamask.tar") as archive:
        stems = sorted(Path(n).stem for n in archive.getnames() if n.startswith("images/"))
        for stem in stems[:limit]:
            pixels = np.array(_opened(archive, f"images/{stem}.jpg").convert("RGB"))
            classes = np.array(_opened(archive, f"masks/{stem}.png"))
            classes = cv2.resize(classes, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            patches += _patches(pixels, np.isin(classes, NO_SKIN))
            face = max(find(pixels), key=lambda f: f.score, default=None)
            if face is not None:
                mask = (~np.isin(classes, NO_HEAD)).astype(np.float32)
                # Where the photo ends the head is cut: fade it out.
                mask[[0, -1]], mask[:, [0, -1]] = 0, 0
                heads.append(Head(pixels, np.asarray(cv2.GaussianBlur(mask, (0, 0), 3, borderType=cv2.BORDER_CONSTANT), np.float32), face))
    return heads, patches


def _opened(archive: tarfile.TarFile, name: str) -> Image.Image:
    member = archive.extractfile(name)
    assert member is not None
    return Image.open(io.BytesIO(member.read()))


def _patches(pixels: Pixels, free: NDArray[np.bool_]) -> list[Pixels]:
    found = []
    for y in range(0, pixels.shape[0] - PATCH_PX + 1, PATCH_PX // 2):
        for x in range(0, pixels.shape[1] - PATCH_PX + 1, PATCH_PX // 2):
            window = np.s_[y : y + PATCH_PX, x : x + PATCH_PX]
            if free[window].all():
                found.append(pixels[window])
    return found


def background(patches: Sequence[Pixels], width: int, height: int, rng: Generator) -> Pixels:
    """A face-free photo: patches turned, mirrored and enlarged at random, laid over each other with soft edges."""
    canvas = cv2.resize(patches[int(rng.integers(len(patches)))], (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    covered = 0
    while covered < 3 * width * height:
        side = int(PATCH_PX * rng.choice([0.5, 1, 1, 2, 4]))
        patch = np.rot90(patches[int(rng.integers(len(patches)))], int(rng.integers(4)))
        patch = patch[:, :: rng.choice([1, -1])] if rng.random() < 0.5 else patch
        patch = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA if side < PATCH_PX else cv2.INTER_CUBIC).astype(np.float32)
        ramp = np.minimum(np.arange(side) + 1, side - np.arange(side)) / (0.1 * side)
        mask = np.minimum(1, np.minimum.outer(ramp, ramp)).astype(np.float32)[..., None]
        x, y = int(rng.integers(1 - side, width)), int(rng.integers(1 - side, height))
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
        inner = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
        canvas[y0:y1, x0:x1] += mask[inner] * (patch[inner] - canvas[y0:y1, x0:x1])
        covered += (x1 - x0) * (y1 - y0)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def paste_head(photo: Pixels, head: Head, middle: tuple[float, float], size_px: float, angle_deg: float) -> None:
    """Pastes a head in place so that its face's box is `size_px` wide and centred at `middle`."""
    scale = size_px / head.face.width
    side = int(np.ceil(max(head.pixels.shape) * scale * 1.5)) + 2
    x0, y0 = int(middle[0] - side / 2), int(middle[1] - side / 2)
    pixels, mask, shrink = head.pixels.astype(np.float32), head.mask, 1.0
    if scale < 0.5:
        shrink = 2 * scale
        pixels, mask = (np.asarray(cv2.resize(p, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.float32) for p in (pixels, mask))
    x, y = (v * shrink for v in centre(head.face))
    matrix = np.asarray(cv2.getRotationMatrix2D((x, y), angle_deg, scale / shrink), np.float64)
    matrix[:, 2] += middle[0] - x0 - x, middle[1] - y0 - y
    laid = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LINEAR)[..., None]
    height, width = photo.shape[:2]
    ax, ay, bx, by = max(x0, 0), max(y0, 0), min(x0 + side, width), min(y0 + side, height)
    inner = np.s_[ay - y0 : by - y0, ax - x0 : bx - x0]
    below = photo[ay:by, ax:bx]
    below[:] = np.rint(below + soft[inner] * (laid[inner] - below)).astype(np.uint8)


def relight(photo: Pixels, light: Light, rng: Generator) -> Pixels:
    """The photo as it is, underexposed by three stops with sensor noise, or overexposed by one."""
    gain = {"normal": 1.0, "dark": 0.125, "bright": 2.0}[light]
    noise = rng.standard_normal(photo.shape, np.float32) * (3.0 if light == "dark" else 1.0)
    # Gain acts on linear light; the curve is the plain square.
    lit = np.sqrt(gain * photo.astype(np.float32) ** 2) + noise
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def scenes(heads: Sequence[Head], patches: Sequence[Pixels], rng: Generator, count: int, widths_px: Sequence[int] = WIDTHS_PX) -> Iterator[Scene]:
    """Makes photos, each under one light, with one face of every size and angle.

    Args:
        heads: what to paste.
        patches: what the backgrounds are made of.
        rng: where the randomness comes from.
        count: number of photos.
        widths_px: widths of the photos; they are 0.75 times as high.
    """
    for index in range(count):
        width = int(rng.choice(widths_px))
        height = round(width * 0.75)
        photo = background(patches, width, height, rng)
        light = LIGHTS[index % len(LIGHTS)]
        kinds = [(size, angle) for size in SIZES_PX for angle in ANGLES_DEG]
        rng.shuffle(kinds)
        placed = []
        for place, (size, angle) in enumerate(kinds):
            # A grid of 6 x 4 places keeps the faces apart.
            cell = np.array([width / 6, height / 4])
            middle = (np.array([place % 6, place // 6]) + 0.5 + rng.uniform(-0.15, 0.15, 2)) * cell
            place_xy = float(middle[0]), float(middle[1])
            turn = angle * int(rng.choice([-1, 1]))
            paste_head(photo, heads[int(rng.integers(len(heads)))], place_xy, size, turn)
            placed.append(Placed(place_xy, size, angle, light))
        quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
        packed = cv2.imencode(".jpg", relight(photo, light, rng), quality)[1]
        yield Scene(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), tuple(placed))
