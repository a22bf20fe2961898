"""PNG and TIFF with 16 bits a channel, which Pillow would cut down to 8."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from masquerade.media.png_chunks import SIGNATURE, packed

Deep = NDArray[np.uint16]
"""Height x width x 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha)."""

COMPRESSION_LEVEL = 3
MIN_IS_WHITE = 0
PNG_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for the kind of pixels, by the number of channels."""


def is_deep(image: Image.Image) -> bool:
    """Whether an opened photo, not yet loaded, holds 16 bits a channel."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or image.format not in {"PNG", "TIFF"}:
        return False
    arguments = image.tile[0].args
    raw_mode = arguments if isinstance(arguments, str) else arguments[0] if arguments else ""
    return isinstance(raw_mode, str) and ";16" in raw_mode


def planes_of(image: Image.Image, path: Path) -> Deep | None:
    """All bits of a photo that `is_deep`.

    Args:
        image: the photo, loaded: it is whole.
        path: its file.

    Returns:
        RGB order; None where OpenCV reads it otherwise than Pillow does, so that 8 bits are all there is to trust.
    """
    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.uint16)
        return (65535 - gray if _is_negative(image) else gray)[:, :, None]
    planes: NDArray[Any] | None = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16 or planes.shape != (image.height, image.width, len(image.getbands())):
        return None
    order = cv2.COLOR_BGRA2RGBA if planes.shape[2] == 4 else cv2.COLOR_BGR2RGB
    planes = cv2.cvtColor(planes, order)
    if cv2.absdiff(narrowed(planes), np.asarray(image)).max() > 1:
        return None
    return np.asarray(planes[:, :, [0, 3]] if _is_gray_with_alpha(path) else planes, np.uint16)


def narrowed(planes: NDArray[Any]) -> NDArray[np.uint8]:
    """0 to 65535 as 0 to 255, rounded; 8 bits stay as they are."""
    if planes.dtype == np.uint8:
        return np.asarray(planes, np.uint8)
    return cv2.convertScaleAbs(planes, alpha=1 / 257).reshape(planes.shape).astype(np.uint8, copy=False)


def widened(planes: NDArray[Any]) -> NDArray[np.uint16]:
    """0 to 255 as 0 to 65535; 16 bits stay as they are."""
    return np.asarray(planes, np.uint16) if planes.dtype == np.uint16 else planes.astype(np.uint16) * np.uint16(257)


def encoded_png(planes: Deep) -> bytes:
    """A PNG file; every byte is stored as its difference from the pixel to the left (filter 1)."""
    height, width, channels = planes.shape
    pixel = 2 * channels
    rows = np.ascontiguousarray(planes, ">u2").view(np.uint8).reshape(height, width * pixel)
    stored = np.empty((height, 1 + width * pixel), np.uint8)
    stored[:, 0] = 1
    stored[:, 1 : 1 + pixel] = rows[:, :pixel]
    np.subtract(rows[:, pixel:], rows[:, :-pixel], out=stored[:, 1 + pixel :])
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_KINDS[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(stored.data, COMPRESSION_LEVEL)), (b"IEND", b""))
    return SIGNATURE + b"".join(packed(chunk) for chunk in chunks)


def _is_negative(image: Image.Image) -> bool:
    return image.format == "TIFF" and image.getexif().get(ExifTags.Base.PhotometricInterpretation) == MIN_IS_WHITE


def _is_gray_with_alpha(path: Path) -> bool:
    """PNG's header says it; Pillow and OpenCV both make RGB with alpha of it."""
    with path.open("rb") as file:
        header = file.read(26)
    return header.startswith(b"\x89PNG") and header[25] == 4
