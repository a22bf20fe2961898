"""Attacks on anonymised photos: a recogniser that learned from anonymised faces, and the search for training people in new faces.

Source of the first: Newton, Sweeney and Malin, "Preserving privacy by de-identifying face images" (2005), where it is called parrot recognition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.evaluation.metrics import distances_between
from masquerade.evaluation.photos import photos_in, read_photo
from masquerade.evaluation.recognisers import Embedding
from masquerade.types import Face, Pixels

Vectors = NDArray[np.floating]

STRANGERS_QUANTILE = 0.01
"""New faces may be as near to a training person as the nearest hundredth of the strangers."""


@dataclass(frozen=True)
class Parrot:
    """How often an attacker names the person on an anonymised photo, 0 to 1.

    Attributes:
        people: how many there are to choose from.
        chance: how often guessing is right.
        nearest: the person of the nearest anonymised photo that the attacker knows.
        learned: the same by linear discriminant analysis, trained on these photos.
        nearest_originals: the first on photos that nobody anonymised.
        learned_originals: the second likewise.
    """

    people: int
    chance: float
    nearest: float
    learned: float
    nearest_originals: float
    learned_originals: float


@dataclass(frozen=True)
class Memory:
    """How near new faces come to the people of the training, beside strangers who come near by accident; distances of embeddings.

    Attributes:
        nearest_person: of all new faces to all training people.
        nearest_of_strangers: the same of real people who were not trained on.
        median: of each new face to the training person nearest to it.
        median_of_strangers: the same.
        share_near: new faces nearer than the nearest hundredth of strangers; 0.01 is to be expected.
    """

    nearest_person: float
    nearest_of_strangers: float
    median: float
    median_of_strangers: float
    share_near: float


def parrot(people: Sequence[str], before: Vectors, after: Vectors) -> Parrot:
    """Every other photo of each person is known to the attacker, the rest is attacked.

    Args:
        people: who is on each photo; people with one photo are left out.
        before: N x D embeddings of the originals.
        after: N x D, of the anonymised photos.

    Raises:
        MasqueradeError: fewer than two people have two photos, or scikit-learn is missing.
    """
    known, attacked = _halves(people)
    names = np.asarray(people)
    if len(set(names[known])) < 2:
        raise MasqueradeError(
            "The attack needs two photos each of at least two people; name them <person>_<number>.jpg or use a folder for each person."
        )
    count = len(set(names[known]))
    rates = [rate(v[known], names[known], v[attacked], names[attacked]) for v in (after, before) for rate in (_nearest_rate, _learned_rate)]
    return Parrot(count, 1 / count, *rates)


def memory(training: Vectors, strangers: Vectors, new: Vectors) -> Memory:
    """Whether new faces remember training people.

    Args:
        training: T x D embeddings of the training people.
        strangers: N x D, of real people who were not trained on.
        new: M x D, of new faces.
    """
    near_new, near_strangers = distances_between(new, training).min(1), distances_between(strangers, training).min(1)
    return Memory(
        nearest_person=float(near_new.min()),
        nearest_of_strangers=float(near_strangers.min()),
        median=float(np.median(near_new)),
        median_of_strangers=float(np.median(near_strangers)),
        share_near=float((near_new < np.quantile(near_strangers, STRANGERS_QUANTILE)).mean()),
    )


def training_faces(
    folder: Path, faces: Callable[[Pixels], list[Face]], embed: Callable[[Pixels, Face], Embedding], limit: int | None = None
) -> list[Embedding]:
    """Embeds the people of a training folder.

    Args:
        folder: photos, or what `masquerade train prepare` made of them (`crops.npy`).
        faces: the detector; the largest face of each photo is taken.
        embed: the recognisers.
        limit: how many photos to take, spread over the folder; all by default.

    Raises:
        MasqueradeError: there is no face.
    """
    found = []
    for picture in _pictures(folder, limit):
        face = max(faces(picture), key=lambda f: f.width * f.height, default=None)
        if face is not None:
            found.append(embed(picture, face))
    if not found:
        raise MasqueradeError(f"There is no face in {folder}; give the photos that the networks were trained on.")
    return found


def _pictures(folder: Path, limit: int | None) -> Iterator[Pixels]:
    if (folder / "crops.npy").exists():
        crops = np.load(folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        yield from (np.array(crop, np.uint8) for crop in crops[:: _step(len(crops), limit)])
        return
    paths = photos_in(folder)
    photos = (read_photo(folder / path) for path in paths[:: _step(len(paths), limit)])
    yield from (photo for photo in photos if photo is not None)


def _step(count: int, limit: int | None) -> int:
    return 1 if limit is None else max(1, -(-count // limit))


def _halves(people: Sequence[str]) -> tuple[list[int], list[int]]:
    """Rows known to the attacker and rows under attack: every person with two photos has both."""
    rows: dict[str, list[int]] = {}
    for row, person in enumerate(people):
        rows.setdefault(person, []).append(row)
    several = [own for own in rows.values() if len(own) > 1]
    return [row for own in several for row in islice(own, 0, None, 2)], [row for own in several for row in islice(own, 1, None, 2)]


def _nearest_rate(known: Vectors, names: NDArray[np.str_], attacked: Vectors, truth: NDArray[np.str_]) -> float:
    return float((names[distances_between(attacked, known).argmin(1)] == truth).mean())


def _learned_rate(known: Vectors, names: NDArray[np.str_], attacked: Vectors, truth: NDArray[np.str_]) -> float:
    if find_spec("sklearn") is None:
        raise MasqueradeError("The attack needs scikit-learn: run `pip install scikit-learn`.")
    from sklearn.covariance import ledoit_wolf

    people, whose = np.unique(names, return_inverse=True)
    means = np.stack([known[whose == person].mean(0) for person in range(len(people))])
    # Few photos of each person: their common covariance, shrunk.
    within = ledoit_wolf(known - means[whose], assume_centered=True)[0] + 1e-6 * np.eye(known.shape[1])
    whiten = np.linalg.inv(np.linalg.cholesky(within)).T
    return _nearest_rate(means @ whiten, people, attacked @ whiten, truth)
