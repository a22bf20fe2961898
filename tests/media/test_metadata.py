"""Metadata shows nobody, and colours stay what they were."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image

from masquerade.media.metadata import harmless_exif, orientation_of, profile_of, upright
from masquerade.types import Pixels

SECRET = b"\xff\xd8\xff\xe0 a small picture of the person"
BASE, IFD = ExifTags.Base, ExifTags.IFD


def with_exif(image: Image.Image, exif: Image.Exif | bytes) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    return Image.open(file)


@pytest.fixture
def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[BASE.Make], exif[BASE.Artist], exif[BASE.Orientation] = "Camera", "Ada", 6
    exif[0xC4A5] = SECRET
    exif[IFD.Exif] = {BASE.ExposureTime: 0.01, BASE.MakerNote: SECRET, BASE.UserComment: b"x" + SECRET, BASE.LensModel: "50 mm", 0xEA1C: b"padding"}
    exif[IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (47.0, 22.0, 1.5), ExifTags.GPS.GPSLatitudeRef: "N"}
    return exif


def test_kept_exif_holds_no_hidden_picture(full_exif: Image.Exif) -> None:
    data = harmless_exif(with_exif(Image.new("RGB", (16, 16)), full_exif))
    assert data is not None
    assert b"\xff\xd8\xff" not in data
    assert b"small picture" not in data
    kept = Image.Exif()
    kept.load(data)
    assert (kept[BASE.Make], kept[BASE.Artist]) == ("Camera", "Ada")
    assert set(kept.get_ifd(IFD.Exif)) == {BASE.ExposureTime, BASE.LensModel}
    assert kept.get_ifd(IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] == (47, 22, 1.5)
    assert BASE.Orientation not in kept
    assert not kept.get_ifd(IFD.IFD1)


def test_embedded_thumbnail_is_left_out() -> None:
    """A thumbnail's directory, written by hand: Pillow does not write one."""
    entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, 68), (0x0202, 4, 1, len(SECRET))]
    first = b"\x01\0" + b"\x0f\x01\x02\0\x04\0\0\0Cam\0" + (26).to_bytes(4, "little")
    second = len(entries).to_bytes(2, "little") + b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little") + value.to_bytes(4, "little")
        for tag, kind, count, value in entries
    )
    image = with_exif(Image.new("RGB", (16, 16)), b"Exif\0\0II*\0\x08\0\0\0" + first + second + b"\0\0\0\0" + SECRET)
    assert image.getexif().get_ifd(IFD.IFD1)
    data = harmless_exif(image)
    assert data is not None
    assert b"Cam" in data
    assert SECRET not in data


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_is_none(exif: bytes) -> None:
    image = with_exif(Image.new("RGB", (16, 16)), exif)
    assert harmless_exif(image) is None
    assert orientation_of(image) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_pillow_does_it(orientation: int, colours: Callable[..., Pixels]) -> None:
    picture = colours(5, 3)
    image = Image.fromarray(picture)
    image.getexif()[BASE.Orientation] = orientation
    exif = Image.Exif()
    exif[BASE.Orientation] = orientation
    assert orientation_of(with_exif(image, exif)) == orientation
    ways = Image.Transpose
    methods = [ways.FLIP_LEFT_RIGHT, ways.ROTATE_180, ways.FLIP_TOP_BOTTOM, ways.TRANSPOSE, ways.ROTATE_270, ways.TRANSVERSE, ways.ROTATE_90]
    expected = image if orientation == 1 else image.transpose(methods[orientation - 2])
    assert np.array_equal(upright(picture, orientation), np.asarray(expected))
    assert np.array_equal(upright(picture[:, :, 0], orientation), np.asarray(expected)[:, :, 0])


@pytest.mark.parametrize(("mode", "space", "fits"), [("RGB", b"RGB ", True), ("L", b"GRAY", True), ("L", b"RGB ", False), ("RGB", b"CMYK", False)])
def test_profile_must_fit_the_pixels(mode: str, space: bytes, fits: bool) -> None:
    image = Image.new(mode, (8, 8))
    image.info["icc_profile"] = b"\0" * 16 + space + b"\0" * 108
    assert (profile_of(image) is not None) == fits
