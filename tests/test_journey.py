"""From a photo to an anonymised photo with everything that is shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

from masquerade import Anonymizer
from masquerade.cli import main
from masquerade.faces.recognition import THRESHOLD, SFace
from masquerade.faces.yunet import YuNet


def test_an_astronaut_gets_another_face() -> None:
    photo = astronaut()
    result = Anonymizer(seed=3, threads=1).photo(photo)
    (report,) = result.faces
    assert report.action == "generated"
    (before,), (after,) = YuNet(0.6)(photo), YuNet(0.6)(result.pixels)
    assert np.abs(np.array(before.box) - np.array(after.box)).max() < 0.2 * before.width
    sface = SFace()
    assert float(sface.embed(photo, before) @ sface.embed(result.pixels, after)) < THRESHOLD
    x0, y0, x1, y1 = (int(v) for v in before.box)
    margin = int(0.6 * (y1 - y0))
    outside = np.ones(photo.shape[:2], bool)
    outside[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = False
    assert np.array_equal(photo[outside], result.pixels[outside])


def test_the_command_writes_photo_and_report(tmp_path: Path) -> None:
    Image.fromarray(astronaut()).save(tmp_path / "in.png")
    out, report = tmp_path / "out.png", tmp_path / "report.json"
    assert main([str(tmp_path / "in.png"), "--output", str(out), "--report", str(report), "--seed", "3", "--quiet"]) == 0
    assert Image.open(out).size == (512, 512)
    (entry,) = json.loads(report.read_text())["files"]
    assert entry["frames"] == 1 and len(entry["faces"]) == 1
    assert set(entry["faces"][0]) == {"frame", "track", "box", "action", "reason", "similarity", "attempts"}
    again = tmp_path / "again.png"
    assert main([str(tmp_path / "in.png"), "--output", str(again), "--seed", "3", "--quiet"]) == 0
    assert out.read_bytes() == again.read_bytes()
