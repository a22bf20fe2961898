"""Measures every face of two folders of photos, before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from masquerade.errors import MasqueradeError
from masquerade.evaluation.features import Features, pixelated
from masquerade.evaluation.mesh import LEFT_EYE, RIGHT_EYE, Expression, FaceMesh, expression
from masquerade.evaluation.metrics import change_inside, change_outside, iou, skin_tone, typology_angle
from masquerade.evaluation.photos import read_photo
from masquerade.evaluation.recognisers import Detector, Embedding, Recogniser
from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.types import Box, Face, Floats, Pixels

SMALLEST_PX = 48
"""Narrower faces are only looked at for change."""

SAME_PLACE_IOU, REPORTED_IOU = 0.4, 0.2
CROP_PX = 128


@dataclass(frozen=True)
class Instruments:
    """What measures: replaced by made-up parts in tests.

    Attributes:
        faces: finds the faces of a photo.
        embed: both recognisers.
        mesh: 468 points of a face, None where it sees none.
        features: EfficientNet-Lite0's features of crops.
    """

    faces: Callable[[Pixels], list[Face]]
    embed: Callable[[Pixels, Face], Embedding]
    mesh: Callable[[Pixels, Face], Floats | None]
    features: Callable[[Sequence[Pixels]], Floats]

    @classmethod
    def real(cls) -> Instruments:
        """The networks themselves.

        Raises:
            MasqueradeError: a package is missing.
        """
        return cls(Detector(), Recogniser(), FaceMesh(), Features())


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a large face's summary needs and no report may hold.

    Attributes:
        before: the original face's embedding.
        after: the new face's.
        features: 3 x D float32: of the original, the anonymised and the pixelated crop.
    """

    before: Embedding
    after: Embedding
    features: Floats


@dataclass(frozen=True)
class Figures:
    """Figures of one large face.

    Attributes:
        detected: whether YuNet finds a face at the same place.
        hog_before: whether dlib's HOG finds the original.
        hog: whether it finds the new face.
        similarity: SFace's cosine of original and new face.
        distance: dlib's distance.
        skin: CIE76 distance of the inner face's mean colours.
        lightness: L of the original's, 0 to 100.
        typology_angle: of the original's, in degrees.
        expression_before: pose and expression of the original, None where the mesh sees no face in either.
        expression: the same of the new face.
        landmarks: mean distance of the meshes' points over the distance of the outer eye corners, None likewise.
    """

    detected: bool
    hog_before: bool
    hog: bool
    similarity: float
    distance: float
    skin: float
    lightness: float
    typology_angle: float
    expression_before: Expression | None
    expression: Expression | None
    landmarks: float | None


@dataclass(frozen=True, eq=False)
class MeasuredFace:
    """One face of an original.

    Attributes:
        photo: path relative to the folder.
        box: x0, y0, x1, y1 in pixels.
        change: mean change inside the box in grey levels.
        obscured: whether the run's report says that no new face was generated.
        figures: None for faces below 48 pixels.
        vectors: likewise.
    """

    photo: str
    box: Box
    change: float
    obscured: bool
    figures: Figures | None
    vectors: Vectors | None


@dataclass(frozen=True, eq=False)
class Measurement:
    """All faces; photos without a counterpart of the same size; each compared photo's change outside its faces, in grey levels."""

    faces: list[MeasuredFace]
    missing: list[str]
    outside: dict[str, float]

    @property
    def large(self) -> list[tuple[Figures, Vectors]]:
        """Figures and vectors of the faces of at least 48 pixels."""
        return [(f.figures, f.vectors) for f in self.faces if f.figures and f.vectors]


def read_run_report(path: Path) -> list[dict[str, Any]]:
    """The files of a run's report.json.

    Raises:
        MasqueradeError: it cannot be read.
    """
    try:
        return list(json.loads(path.read_text())["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MasqueradeError(f"{path} is not the report of a run; give the file that `masquerade --report` wrote.") from error


def measure(
    originals: Path,
    anonymised: Path,
    photos: Iterable[Path],
    instruments: Instruments,
    run_report: Sequence[dict[str, Any]] = (),
    largest_only: bool = False,
) -> Measurement:
    """Compares the photos of two folders.

    Args:
        originals: the folder before.
        anonymised: the folder after.
        photos: paths relative to both.
        instruments: what measures.
        run_report: the files of the run's report, for what was obscured.
        largest_only: leave all but the largest face of each photo out.

    Raises:
        MasqueradeError: no face was found in any original that has a counterpart.
    """
    measured = Measurement([], [], {})
    for photo in photos:
        original, output = read_photo(originals / photo), read_photo(anonymised / photo)
        if original is None or output is None or output.shape != original.shape:
            measured.missing.append(photo.as_posix())
            continue
        found = instruments.faces(original)
        measured.outside[photo.as_posix()] = change_outside(original, output, found)
        if largest_only:
            found = sorted(found, key=lambda f: f.width * f.height)[-1:]
        obscured = list(_obscured(run_report, photo))
        again = instruments.faces(output) if found else []
        for face in found:
            change = change_inside(original, output, face.box)
            is_obscured = any(iou(face.box, box) >= REPORTED_IOU for box in obscured)
            figures, vectors = _compare(original, output, face, again, instruments) if face.width >= SMALLEST_PX else (None, None)
            measured.faces.append(MeasuredFace(photo.as_posix(), face.box, change, is_obscured, figures, vectors))
    if not measured.faces:
        raise MasqueradeError("No face was found in any photo that both folders hold; give two folders whose photos have the same names and sizes.")
    return measured


def _compare(original: Pixels, output: Pixels, face: Face, again: list[Face], instruments: Instruments) -> tuple[Figures, Vectors]:
    best = max(again, key=lambda f: iou(face.box, f.box), default=None)
    new = best if best and iou(face.box, best.box) >= SAME_PLACE_IOU else None
    before, after = instruments.embed(original, face), instruments.embed(output, new or face)
    tone, new_tone = skin_tone(original, face), skin_tone(output, face)
    expressions = _expressions(instruments.mesh(original, face), instruments.mesh(output, new or face))
    figures = Figures(
        detected=new is not None,
        hog_before=before.hog,
        hog=after.hog,
        similarity=float(before.sface @ after.sface),
        distance=float(np.linalg.norm(before.dlib - after.dlib)),
        skin=float(np.linalg.norm(tone - new_tone)),
        lightness=float(tone[0]),
        typology_angle=typology_angle(tone),
        **expressions,
    )
    matrix = canonical_matrix(face, CROP_PX)
    crops = [take_crop(photo, matrix, CROP_PX).pixels for photo in (original, output, pixelated(original, face.box))]
    return figures, Vectors(before, after, instruments.features(crops))


class _Expressions(TypedDict):
    expression_before: Expression | None
    expression: Expression | None
    landmarks: float | None


def _expressions(before: Floats | None, after: Floats | None) -> _Expressions:
    """What two meshes say, or nothing where one of them is missing."""
    if before is None or after is None:
        return {"expression_before": None, "expression": None, "landmarks": None}
    eyes = float(np.linalg.norm(before[LEFT_EYE[0], :2] - before[RIGHT_EYE[1], :2]))
    apart = float(np.linalg.norm(before[:, :2] - after[:, :2], axis=1).mean())
    return {"expression_before": expression(before), "expression": expression(after), "landmarks": apart / max(eyes, 1e-6)}


def _obscured(run_report: Sequence[dict[str, Any]], photo: Path) -> Iterator[Box]:
    """The boxes of a photo's faces for which the report names no new face."""
    for entry in run_report:
        if Path(entry["input"]).parts[-len(photo.parts) :] == photo.parts:
            for face in entry["faces"]:
                if face["action"] != "generated":
                    x0, y0, x1, y1 = face["box"]
                    yield x0, y0, x1, y1
