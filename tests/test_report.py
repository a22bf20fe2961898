"""The report and the summary say what became of every face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from masquerade.errors import UnwritableOutput
from masquerade.report import FileReport, refuse_other_than_report, summary, write_report
from masquerade.types import FaceReport

GENERATED = FaceReport((1.04, 2, 30.5, 40), "generated", "", 0.12345678, 2)
TINY = FaceReport((np.float32(0.1), 0, 9, 9), "obscured", "too small", None, 0, frame=3, track=7)  # type: ignore[arg-type]
ALIKE = FaceReport((0, 0, 90, 90), "obscured", "audit: still alike", float("nan"), 3)
KEPT = FaceReport((0, 0, 90, 90), "kept", "", None, 0)


def file(*faces: FaceReport) -> FileReport:
    return FileReport(Path("in/a.jpg"), Path("out/a.jpg"), 1, faces)


def test_report(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write_report(path, [file(GENERATED, TINY)], {Path("b.jpg"): "b.jpg is empty."})
    assert json.loads(path.read_text()) == {
        "files": [
            {
                "input": "in/a.jpg",
                "output": "out/a.jpg",
                "frames": 1,
                "faces": [
                    {
                        "frame": 0,
                        "track": None,
                        "box": [1.0, 2.0, 30.5, 40.0],
                        "action": "generated",
                        "reason": "",
                        "similarity": 0.1235,
                        "attempts": 2,
                    },
                    {
                        "frame": 3,
                        "track": 7,
                        "box": [0.1, 0.0, 9.0, 9.0],
                        "action": "obscured",
                        "reason": "too small",
                        "similarity": None,
                        "attempts": 0,
                    },
                ],
            }
        ],
        "failed": [{"input": "b.jpg", "error": "b.jpg is empty."}],
    }
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_report_is_json_for_everybody(tmp_path: Path) -> None:
    """No NaN, and names of files that are no text."""
    path = tmp_path / "report.json"
    write_report(path, [FileReport(Path("\udcff.jpg"), Path("ü.jpg"), 1, (ALIKE,))], {})
    assert path.read_bytes().isascii()
    assert "NaN" not in path.read_text()
    assert "failed" not in json.loads(path.read_text())


def test_report_takes_the_place_of_a_report_only(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    refuse_other_than_report(path)
    write_report(path, [], {})
    refuse_other_than_report(path)
    for content in (b"my notes", b"[]", b"{}", b"\xff\xd8\xff"):
        path.write_bytes(content)
        with pytest.raises(UnwritableOutput, match="is no report"):
            refuse_other_than_report(path)


@pytest.mark.parametrize(
    ("files", "failed", "expected"),
    [
        ([], {}, "0 files, 0 faces generated, 0 obscured, 1.5 s"),
        ([file(GENERATED)], {}, "1 file, 1 face generated, 0 obscured, 1.5 s"),
        (
            [file(GENERATED, TINY, TINY), file(ALIKE, GENERATED, KEPT), file()],
            {Path("b"): "no"},
            "3 files, 2 faces generated, 3 obscured (too small: 2, audit: still alike: 1), 1 kept, no face found in 1 file, 1 failed, 1.5 s",
        ),
    ],
)
def test_summary(files: list[FileReport], failed: dict[Path, str], expected: str) -> None:
    assert summary(files, failed, 1.52) == expected
