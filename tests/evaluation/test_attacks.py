from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from masquerade.errors import MasqueradeError
from masquerade.evaluation.attacks import memory, parrot, training_faces
from masquerade.evaluation.measuring import Instruments
from masquerade.types import Pixels

PEOPLE = [f"person {n}" for n in range(20) for _ in range(4)]


def _photos(spread: float, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Four photos each of twenty people; a large spread hides who they are."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(20, 16)), 4, 0) + spread * rng.normal(size=(80, 16))


def test_the_parrot_names_people_who_leave_a_trace() -> None:
    found = parrot(PEOPLE, before=_photos(0.1), after=_photos(0.5))
    assert found.people == 20
    assert found.chance == pytest.approx(0.05)
    assert found.nearest_originals == 1
    assert found.learned_originals == 1
    assert found.learned >= found.nearest > 0.5


def test_the_parrot_guesses_where_there_is_no_trace() -> None:
    found = parrot(PEOPLE, before=_photos(0.1), after=np.random.default_rng(3).normal(size=(80, 16)))
    assert found.nearest < 0.25
    assert found.learned < 0.25


def test_learning_finds_the_directions_that_tell_people_apart() -> None:
    photos = _photos(0.3)
    noise = 3 * np.random.default_rng(1).normal(size=(80, 4))
    found = parrot(PEOPLE, before=photos, after=np.column_stack([photos, noise]))
    assert found.learned > found.nearest + 0.3


def test_the_parrot_needs_two_photos_of_two_people() -> None:
    with pytest.raises(MasqueradeError, match="two photos"):
        parrot(["a", "a", "b"], np.eye(3), np.eye(3))


def test_memory_tells_copies_of_training_people_from_strangers() -> None:
    rng = np.random.default_rng(0)
    training, strangers, new = rng.normal(size=(200, 16)), rng.normal(size=(300, 16)), rng.normal(size=(300, 16))
    copies = np.repeat(training[:100], 3, 0) + 0.1 * new
    assert memory(training, strangers, new).share_near == pytest.approx(0.01, abs=0.02)
    assert memory(training, strangers, copies).share_near == 1
    assert memory(training, strangers, copies).nearest_person < memory(training, strangers, copies).nearest_of_strangers


def test_training_faces_come_from_photos_or_prepared_crops(
    tmp_path: Path, photo: Pixels, save: Callable[[Path, Pixels], None], instruments: Instruments
) -> None:
    for number in range(4):
        save(tmp_path / "photos" / f"{number}.png", photo)
    (tmp_path / "prepared").mkdir()
    np.save(tmp_path / "prepared" / "crops.npy", np.stack([photo] * 6))
    assert len(training_faces(tmp_path / "photos", instruments.faces, instruments.embed)) == 4
    assert len(training_faces(tmp_path / "prepared", instruments.faces, instruments.embed, limit=2)) == 2


def test_a_training_folder_without_faces_is_refused(tmp_path: Path, save: Callable[[Path, Pixels], None], instruments: Instruments) -> None:
    save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8))
    with pytest.raises(MasqueradeError, match="no face"):
        training_faces(tmp_path, instruments.faces, instruments.embed)
