"""Photos, read: their pixels upright for the anonymiser, and all that is needed to write them again as they were."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from masquerade.errors import MasqueradeError, UnreadableInput
from masquerade.media import sixteen_bit
from masquerade.media.metadata import harmless_exif, in_srgb, orientation_of, profile_of, upright
from masquerade.media.png_chunks import Chunk, colour_chunks
from masquerade.types import Pixels

FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".heic": "HEIF", ".heif": "HEIF",
}  # fmt: skip
"""Pillow's name of the format by the end of a file's name."""

MAX_PIXELS = 100_000_000
"""Photos of more pixels are refused unless the user allows them."""

SMALLEST_SIDE_PX = 8
"""No face fits into less."""

HEIF_ADVICE = "install what reads and writes them with: pip install 'masquerade[heif]'"

REDUCED = 1
"""The bit of TIFF's NewSubfileType that says: a smaller copy of another page."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright.

    Attributes:
        pixels: RGB uint8, height x width x 3; in the photo's own colour profile, CMYK in sRGB.
        is_gray: the photo has no colours, and shall have none when it is written.
        alpha: height x width, uint8 or uint16; None where there is none.
        deep: the colours with 16 bits, height x width x 1 or 3; None where there are no more than 8.
        icc_profile: the profile that `pixels` are in; None means sRGB.
        exif: what may be kept of its EXIF; None where there is nothing.
        png_colours: the chunks of a PNG that say what its numbers mean.
    """

    pixels: Pixels
    is_gray: bool = False
    alpha: NDArray[np.uint8] | NDArray[np.uint16] | None = None
    deep: NDArray[np.uint16] | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    png_colours: tuple[Chunk, ...] = ()


def read_photo(path: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a photo: JPEG, PNG, WebP, TIFF, BMP, and HEIC where `pillow-heif` is installed; whatever its name says.

    Args:
        path: the file.
        max_pixels: larger photos are refused before they are decoded.

    Raises:
        UnreadableInput: it is missing, empty, damaged, no photo, too large, too small, or holds several pictures.
    """
    if not os.path.isfile(path):
        raise UnreadableInput(f"{path} is not a file." if os.path.lexists(path) else f"{path} does not exist.")
    if os.path.getsize(path) == 0:
        raise UnreadableInput(f"{path} is empty.")
    formats = {*FORMATS.values()} - ({"HEIF"} if not can_use_heif() else set())
    if FORMATS.get(path.suffix.lower(), "JPEG") not in formats:
        raise UnreadableInput(f"{path} is a HEIC photo; {HEIF_ADVICE}")
    try:
        with _without_limit(), Image.open(path, formats=sorted(formats)) as image:
            _check(image, path, max_pixels)
            return _decoded(image, path)
    except MasqueradeError:
        raise
    except MemoryError as error:
        raise UnreadableInput(f"{path} does not fit into memory; make it smaller.") from error
    except UnidentifiedImageError as error:
        raise UnreadableInput(f"{path} is not a photo; JPEG, PNG, WebP, TIFF, BMP and HEIC are read.") from error
    except Exception as error:
        # A damaged file can make a decoder fail in any way.
        raise UnreadableInput(f"{path} is damaged ({str(error).rstrip('.') or type(error).__name__}).") from error


def _decoded(image: Image.Image, path: Path) -> Photo:
    # In this order: to find the EXIF of a PNG, Pillow decodes it; a TIFF it turns upright as it decodes, and takes the orientation away.
    is_deep = sixteen_bit.is_deep(image)
    exif, profile = harmless_exif(image), profile_of(image)
    image.load()
    orientation = orientation_of(image)
    deep = sixteen_bit.planes_of(image, path) if is_deep else None
    planes = upright(_planes(image, path, profile) if deep is None else deep, orientation)
    channels = planes.shape[2]
    alpha = np.ascontiguousarray(planes[:, :, -1]) if channels in (2, 4) else None
    colours = np.ascontiguousarray(planes[:, :, : 1 if channels < 3 else 3])
    pixels = sixteen_bit.narrowed(colours)
    return Photo(
        pixels=np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8) if channels < 3 else pixels,
        is_gray=channels < 3,
        alpha=alpha,
        deep=colours if colours.dtype == np.uint16 else None,
        icc_profile=None if image.mode == "CMYK" else profile,
        exif=exif,
        png_colours=colour_chunks(path),
    )


def _planes(image: Image.Image, path: Path, profile: bytes | None) -> NDArray[np.uint8]:
    """Height x width x 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha)."""
    if image.mode == "CMYK":
        image = in_srgb(image, profile)
    elif "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        wanted = {"1": "L", "La": "LA", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "PA": "RGBA", "RGBa": "RGBA"}.get(image.mode)
        if wanted is None:
            raise UnreadableInput(f"{path} holds pixels of a rare kind ({image.mode}); save it as RGB with 8 or 16 bits first.")
        image = image.convert(wanted)
    planes = np.asarray(image)
    return planes[:, :, None] if planes.ndim == 2 else planes


def _check(image: Image.Image, path: Path, max_pixels: int) -> None:
    """Refuses by the file's header alone, before anything is decoded."""
    if image.width * image.height > max_pixels:
        raise UnreadableInput(
            f"{path} has {image.width * image.height / 1e6:.0f} megapixels, more than {max_pixels / 1e6:.0f}; allow them with --max-pixels."
        )
    if min(image.size) < SMALLEST_SIDE_PX:
        raise UnreadableInput(f"{path} is {image.width} x {image.height} pixels, too small for a face.")
    if _pages(image) > 1:
        raise UnreadableInput(f"{path} holds several pictures; save each as a photo of its own, or an animation as a video.")


def _pages(image: Image.Image) -> int:
    """How many pictures there are, without the smaller copies and views that phones and scanners add, which are left out of the output."""
    count = getattr(image, "n_frames", 1)
    if image.format in ("JPEG", "MPO", "HEIF") or count == 1:
        return 1
    if image.format != "TIFF":
        return int(count)
    full = 0
    for page in range(count):
        image.seek(page)
        full += not int(image.getexif().get(ExifTags.Base.NewSubfileType, 0)) & REDUCED
    image.seek(0)
    return full


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Pillow's own limit and its warnings are off: ours is checked."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@functools.cache
def can_use_heif() -> bool:
    """Whether `pillow-heif` is there; Pillow knows the format from then on."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True
