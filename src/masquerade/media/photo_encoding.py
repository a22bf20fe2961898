"""Photos, written: in the format that the name asks for, with the colours, the depth and the transparency that they had."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from masquerade.errors import UnwritableOutput
from masquerade.media import sixteen_bit
from masquerade.media.metadata import in_srgb
from masquerade.media.photos import FORMATS, HEIF_ADVICE, Photo, can_use_heif
from masquerade.media.png_chunks import Chunk, profile_chunk, with_chunks
from masquerade.media.tiffs import encoded_tiff
from masquerade.media.whole_files import whole_file
from masquerade.types import Pixels

QUALITY = 95
"""JPEG's, WebP's and HEIC's quality, 1 to 100."""

_DEEP = frozenset({"PNG", "TIFF"})
_OPAQUE = frozenset({"JPEG", "BMP"})
_WITHOUT_GRAY = frozenset({"WEBP", "HEIF"})
_WITHOUT_PROFILE = frozenset({"BMP"})


def write_photo(path: Path, photo: Photo, pixels: Pixels, quality: int = QUALITY, keep_metadata: bool = False, overwrite: bool = False) -> None:
    """Writes an anonymised photo.

    What was transparent is put on white where the format knows no transparency. The colour profile is embedded, or the colours become
    sRGB where the format holds none. Of 16 bits, the pixels that were not changed keep all.

    Args:
        path: where to; the end of the name chooses the format.
        photo: the original, as it was read.
        pixels: RGB uint8, what became of `photo.pixels`.
        quality: 1 to 100, for JPEG, WebP and HEIC.
        keep_metadata: write the original's EXIF, as far as it is harmless.
        overwrite: replace a file of that name.

    Raises:
        UnwritableOutput: the format is not known or cannot hold this photo, or `whole_file` could not write.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UnwritableOutput(f"{path} does not say in which format to write; let its name end in one of {' '.join(FORMATS)}.")
    if kind == "HEIF" and not can_use_heif():
        raise UnwritableOutput(f"{path} is to be a HEIC photo; {HEIF_ADVICE}")
    exif = photo.exif if keep_metadata else None
    try:
        data = _file(kind, photo, pixels, quality, exif)
    except (OSError, ValueError, RuntimeError, struct.error, cv2.error) as error:
        size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
        raise UnwritableOutput(f"{path} cannot be written ({kind}, {size}: {error}); choose another format.") from error
    with whole_file(path, overwrite) as file:
        file.write(data)


def _file(kind: str, photo: Photo, pixels: Pixels, quality: int, exif: bytes | None) -> bytes:
    if photo.deep is not None and kind in _DEEP:
        return _deep_file(kind, photo, _deepened(photo, photo.deep, pixels), exif)
    alpha = None if photo.alpha is None else sixteen_bit.narrowed(photo.alpha)
    if alpha is not None and kind in _OPAQUE:
        pixels, alpha = _on_white(pixels, alpha), None
    image = Image.fromarray(_gray(pixels) if photo.is_gray else pixels)
    profile = photo.icc_profile
    if profile and (kind in _WITHOUT_PROFILE or (photo.is_gray and kind in _WITHOUT_GRAY)):
        image, profile = in_srgb(image, profile), None
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    if kind == "PNG":
        return with_chunks(_saved(image, kind, compress_level=sixteen_bit.COMPRESSION_LEVEL), _chunks(photo, exif))
    if kind == "TIFF":
        return encoded_tiff(np.atleast_3d(np.asarray(image)), profile, exif)
    named: dict[str, Any] = {"icc_profile": profile, "exif": exif}
    settings = {name: value for name, value in named.items() if value and kind != "BMP"}
    match kind:
        case "JPEG":
            settings |= {"quality": quality, "subsampling": "4:4:4"}
        case "WEBP":
            settings |= {"quality": quality}
        case "HEIF":
            settings |= {"quality": quality, "chroma": "444"}
    return _saved(image, kind, **settings)


def _saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def _deep_file(kind: str, photo: Photo, planes: sixteen_bit.Deep, exif: bytes | None) -> bytes:
    if photo.alpha is not None:
        planes = np.dstack([planes, sixteen_bit.widened(photo.alpha)])
    if kind == "TIFF":
        return encoded_tiff(planes, photo.icc_profile, exif)
    return with_chunks(sixteen_bit.encoded_png(planes), _chunks(photo, exif))


def _deepened(photo: Photo, deep: sixteen_bit.Deep, pixels: Pixels) -> sixteen_bit.Deep:
    """Changed pixels get their 8 bits: whatever finer was there belonged to the person."""
    changed = (pixels != photo.pixels).any(axis=2)
    planes = deep.copy()
    planes[changed] = sixteen_bit.widened((_gray(pixels)[:, :, None] if photo.is_gray else pixels)[changed])
    return planes


def _chunks(photo: Photo, exif: bytes | None) -> tuple[Chunk, ...]:
    profile = (profile_chunk(photo.icc_profile),) if photo.icc_profile else ()
    return (*profile, *photo.png_colours, *(((b"eXIf", exif.removeprefix(b"Exif\0\0")),) if exif else ()))


def _gray(pixels: Pixels) -> NDArray[np.uint8]:
    """Height x width; pixels that are gray already keep their value exactly."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _on_white(pixels: Pixels, alpha: NDArray[np.uint8]) -> Pixels:
    share = alpha[:, :, None].astype(np.uint16)
    return ((pixels * share + 255 * (255 - share) + 127) // 255).astype(np.uint8)
