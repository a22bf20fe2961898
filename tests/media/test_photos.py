"""Photos come out as they went in: format, depth, gray, transparency, colours, and which way is up."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from masquerade.errors import UnreadableInput, UnwritableOutput
from masquerade.media.photo_encoding import write_photo
from masquerade.media.photos import Photo, read_photo
from masquerade.media.png_chunks import colour_chunks, with_chunks
from masquerade.media.sixteen_bit import encoded_png, widened
from masquerade.media.tiffs import encoded_tiff
from masquerade.types import Pixels

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]


def passed_through(source: Path, target: Path, **options: object) -> Image.Image:
    """Reads and writes a photo without changing it."""
    photo = read_photo(source)
    write_photo(target, photo, photo.pixels, **options)  # type: ignore[arg-type]
    return Image.open(target)


def cmyk_profile() -> bytes:
    """A profile by which ink is twice as strong as anybody would think: one table, CMYK to Lab."""
    corners = [max(0, 255 - 255 * sum(c) // 2) for c in np.ndindex(2, 2, 2, 2)]
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table += ramp * 4 + b"".join(bytes([lightness, 128, 128]) for lightness in corners) + ramp * 3
    size = 128 + 4 + 12 + len(table)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp")
    header += bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic"])
def test_every_format(suffix: str, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    if suffix == ".heic":
        pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    Image.fromarray(colours()).save(tmp_path / "a.png")
    image = passed_through(tmp_path / "a.png", tmp_path / f"b{suffix}")
    assert image.format == {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".heic": "HEIF"}.get(suffix.lower(), suffix[1:5].upper())
    again = read_photo(tmp_path / f"b{suffix}").pixels
    assert np.abs(again.astype(int) - colours()).mean() < (1.5 if image.format in ("JPEG", "WEBP", "HEIF") else 0.001)


def test_jpeg_keeps_full_colour_resolution(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    passed_through(tmp_path / "a.png", tmp_path / "b.jpg")
    data = (tmp_path / "b.jpg").read_bytes()
    frame = data[data.index(b"\xff\xc0") :]
    assert [frame[11 + 3 * channel] for channel in range(3)] == [0x11] * 3


def test_lower_quality_is_smaller(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    Image.fromarray(colours(200, 200)).save(tmp_path / "a.png")
    for quality in (30, 95):
        passed_through(tmp_path / "a.png", tmp_path / f"{quality}.jpg", quality=quality)
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 5])
def test_orientation_is_applied_once(orientation: int, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = orientation, "Camera"
    Image.fromarray(colours()).save(tmp_path / "a.png", exif=exif)
    image = passed_through(tmp_path / "a.png", tmp_path / "b.png", keep_metadata=True)
    assert image.size == ((48, 64) if orientation > 4 else (64, 48))
    assert dict(image.getexif()) == {ExifTags.Base.Make: "Camera"}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("keep", [False, True])
def test_metadata_only_on_demand(suffix: str, keep: bool, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    xmp = {"xmp": b"<x:xmpmeta>secret</x:xmpmeta>"} if suffix != ".png" else {}
    comment = {"comment": b"secret"} if suffix == ".jpg" else {}
    Image.fromarray(colours()).save(tmp_path / f"a{suffix}", exif=exif.tobytes(), dpi=(300, 300), **xmp, **comment)
    image = passed_through(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}", keep_metadata=keep)
    assert (ExifTags.Base.Artist in image.getexif()) == keep
    assert bool(image.getexif().get_ifd(ExifTags.IFD.GPSInfo)) == keep
    assert b"secret" not in (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
def test_gray_stays_gray(mode: str, suffix: str, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    Image.fromarray(colours()).convert(mode).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.is_gray
    changed = photo.pixels.copy()
    changed[:10, :10] = (0, 200, 0)
    write_photo(tmp_path / f"b{suffix}", photo, changed)
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.mode == ("LA" if mode == "LA" and suffix in (".png", ".tif") else "L")
        assert abs(int(np.asarray(image.convert("L"))[5, 5]) - 117) < 3


def test_gray_values_are_exact(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(passed_through(tmp_path / "a.png", tmp_path / "b.png")), ramp)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_kept(suffix: str, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    Image.fromarray(np.dstack([colours(), alpha])).save(tmp_path / "a.png")
    image = passed_through(tmp_path / "a.png", tmp_path / f"b{suffix}")
    assert np.array_equal(np.asarray(image)[:, :, 3], alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_transparency_becomes_white(suffix: str, tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (200, 0, 0, 0)).save(tmp_path / "a.png")
    assert np.asarray(passed_through(tmp_path / "a.png", tmp_path / f"b{suffix}")).min() >= 254


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(transparent: bool, tmp_path: Path) -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", **({"transparency": 0} if transparent else {}))
    again = passed_through(tmp_path / "a.png", tmp_path / "b.png")
    assert again.mode == ("RGBA" if transparent else "RGB")
    assert again.getpixel((5, 5)) == ((10, 200, 30, 255) if transparent else (10, 200, 30))
    assert not transparent or again.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(channels: int, suffix: str, tmp_path: Path) -> None:
    if (channels, suffix) == (2, ".tif"):
        pytest.skip("Pillow reads no TIFF of 16-bit gray with transparency")
    deep = np.random.default_rng(channels).integers(0, 65536, (12, 20, channels), np.uint16)
    (tmp_path / f"a{suffix}").write_bytes(encoded_png(deep) if suffix == ".png" else encoded_tiff(deep, None, None))
    photo = read_photo(tmp_path / f"a{suffix}")
    assert photo.is_gray == (channels < 3)
    pixels = photo.pixels.copy()
    pixels[:4, :5] = (pixels[:4, :5].astype(int) + 100) % 256
    pixels[:4, :5] = pixels[:4, :5, :1]
    write_photo(tmp_path / f"b{suffix}", photo, pixels)
    again = read_photo(tmp_path / f"b{suffix}")
    colour = slice(0, 1 if channels < 3 else 3)
    assert again.deep is not None
    assert np.array_equal(again.deep[4:], deep[4:, :, colour])
    assert np.array_equal(again.deep[:, 5:], deep[:, 5:, colour])
    assert np.array_equal(again.deep[:4, :5], widened(pixels[:4, :5, colour]))
    assert channels in (1, 3) or np.array_equal(again.alpha, deep[:, :, -1])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_as_others_read_them(suffix: str, tmp_path: Path) -> None:
    deep = np.random.default_rng(5).integers(0, 65536, (12, 20, 3), np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep[:, :, ::-1])
    passed_through(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    assert np.array_equal(cv2.imread(str(tmp_path / f"b{suffix}"), cv2.IMREAD_UNCHANGED), deep[:, :, ::-1])
    assert np.asarray(passed_through(tmp_path / f"a{suffix}", tmp_path / "b.jpg")).dtype == np.uint8


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_keep_profile_orientation_and_exif(suffix: str, tmp_path: Path) -> None:
    deep = np.random.default_rng(6).integers(0, 65536, (12, 20, 3), np.uint16)
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Orientation] = "Ada", 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.LensModel: "50 mm"}
    (tmp_path / "a.tif").write_bytes(encoded_tiff(deep, SRGB, exif.tobytes()))
    image = passed_through(tmp_path / "a.tif", tmp_path / f"b{suffix}", keep_metadata=True)
    assert image.size == (12, 20)
    assert image.info["icc_profile"] == SRGB
    assert image.getexif()[ExifTags.Base.Artist] == "Ada"
    assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "50 mm"
    assert np.array_equal(read_photo(tmp_path / f"b{suffix}").deep, np.rot90(deep, -1))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic"])
def test_colour_profile_is_embedded_again(suffix: str, tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    if suffix == ".heic":
        pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    Image.fromarray(colours()).save(tmp_path / "a.jpg", icc_profile=SRGB)
    assert passed_through(tmp_path / "a.jpg", tmp_path / f"b{suffix}").info["icc_profile"] == SRGB


def test_gray_profile(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 90).save(tmp_path / "a.png", icc_profile=GRAY_PROFILE)
    assert passed_through(tmp_path / "a.png", tmp_path / "b.jpg").info["icc_profile"] == GRAY_PROFILE
    assert "icc_profile" not in passed_through(tmp_path / "a.png", tmp_path / "b.webp").info


def test_png_colour_chunks_go_along(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    file = io.BytesIO()
    Image.fromarray(colours()).save(file, "PNG")
    gamma = (b"gAMA", (50000).to_bytes(4, "big"))
    (tmp_path / "a.png").write_bytes(with_chunks(file.getvalue(), (gamma, (b"tEXt", b"secret\0secret"))))
    passed_through(tmp_path / "a.png", tmp_path / "b.png")
    assert colour_chunks(tmp_path / "b.png") == (gamma,)
    assert b"secret" not in (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb(suffix: str, tmp_path: Path) -> None:
    ink = Image.new("CMYK", (16, 16), (0, 0, 0, 128))
    ink.save(tmp_path / f"plain{suffix}")
    ink.save(tmp_path / f"profiled{suffix}", icc_profile=cmyk_profile())
    plain = read_photo(tmp_path / f"plain{suffix}")
    profiled = read_photo(tmp_path / f"profiled{suffix}")
    assert abs(int(plain.pixels[8, 8].mean()) - 127) < 4
    assert profiled.icc_profile is None
    assert abs(int(profiled.pixels[8, 8].mean()) - int(plain.pixels[8, 8].mean())) > 10
    assert passed_through(tmp_path / f"profiled{suffix}", tmp_path / "b.jpg").mode == "RGB"


def png_header(width: int, height: int, kind: int, rows: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 1, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def animation(tmp_path: Path, name: str) -> Path:
    frames = [Image.new("RGB", (32, 32), c) for c in ("red", "blue", "green")]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    return tmp_path / name


def test_bad_inputs_have_one_sentence(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no photo at all\n" * 100)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000, 0, bytes(20_000 * 2501)))
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("F", (32, 32)).save(tmp_path / "float.tif")
    Image.new("P", (32, 32)).save(tmp_path / "still.gif")
    (tmp_path / "still.gif").rename(tmp_path / "gif.jpg")
    for suffix in ("jpg", "png", "webp", "tif", "bmp"):
        whole = tmp_path / f"whole.{suffix}"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(whole)
        (tmp_path / f"cut.{suffix}").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64, 3), np.uint16)
    for name, data in (("cut16.png", encoded_png(deep)), ("cut16.tif", encoded_tiff(deep, None, None))):
        (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    for name in ("moving.png", "moving.webp", "pages.tif"):
        animation(tmp_path, name)
    words = {
        "missing.jpg": "does not exist", "folder.jpg": "is not a file",
        "empty.jpg": "is empty", "text.jpg": "is not a photo", "gif.jpg": "is not a photo",
        "bomb.png": "400 megapixels", "dot.png": "1 x 1", "float.tif": "rare kind", "cut.jpg": "damaged", "cut.png": "damaged", "cut.webp": "damaged",
        "cut.tif": "damaged", "cut.bmp": "damaged", "cut16.png": "damaged", "cut16.tif": "damaged",
        "moving.png": "several pictures", "moving.webp": "several pictures", "pages.tif": "several pictures",
    }  # fmt: skip
    for name, word in words.items():
        with pytest.raises(UnreadableInput) as caught:
            read_photo(tmp_path / name)
        sentence = str(caught.value)
        assert word in sentence, sentence
        assert name in sentence
        assert "\n" not in sentence


def test_limit_can_be_raised(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    Image.fromarray(colours(100, 100)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableInput, match="--max-pixels"):
        read_photo(tmp_path / "a.png", max_pixels=9999)
    assert read_photo(tmp_path / "a.png", max_pixels=10_000).pixels.shape == (100, 100, 3)


def test_second_picture_of_a_phone_is_left_out(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    first = Image.fromarray(colours())
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48), "red")])
    image = passed_through(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert image.format == "JPEG"
    assert getattr(image, "n_frames", 1) == 1
    assert (tmp_path / "b.jpg").read_bytes().count(b"\xff\xd8\xff") == 1


def test_scanners_preview_page_is_left_out(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    preview = Image.new("RGB", (16, 12), "red")
    preview.encoderinfo = {"tiffinfo": {ExifTags.Base.NewSubfileType: 1}}
    Image.fromarray(colours()).save(tmp_path / "a.tif", save_all=True, append_images=[preview])
    image = passed_through(tmp_path / "a.tif", tmp_path / "b.tif")
    assert getattr(image, "n_frames", 1) == 1
    assert np.array_equal(np.asarray(image), colours())


def test_name_may_lie_about_the_format(tmp_path: Path, colours: Callable[..., Pixels]) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.jpg", "PNG")
    assert np.array_equal(read_photo(tmp_path / "a.jpg").pixels, colours())


def test_heic_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colours: Callable[..., Pixels]) -> None:
    for module in ("photos", "photo_encoding"):
        monkeypatch.setattr(f"masquerade.media.{module}.can_use_heif", lambda: False)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(UnreadableInput, match=r"masquerade\[heif\]"):
        read_photo(tmp_path / "a.heic")
    with pytest.raises(UnwritableOutput, match=r"masquerade\[heif\]"):
        write_photo(tmp_path / "b.heic", Photo(colours()), colours())


@pytest.mark.parametrize(("name", "size", "word"), [("b.xyz", (16, 16), "format"), ("b.webp", (16, 17_000), "another format")])
def test_unwritable_leaves_nothing(name: str, size: tuple[int, int], word: str, tmp_path: Path) -> None:
    Image.new("1", size).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    with pytest.raises(UnwritableOutput, match=word):
        write_photo(tmp_path / "out" / name, photo, photo.pixels)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
