"""`masquerade train prepare`: find, crop, parse and measure every training photo once, into packed arrays."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.alignment import canonical_matrix, scale_of, take_crop
from masquerade.faces.scene import HIDDEN, scene_of
from masquerade.faces.yunet import YuNet
from masquerade.training.data import SCENES
from masquerade.types import Crop, Face, Pixels

SIZE = 128
PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
NO_TRUTH = 255
LARGEST_ENLARGEMENT = 1.6
"""Photos in which the pixels of a large crop would be so much smaller than the photo's own hold too little detail for it."""

LONGEST_SIDE_PX = 384
"""Training photos are looked at in this size: one large face each, so that finding it is quick."""


@dataclass(frozen=True)
class Photo:
    """Where a training photo lies: a file of its own, or a member of a tar."""

    path: Path
    member: str
    source: str
    identity: int
    split: str
    made_up: bool
    mask: str = ""


@dataclass(frozen=True, eq=False)
class Prepared:
    photo: Photo
    pixels: Pixels
    truth: NDArray[np.uint8] | None
    scene: Pixels | None


def photos_of(source: Path, made_up: bool, exclude: frozenset[str]) -> list[Photo]:
    """Lists the training photos of a tar or folder.

    A table `identity.csv` or `split.csv` (the file, then identity or split) inside it is followed; parsing maps are taken from
    `masks/NAME.png` beside `images/NAME.jpg`. Without a table every 40th photo is kept for validation.

    Args:
        source: a tar or a folder.
        made_up: whether its people do not exist.
        exclude: photos whose file name starts with one of these are left out (people of the evaluation sets).
    """
    if source.suffix == ".tar":
        with tarfile.open(source) as archive:
            names = archive.getnames()
            tables = {Path(n).name: n for n in names if n.endswith(".csv")}
            text = {k: archive.extractfile(v).read().decode() for k, v in tables.items()}  # type: ignore[union-attr]
    elif source.is_dir():
        names = [str(p.relative_to(source)) for p in sorted(source.rglob("*"))]
        text = {p.name: p.read_text() for p in source.glob("*.csv")}
    else:
        raise MasqueradeError(f"{source} is neither a tar nor a folder of photos.")
    rows: dict[str, dict[str, str]] = {}
    for table in ("split.csv", "identity.csv"):
        if table in text:
            rows.update({Path(next(iter(r.values()))).stem: r for r in csv.DictReader(io.StringIO(text[table]))})
    masks = {Path(n).stem: n for n in names if "masks/" in n and n.endswith(".png")}
    found = []
    for index, name in enumerate(sorted(n for n in names if Path(n).suffix.lower() in PHOTOS and "masks/" not in n)):
        stem = Path(name).stem
        row = rows.get(stem)
        if (rows and row is None) or any(stem.startswith(e) for e in exclude):
            continue
        default = "val" if index % 40 == 0 else "train"
        identity = int(row["identity"]) if row and row.get("identity", "").isdigit() else -1
        found.append(Photo(source, name, source.stem, identity, row["split"] if row else default, made_up, masks.get(stem, "")))
    return found


# Workers are started afresh, not forked: OpenCV and ONNX Runtime have threads that do not survive a fork.
_archives: dict[Path, tarfile.TarFile] = {}


def _bytes_of(path: Path, member: str) -> NDArray[np.uint8]:
    if path.is_dir():
        return np.fromfile(path / member, np.uint8)
    if path not in _archives:
        _archives[path] = tarfile.open(path)  # noqa: SIM115 - stays open for all photos of this process
    return np.frombuffer(_archives[path].extractfile(member).read(), np.uint8)  # type: ignore[union-attr]


def _largest(faces: list[Face]) -> Face | None:
    return max(faces, key=lambda f: f.width * f.height, default=None)


_yunet: list[YuNet] = []


def _crop_all(photos: list[Photo], side: int) -> list[Prepared]:
    cv2.setNumThreads(1)
    if not _yunet:
        _yunet.append(YuNet())
    done = []
    for photo in photos:
        bgr = cv2.imdecode(_bytes_of(photo.path, photo.member), cv2.IMREAD_COLOR)
        if bgr is None:
            continue
        scale = min(1.0, LONGEST_SIDE_PX / max(bgr.shape[:2]))
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
        # Tight crops: YuNet wants to see what is around a face.
        edge = max(small.shape[:2]) // 5
        edged = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        face = _largest(_yunet[0](np.asarray(edged, np.uint8)))
        if face is None:
            continue
        x0, y0, x1, y1 = ((v - edge) / scale for v in face.box)
        found = Face((x0, y0, x1, y1), (face.landmarks - edge) / scale, face.score)
        matrix = canonical_matrix(found, side)
        if side > SIZE and scale_of(matrix) > LARGEST_ENLARGEMENT:
            continue
        truth = None
        if photo.mask:
            mask = cv2.imdecode(_bytes_of(photo.path, photo.mask), cv2.IMREAD_UNCHANGED)
            mask = _palette_indices(_bytes_of(photo.path, photo.mask)) if mask is None or mask.ndim == 3 else mask
            mask = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            placed = cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            truth = np.asarray(placed, np.uint8)
        crop = take_crop(rgb, matrix, side)
        done.append(Prepared(photo, crop.pixels, truth, _framed(scene_of(rgb, crop)) if side == SIZE else None))
    return done


def _framed(scene: Crop) -> Pixels:
    """A scene, gray beyond the photo's edge."""
    return np.where(scene.inside[..., None], scene.pixels, np.uint8(HIDDEN))


def _palette_indices(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    return np.array(Image.open(io.BytesIO(data.tobytes())))


def _chunks(photos: list[Photo], length: int) -> Iterator[list[Photo]]:
    for start in range(0, len(photos), length):
        yield photos[start : start + length]


def crop_photos(photos: list[Photo], out: Path, processes: int, side: int = SIZE) -> int:
    """Finds and crops the largest face of every photo; writes crops.npy, scenes.npy, truth.npy and table.csv; returns the number.

    Args:
        photos: what to look at.
        out: the prepared folder.
        processes: how many work at once.
        side: of the crops, in pixels; of larger ones than `SIZE` only those are kept whose photo holds so much detail.
    """
    out.mkdir(parents=True, exist_ok=True)
    done: list[Prepared] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(partial(_crop_all, side=side), _chunks(photos, 200)):
            done += part
    np.save(out / "crops.npy", np.stack([d.pixels for d in done]))
    if scenes := [d.scene for d in done if d.scene is not None]:
        np.save(out / SCENES, np.stack(scenes))
    blank = np.full((side, side), NO_TRUTH, np.uint8)
    if any(d.truth is not None for d in done):
        np.save(out / "truth.npy", np.stack([blank if d.truth is None else d.truth for d in done]))
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        for d in done:
            writer.writerow([d.photo.member, d.photo.source, d.photo.identity, d.photo.split, int(d.photo.made_up)])
    return len(done)


def parse_crops(folder: Path, processes: int) -> None:
    """Parses every crop of a prepared folder, shrunk to 128 x 128, with the shipped SegmentationNet; writes parsing.npy (merged classes)."""
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    unfinished = folder / "parsing.partial.npy"
    np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(crops), SIZE, SIZE)).flush()
    bounds = np.linspace(0, len(crops), processes + 1).astype(int)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_parse_rows, [folder] * processes, bounds[:-1], bounds[1:]):
            pass
    unfinished.rename(folder / "parsing.npy")


def _parse_rows(folder: Path, start: int, stop: int) -> None:
    from masquerade.generation.tensors import to_network
    from masquerade.weights import load_session

    crops = np.load(folder / "crops.npy", mmap_mode="r")
    maps = np.load(folder / "parsing.partial.npy", mmap_mode="r+")
    session = load_session("segmentation.onnx", 1)
    for row in range(start, stop):
        small = cv2.resize(np.asarray(crops[row]), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        shares = session.run(None, {"picture": to_network(np.asarray(small[None], np.uint8))})[0][0]
        # Classes last: numpy finds the largest of neighbours much faster.
        maps[row] = np.ascontiguousarray(shares.reshape(len(shares), -1).T).argmax(1).reshape(maps.shape[1:])
    maps.flush()
