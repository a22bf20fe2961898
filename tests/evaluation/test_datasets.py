from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from masquerade.errors import MasqueradeError
from masquerade.evaluation.datasets import build, main


def _tar(path: Path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Packs whose "photos" hold their own names."""
    folder = tmp_path / "data"
    (folder / "portraits").mkdir(parents=True)
    (folder / "portraits" / "p.jpg").write_text("p")
    (folder / "portraits" / "portraits.csv").write_text("file\n")
    lfw = [f"lfw/P_{n:03}/P_{n:03}_{photo:04}.jpg" for n in range(400) for photo in range(1, 2 + n % 2)]
    _tar(folder / "lfw.tar", {name: name for name in lfw} | {"pairs.txt": ""})
    celeba = {"images/1.jpg": "one", "images/2.jpg": "two", "identity.csv": "file,identity,split\n1.jpg,77,test\n2.jpg,78,train\n"}
    _tar(folder / "celeba.tar", celeba)
    return folder


def test_sets_are_plain_folders_of_photos(data: Path, tmp_path: Path) -> None:
    assert build(data, tmp_path / "out") == {"portraits": 1, "lfw": 300, "celeba-test": 1}
    assert [p.name for p in (tmp_path / "out" / "portraits").iterdir()] == ["p.jpg"]
    assert (tmp_path / "out" / "celeba-test" / "77_1.jpg").read_text() == "one"


def test_lfw_is_300_photos_of_250_people_and_always_the_same(data: Path, tmp_path: Path) -> None:
    build(data, tmp_path / "a")
    build(data, tmp_path / "b")
    names = {p.name for p in (tmp_path / "a" / "lfw").iterdir()}
    assert names == {p.name for p in (tmp_path / "b" / "lfw").iterdir()}
    assert len({name.rpartition("_")[0] for name in names}) == 250


def test_no_pack_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MasqueradeError, match="no pack"):
        build(tmp_path, tmp_path / "out")
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
