"""What an anonymiser is made of: handed in together, so that each part can be another one in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from masquerade.audit import Detector, Recognizer
from masquerade.faces.detection import FaceDetector
from masquerade.faces.placing import UPRIGHT, Placement
from masquerade.faces.recognition import SFace
from masquerade.faces.second_opinion import SecondOpinion
from masquerade.faces.yunet import YuNet
from masquerade.generation.belonging import Belonging
from masquerade.generation.foresight import Foresight
from masquerade.generation.identity import IdentityBank
from masquerade.generation.replacement import Measured, ReadBack, Reading, Replacement, Rough, ShapeSource
from masquerade.generation.superresolution import Detailed
from masquerade.types import Crop, Face, Floats, Identity, Pixels


@dataclass(frozen=True, eq=False)
class Parts:
    """What an `Anonymizer` is made of.

    Attributes:
        detector: finds faces in whole photos.
        checker: a second, quick detector, which says whether a replacement looks like a face.
        recognizer: describes people, for the audit and for keys.
        replacement: draws new faces; None where every face is obscured.
        second: beside the recognizer, how much new faces resemble the person; None does without.
        foresight: which identities are worth drawing; None draws all.
        belonging: how much new faces look like their heads' own; None does not ask.
        threads: how many things are done at once.
    """

    detector: Detector
    checker: Detector
    recognizer: Recognizer
    replacement: FaceDrawer | None
    second: Resemblance | None = None
    foresight: Foresight | None = None
    belonging: Looks | None = None
    threads: int = 1

    @classmethod
    def shipped(cls, threads: int, shape: ShapeSource, with_networks: bool) -> Parts:
        """YuNet, SFace and our own networks.

        Raises:
            DamagedWeights: a network's file is missing or damaged.
        """
        # The small networks look at several faces at once, each in one thread.
        detector, checker, recognizer = FaceDetector(threads), YuNet(0.6), SFace(1)
        if not with_networks:
            return cls(detector, checker, recognizer, None, threads=threads)
        drawer = Replacement(threads, shape)
        return cls(detector, checker, recognizer, drawer, SecondOpinion(1), Foresight(), Belonging(1), threads)


class Resemblance(Protocol):
    """What compares new faces with a person, such as `SecondOpinion`."""

    def __call__(self, person: Pixels, faces: Pixels) -> Floats: ...


class Looks(Protocol):
    """What tells how much new faces look like their heads' own, such as `Belonging`."""

    def __call__(self, crops: Pixels) -> Floats: ...


class FaceDrawer(Protocol):
    """What draws faces, such as `Replacement`."""

    @property
    def bank(self) -> IdentityBank: ...

    def placement(self, photo: Pixels, face: Face, upright: float = UPRIGHT) -> Placement: ...

    def crop(self, photo: Pixels, face: Face) -> Crop: ...

    def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None: ...

    def measure(self, crop: Crop) -> Measured: ...

    def conditions(self, faces: Pixels) -> Floats: ...

    def reading(
        self, crop: Crop, shares: Floats, condition: Floats, sure: bool = False, dark: bool = False, scene: Crop | None = None
    ) -> Reading | None: ...

    def draw(
        self,
        crop: Crop,
        reading: Reading,
        identities: Sequence[Identity],
        previous: tuple[Floats, Floats] | None = None,
        temporal: bool = False,
    ) -> Floats: ...

    def rough(self, reading: Reading, identities: Sequence[Identity]) -> Rough: ...

    def harmonised(
        self, crop: Crop, reading: Reading, rough: Rough, previous: tuple[Floats, Floats] | None = None, temporal: bool = False
    ) -> Floats: ...

    def read_back(self, faces: Pixels, reading: Reading, identities: Sequence[Identity]) -> list[ReadBack]: ...

    def detailed(self, photo: Pixels, matrix: NDArray[np.float64], reading: Reading, face: Floats) -> Detailed: ...
