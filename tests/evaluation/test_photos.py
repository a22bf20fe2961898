from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masquerade.errors import MasqueradeError
from masquerade.evaluation.photos import identities_in, photos_in, read_photo


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def test_photos_are_found_below_the_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "b.JPG", "deep/a.png", "notes.txt")
    assert photos_in(tmp_path) == [Path("b.JPG"), Path("deep/a.png")]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasqueradeError, match="no photo"):
        photos_in(tmp_path / "missing")


def test_people_are_known_by_folder_or_name(tmp_path: Path) -> None:
    _touch(tmp_path, "Ann_Lee_0001.jpg", "Bob/x_1.jpg", "nobody.jpg")
    assert identities_in(tmp_path) == {Path("Ann_Lee_0001.jpg"): "Ann_Lee", Path("Bob/x_1.jpg"): "Bob"}


def test_a_table_of_people_comes_first(tmp_path: Path) -> None:
    _touch(tmp_path, "a_1.jpg", "b_1.jpg")
    (tmp_path / "identity.csv").write_text("file,identity\na_1.jpg,42\n")
    assert identities_in(tmp_path) == {Path("a_1.jpg"): "42"}


def test_photos_are_read_as_rgb(tmp_path: Path) -> None:
    bgr = np.zeros((4, 4, 3), np.uint8)
    bgr[..., 0] = 255
    cv2.imwrite(str(tmp_path / "blue.png"), bgr)
    photo = read_photo(tmp_path / "blue.png")
    assert photo is not None
    assert photo[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("content", [b"", b"no photo"])
def test_what_is_no_photo_gives_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_photo(tmp_path / "a.jpg") is None
    assert read_photo(tmp_path / "missing.jpg") is None
