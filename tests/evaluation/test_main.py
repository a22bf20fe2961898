from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from masquerade.evaluation import __main__ as command
from masquerade.evaluation.measuring import Instruments
from masquerade.types import Pixels

Folders = tuple[Path, Path]


@pytest.fixture
def folders(
    tmp_path: Path, photo: Pixels, save: Callable[[Path, Pixels], None], instruments: Instruments, monkeypatch: pytest.MonkeyPatch
) -> Folders:
    """Two people with two photos each, before and after; made-up instruments."""
    monkeypatch.setattr(Instruments, "real", lambda: instruments)
    for person, red in (("a", 250), ("b", 10)):
        for number in (1, 2):
            photo[40:110, 40:100, 0] = red - number
            save(tmp_path / "before" / f"{person}_{number}.png", photo)
            save(tmp_path / "after" / f"{person}_{number}.png", 255 - photo)
    return tmp_path / "before", tmp_path / "after"


def test_everything_at_once(folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = map(str, folders)
    outputs = ["--json", str(tmp_path / "all.json"), "--report", str(tmp_path / "page.html")]
    assert command.main([before, after, *outputs, "--thresholds", "0.3,0.6", "--attack", "parrot", "--memory", before]) == 0
    written = json.loads((tmp_path / "all.json").read_text())
    assert written["summary"]["faces"] == 4
    assert written["summary"]["thresholds"] == [0.3, 0.6]
    assert len(written["faces"]) == 4
    assert len(written["attacks"]) == 4
    assert (tmp_path / "page.html").exists()
    assert "named by a recogniser trained" in capsys.readouterr().out


def test_the_limit_counts_photos(folders: Folders, tmp_path: Path) -> None:
    assert command.main([*map(str, folders), "--json", str(tmp_path / "all.json"), "--limit", "1"]) == 0
    assert json.loads((tmp_path / "all.json").read_text())["summary"]["photos"] == 1


@pytest.mark.parametrize("arguments", [["--thresholds", "x"], ["--run-report", "missing.json"], ["--lfw", "missing.tar"], ["--memory", "missing"]])
def test_wrong_input_is_one_sentence_and_exit_code_2(folders: Folders, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*map(str, folders), *arguments]) == 2
    assert capsys.readouterr().err.strip().startswith("masquerade: ")


def test_a_missing_folder_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "none"), str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
