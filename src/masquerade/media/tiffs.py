"""TIFF, written: 8 or 16 bits a channel, with the colour profile and EXIF, which Pillow cannot put into a compressed file together."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

DEFLATE, DIFFERENCES = 8, 2
GRAY, RGB = 1, 2
TRANSPARENCY = 2
COMPRESSION_LEVEL = 3
"""Numbers of the format's, and zlib's level: higher ones take three times as long for a tenth of the size."""

_Base = ExifTags.Base


def encoded_tiff(planes: NDArray[np.uint8] | NDArray[np.uint16], profile: bytes | None, exif: bytes | None) -> bytes:
    """A TIFF file of one compressed strip.

    Args:
        planes: height x width x 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).
        profile: the colour profile to embed.
        exif: the EXIF to embed, as Pillow writes it.
    """
    height, width, channels = planes.shape
    differences = planes.copy()
    np.subtract(planes[:, 1:], planes[:, :-1], out=differences[:, 1:])
    pixels = zlib.compress(differences.astype(planes.dtype.newbyteorder("<")).tobytes(), COMPRESSION_LEVEL)
    directory = _directory(exif)
    directory.update(
        {
            _Base.ImageWidth: width,
            _Base.ImageLength: height,
            _Base.BitsPerSample: (8 * planes.itemsize,) * channels,
            _Base.Compression: DEFLATE,
            _Base.PhotometricInterpretation: RGB if channels >= 3 else GRAY,
            _Base.StripOffsets: 0,
            _Base.SamplesPerPixel: channels,
            _Base.RowsPerStrip: height,
            _Base.StripByteCounts: len(pixels),
            _Base.Predictor: DIFFERENCES,
        }
    )
    if channels in (2, 4):
        directory[_Base.ExtraSamples] = TRANSPARENCY
    if profile:
        directory[_Base.InterColorProfile] = profile
    # Pillow counts the strip's offset from the end of the directory; the six bytes before it are EXIF's own mark.
    return directory.tobytes()[6:] + pixels


def _directory(exif: bytes | None) -> Image.Exif:
    """The file's directory, with what EXIF says."""
    directory = Image.Exif()
    if exif:
        directory.load(exif)
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if found := directory.get_ifd(ifd):
                directory[ifd] = found
    directory.endian = "<"
    return directory
