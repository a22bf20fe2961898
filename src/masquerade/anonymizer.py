"""One photo from pixels to pixels: find, crop, read, draw, lay, audit; obscure what cannot be replaced."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from masquerade.audit import Audit, Detector
from masquerade.faces.alignment import TEMPLATE
from masquerade.faces.geometry import shifted
from masquerade.faces.placing import placed
from masquerade.faces.recognition import THRESHOLD
from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.replacement import Reading, ShapeSource
from masquerade.generation.search import Search
from masquerade.keys import PersonKey
from masquerade.limits import (
    AUDIT_MARGIN,
    CANDIDATES,
    FITTING_ROUNDS,
    LEAST_INSIDE,
    LEAST_VISIBLE,
    ROUNDS,
    SMALLEST_PX,
    SURE_INSIDE,
    SURE_SCORE,
)
from masquerade.masks import share_inside
from masquerade.obscuring import Method as ObscuringMethod
from masquerade.obscuring import obscure
from masquerade.parts import Parts
from masquerade.trying import FaceTrial
from masquerade.types import Box, Crop, Face, FaceReport, Floats, Pixels, Result

if TYPE_CHECKING:
    from masquerade.video import ClipResult, Progress, VideoOptions

Method = Literal["generate", "blur", "pixelate", "solid"]

LAST_LOOKS = 4
"""So often a finished photo is looked at as a whole; whose new face is recognised the last time is obscured."""

OBSCURED_BY: tuple[ObscuringMethod, ...] = (*("sketch",) * 8, *("pixelate", "blur") * 8, "solid")
"""How a face that cannot be replaced is obscured, in the order in which it is tried; every time with other noise."""


@dataclass(frozen=True, eq=False)
class _Found:
    """A face of a photo, its crop and what was read in it; neither where no new face can be drawn."""

    face: Face
    crop: Crop | None = None
    reading: Reading | None = None
    why_not: str = ""


class Anonymizer:
    """Replaces every face in photos by the face of a person who does not exist.

    Args:
        method: "generate", or obscure every face by "blur", "pixelate" or "solid".
        shape: "drawn" draws the inner parsing map anew (ShapeVAE); "own" keeps the person's, as in the paper: for comparison.
        seed: makes a run reproducible; None draws from the system's randomness.
        key: gives one person the same new face across photos; whoever has the key can link outputs.
        threads: how many threads the networks may use.
        temporal: whether clips are drawn by the network that knows the frame before; without it as photos, for comparison.
        parts: what finds, draws and recognises; None takes what is shipped.
    """

    def __init__(
        self,
        method: Method = "generate",
        shape: ShapeSource = "drawn",
        seed: int | None = None,
        key: bytes | None = None,
        threads: int = 2,
        parts: Parts | None = None,
        temporal: bool = True,
    ) -> None:
        parts = parts or Parts.shipped(threads, shape, with_networks=method == "generate")
        self._method, self._seed, self._parts, self._temporal = method, seed, parts, temporal
        self._detector, self._replacement = parts.detector, parts.replacement
        self._audit = Audit(parts.recognizer, parts.checker, THRESHOLD, AUDIT_MARGIN)
        self._person_key = PersonKey(key, parts.recognizer) if key else None

    def photo(self, rgb: Pixels, boxes: Sequence[Box] | None = None) -> Result:
        """Anonymises a photo.

        Args:
            rgb: RGB uint8, height x width x 3.
            boxes: faces to replace, x0, y0, x1, y1; None finds them.

        Returns:
            The anonymised pixels, and what became of every face.
        """
        faces = self._detector(rgb) if boxes is None else [_face_in(self._detector, rgb, box) for box in boxes]
        entropy = secrets.randbits(64) if self._seed is None else _seed_of(self._seed, rgb)
        pixels = rgb.copy()
        seeds = [[self._person_key.seed(rgb, face)] if self._person_key else [entropy, index] for index, face in enumerate(faces)]
        found = [self._look_at(rgb, face) for face in faces]
        reports: dict[int, FaceReport] = {}
        # What is obscured, and who is farther away, must not cover the new faces before them.
        for index in sorted(range(len(faces)), key=lambda i: (found[i].reading is not None, faces[i].width)):
            reports[index] = self._face(rgb, pixels, found[index], np.random.default_rng(seeds[index]))
        self._look_again(rgb, pixels, found, reports, seeds)
        return Result(pixels, tuple(reports[index] for index in range(len(faces))))

    def _look_again(
        self, original: Pixels, pixels: Pixels, found: Sequence[_Found], reports: dict[int, FaceReport], seeds: Sequence[Sequence[int]]
    ) -> None:
        """Looks at the photo as it will be given away; whoever still is recognised in it gets another face, or is obscured once more. In place."""
        if self._method != "generate" or not found:
            return
        for attempt in range(1, LAST_LOOKS + 1):
            similarities = self._audit.last_look(original, pixels, [f.face for f in found])
            alike = [index for index, s in enumerate(similarities) if s is not None and not self._audit.passes(s)]
            if not alike:
                break
            for index in alike:
                rng, report = np.random.default_rng([*seeds[index], attempt]), reports[index]
                if report.action == "generated" and attempt < LAST_LOOKS:
                    reports[index] = self._face(original, pixels, found[index], rng)
                else:
                    reason = report.reason or "audit: still alike"
                    reports[index] = self._obscured(original, pixels, found[index].face, reason, report.attempts + 1, rng)

    def people(self, photo: Pixels) -> list[Floats]:
        """Unit vectors of everybody on a photo, for those who are to be kept in a clip."""
        return [self._parts.recognizer.embed(photo, face) for face in self._detector(photo)]

    def video(
        self,
        source: Path,
        target: Path,
        options: VideoOptions | None = None,
        on_progress: Progress = lambda stage, done, total: None,
        on_faces: Callable[[Sequence[FaceReport]], None] = lambda reports: None,
    ) -> ClipResult:
        """Anonymises a clip; see `masquerade.video.anonymize_video` for what is written and raised."""
        # Photos do not wait for what follows faces through clips: it takes half a second to load.
        from masquerade.clip_anonymizer import ClipAnonymizer
        from masquerade.video import VideoOptions, anonymize_video

        seed = None if self._seed is None else _seed_of_file(self._seed, source)
        clip = ClipAnonymizer(self._parts, self._method, seed, self._temporal)
        return anonymize_video(source, target, clip, YuNet(0.3), self._parts.recognizer.embed, options or VideoOptions(), on_progress, on_faces)

    def _look_at(self, photo: Pixels, face: Face) -> _Found:
        """What there is to go by for a new face, or why there cannot be one."""
        if self._replacement is None:
            return _Found(face, why_not="method")
        if min(face.width, face.height) < SMALLEST_PX:
            return _Found(face, why_not="too small")
        face = placed(face, self._replacement.placement(photo, face))
        crop = self._replacement.crop(photo, face)
        if share_inside(crop.inside) < LEAST_INSIDE:
            return _Found(face, why_not="mostly outside the picture")
        sure = face.score >= SURE_SCORE and share_inside(crop.inside) >= SURE_INSIDE
        reading = self._replacement.read(crop, sure, scene=scene_of(photo, crop))
        if reading is None:
            return _Found(face, why_not="no face for the parser")
        if reading.visible < LEAST_VISIBLE:
            return _Found(face, why_not="mostly hidden")
        return _Found(face, crop, reading)

    def _face(self, original: Pixels, pixels: Pixels, found: _Found, rng: np.random.Generator) -> FaceReport:
        """Replaces or obscures one face, in place."""
        face, crop, reading = found.face, found.crop, found.reading
        if self._replacement is None or crop is None or reading is None:
            return self._obscured(original, pixels, face, found.why_not, 0, rng)
        bank, around = self._replacement.bank, reading.around
        trial = FaceTrial(self._audit, self._parts, original, pixels, face, crop, reading, first=self._person_key is not None)
        search = Search(lambda: bank.draw(around, rng), rng, trial.foresee, breeds=self._person_key is None, learns=True)
        for attempt in range(1, ROUNDS + 1):
            if attempt == FITTING_ROUNDS + 1:
                around = replace(around, age=None)
            if attempt == 2 * FITTING_ROUNDS + 1:
                around = replace(around, female=None)
            passed = trial.round(search, CANDIDATES)
            if passed:
                x0, y0, x1, y1 = passed.box
                pixels[y0:y1, x0:x1] = passed.pixels
                return FaceReport(face.box, "generated", "", _rounded(passed.similarity), attempt)
        return self._obscured(original, pixels, face, "audit: still alike" if trial.seen else "audit: not a face", ROUNDS, rng)

    def _obscured(self, original: Pixels, pixels: Pixels, face: Face, reason: str, attempts: int, rng: np.random.Generator) -> FaceReport:
        """Obscures one face, in place; in another way where the audit still sees the person. If it always does, the least alike one stays."""
        if self._method != "generate":
            obscure(pixels, face, self._method, rng)
            return FaceReport(face.box, "obscured", reason, _rounded(self._audit.similarity(original, pixels, face)), attempts)
        before = pixels.copy()
        least: tuple[float, Pixels] | None = None
        for method in OBSCURED_BY:
            pixels[...] = before
            obscure(pixels, face, method, rng)
            similarity = self._audit.similarity(original, pixels, face)
            if self._audit.passes(similarity):
                return FaceReport(face.box, "obscured", reason, _rounded(similarity), attempts)
            if similarity is not None and (least is None or similarity < least[0]):
                least = similarity, pixels.copy()
        if least is not None:
            pixels[...] = least[1]
        return FaceReport(face.box, "obscured", reason, None if least is None else _rounded(least[0]), attempts)


def _face_in(detector: Detector, photo: Pixels, box: Box) -> Face:
    """The face in a box that was handed in: as the detector sees it there, else with the landmarks of an average face."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    left, top = max(int(x0 - 0.5 * width), 0), max(int(y0 - 0.5 * height), 0)
    near = photo[top : int(y1 + 0.5 * height) + 1, left : int(x1 + 0.5 * width) + 1]
    found = [shifted(f, left, top) for f in detector(near)] if min(near.shape[:2]) > 0 else []
    inside = [f for f in found if x0 < f.landmarks[:, 0].mean() < x1 and y0 < f.landmarks[:, 1].mean() < y1]
    if inside:
        return replace(max(inside, key=lambda f: f.width * f.height), box=box)
    # An average face fills its box so that the template's square is 1.75 times as wide and lies around the nose.
    middle, side = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), 1.75 * width
    landmarks = middle + (TEMPLATE - TEMPLATE[2] - [0, -0.01]) * side
    return Face(box, landmarks.astype(np.float32), 0.0)


def _seed_of(seed: int, rgb: Pixels) -> int:
    """One seed for each photo: independent of order, and no two photos share a person by it."""
    digest = hashlib.sha256(f"{seed} {rgb.shape}".encode())
    digest.update(rgb.tobytes())
    return int.from_bytes(digest.digest()[:8], "big")


def _seed_of_file(seed: int, path: Path) -> int:
    with path.open("rb") as file:
        digest = hashlib.sha256(f"{seed} ".encode() + file.read(2**20))
    return int.from_bytes(digest.digest()[:8], "big")


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
