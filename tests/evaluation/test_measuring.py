from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from masquerade.errors import MasqueradeError
from masquerade.evaluation.measuring import Instruments, Measurement, measure, read_run_report
from masquerade.evaluation.summary import as_record, summarise
from masquerade.evaluation.thresholds import Thresholds
from masquerade.types import Pixels

Measured = Callable[..., Measurement]


@pytest.fixture
def measured(tmp_path: Path, photo: Pixels, save: Callable[[Path, Pixels], None], instruments: Instruments) -> Measured:
    """Measures two folders of one photo each: the plain one, and one with its face in another colour or with noise in its place."""

    def run(new: tuple[int, int, int] | None, **options: object) -> Measurement:
        output = photo.copy()
        output[40:110, 40:100] = np.random.default_rng(5).integers(0, 255, (70, 60, 3)) if new is None else new
        save(tmp_path / "before" / "a.png", photo)
        save(tmp_path / "after" / "a.png", output)
        return measure(tmp_path / "before", tmp_path / "after", [Path("a.png")], instruments, **options)  # type: ignore[arg-type]

    return run


def test_an_unchanged_face_is_seen_as_such(measured: Measured) -> None:
    summary = summarise(measured((200, 150, 120)), Thresholds(), with_obscured=False)
    assert summary["unchanged"] == 1
    assert summary["sface_accept"] == 1
    assert summary["dlib_accept"] == 1
    assert summary["skin_median"] == 0
    assert summary["landmarks"] == 0
    assert summary["outside_max"] == 0
    assert summary["obscured"] is None


def test_a_new_face_is_found_and_is_another(measured: Measured) -> None:
    summary = summarise(measured((10, 20, 250)), Thresholds(), with_obscured=False)
    assert summary["unchanged"] == 0
    assert summary["detected"] == 1
    assert summary["sface_accept"] == 0
    assert summary["skin_median"] > 50


def test_a_face_that_is_gone_is_not_found(measured: Measured) -> None:
    assert summarise(measured(None), Thresholds(), with_obscured=False)["detected"] == 0


@pytest.mark.parametrize(("action", "expected"), [("obscured", 1), ("generated", 0)])
@pytest.mark.parametrize("entry", ["a.png", "/somewhere/before/a.png"])
def test_the_runs_report_tells_what_was_obscured(measured: Measured, action: str, expected: int, entry: str) -> None:
    run_report = [{"input": entry, "faces": [{"box": [42, 42, 98, 108], "action": action}]}, {"input": "b.png", "faces": []}]
    assert summarise(measured((10, 20, 250), run_report=run_report), Thresholds(), with_obscured=True)["obscured"] == expected


def test_photos_without_a_counterpart_are_missing(
    tmp_path: Path, photo: Pixels, save: Callable[[Path, Pixels], None], instruments: Instruments
) -> None:
    for name in ("same", "smaller", "alone"):
        save(tmp_path / "before" / f"{name}.png", photo)
    save(tmp_path / "after" / "same.png", photo)
    save(tmp_path / "after" / "smaller.png", photo[:100])
    found = measure(tmp_path / "before", tmp_path / "after", [Path(f"{n}.png") for n in ("same", "smaller", "alone")], instruments)
    assert found.missing == ["smaller.png", "alone.png"]
    assert len(found.faces) == 1


def test_no_face_at_all_is_an_error(tmp_path: Path, instruments: Instruments) -> None:
    with pytest.raises(MasqueradeError, match="same names"):
        measure(tmp_path, tmp_path, [Path("a.png")], instruments)


def test_records_are_json_without_embeddings(measured: Measured) -> None:
    record = json.loads(json.dumps(as_record(measured((10, 20, 250)).faces[0])))
    assert record["photo"] == "a.png"
    assert record["expression"]["yaw"] == record["expression_before"]["yaw"]
    assert not any(isinstance(value, list) and len(value) > 4 for value in record.values())


def test_a_wrong_run_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(MasqueradeError, match="--report"):
        read_run_report(tmp_path / "report.json")
