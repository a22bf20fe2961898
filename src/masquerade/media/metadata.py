"""What a photo's file says besides its pixels: which way is up, what its numbers mean as colours, and EXIF without hidden pictures."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

ABOUT_THE_PHOTO = frozenset({0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298, *range(0x9C9B, 0x9CA0)})
"""EXIF's words about a whole photo: what, which camera, how many dots an inch, which program, when, who, whose."""

ABOUT_THE_SHOT = tuple(
    range(first, last + 1)
    for first, last in [
        (0x829A, 0x829D), (0x8822, 0x8835), (0x9000, 0x9292), (0x9400, 0x9405),
        (0xA000, 0xA001), (0xA20B, 0xA217), (0xA300, 0xA302), (0xA401, 0xA420), (0xA430, 0xA500),
    ]
)  # fmt: skip
"""The tags that the standard names for the shot: private ones may hold a preview of the original."""

MAKER_NOTE = 0x927C
JPEG_START = b"\xff\xd8\xff"
LONGEST_EXIF = 65_000
"""Bytes; a JPEG holds no more."""

_SPACES = {"1": b"GRAY", "L": b"GRAY", "LA": b"GRAY", "CMYK": b"CMYK"}


def upright(picture: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turns and mirrors a picture as EXIF's orientation asks.

    Args:
        picture: height x width, or height x width x channels.
        orientation: 1 to 8; anything else counts as 1.
    """
    match orientation:
        case 2:
            picture = picture[:, ::-1]
        case 3:
            picture = picture[::-1, ::-1]
        case 4:
            picture = picture[::-1]
        case 5:
            picture = picture.swapaxes(0, 1)
        case 6:
            picture = np.rot90(picture, -1)
        case 7:
            picture = picture[::-1, ::-1].swapaxes(0, 1)
        case 8:
            picture = np.rot90(picture)
    return np.ascontiguousarray(picture)


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation, 1 where nothing readable is said."""
    orientation = _exif_of(image).get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in range(1, 9) else 1


def harmless_exif(image: Image.Image) -> bytes | None:
    """A photo's EXIF anew, without anything that could show or turn the original.

    Kept are the tags that the standard names for the photo, the shot and the place. Left out are the embedded thumbnail, the maker's
    notes and other private tags (both may hold a preview), XMP, the orientation and the size.

    Args:
        image: an opened photo.

    Returns:
        As Pillow's `exif` argument takes it; None where there is nothing to keep.
    """
    found, kept = _exif_of(image), Image.Exif()
    kept.update(_writable({tag: value for tag, value in found.items() if tag in ABOUT_THE_PHOTO}))
    for ifd, known in ((ExifTags.IFD.Exif, _is_about_the_shot), (ExifTags.IFD.GPSInfo, ExifTags.GPSTAGS.__contains__)):
        tags: dict[int, Any] = {}
        # A damaged directory is left out; the others are read.
        with contextlib.suppress(Exception):
            tags = _writable({tag: value for tag, value in found.get_ifd(ifd).items() if known(tag)})
        if tags:
            kept[ifd] = tags
    data = kept.tobytes() if len(kept) else b""
    return data if 0 < len(data) <= LONGEST_EXIF else None


def profile_of(image: Image.Image) -> bytes | None:
    """A photo's colour profile; None where there is none, or one for another kind of pixels."""
    profile: bytes = image.info.get("icc_profile") or b""
    gray = image.mode.startswith("I;16")
    return profile if profile[16:20] == (b"GRAY" if gray else _SPACES.get(image.mode, b"RGB ")) else None


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A CMYK, RGB or gray picture as sRGB: by its profile, or by Pillow's rule where it has none that works."""
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _exif_of(image: Image.Image) -> Image.Exif:
    # Cameras and editors write damaged EXIF in more ways than can be listed; the photo itself may be whole.
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def _is_about_the_shot(tag: int) -> bool:
    return tag != MAKER_NOTE and any(tag in known for known in ABOUT_THE_SHOT)


def _writable(tags: dict[int, Any]) -> dict[int, Any]:
    """Those that Pillow can write again and that hide no picture."""
    kept = {}
    for tag, value in tags.items():
        alone = Image.Exif()
        alone[tag] = value
        with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError, struct.error, ZeroDivisionError, RuntimeError, KeyError):
            if JPEG_START not in alone.tobytes():
                kept[tag] = value
    return kept
