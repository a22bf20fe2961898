from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from masquerade.evaluation.measuring import Instruments, measure
from masquerade.evaluation.report import as_text, write_page
from masquerade.evaluation.summary import summarise
from masquerade.evaluation.thresholds import Thresholds
from masquerade.types import Pixels


@pytest.fixture
def page(tmp_path: Path, photo: Pixels, save: Callable[[Path, Pixels], None], instruments: Instruments) -> str:
    for name in ("a<b>.png", "c.png"):
        save(tmp_path / "before" / name, photo)
        save(tmp_path / "after" / name, photo // 2)
    measured = measure(tmp_path / "before", tmp_path / "after", [Path("a<b>.png"), Path("c.png")], instruments)
    summary = summarise(measured, Thresholds(), with_obscured=False)
    write_page(tmp_path / "page.html", summary, {"An attack": {"chance": 0.5}}, measured, tmp_path / "before", tmp_path / "after")
    return (tmp_path / "page.html").read_text()


def test_the_page_holds_figures_attacks_and_pictures(page: str) -> None:
    assert "found again at the same place" in page
    assert "An attack" in page
    assert page.count("data:image/jpeg;base64,") >= 8


def test_the_page_needs_no_other_file(page: str) -> None:
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)', page))
    assert "<script" not in page


def test_names_of_files_cannot_write_html(page: str) -> None:
    assert "a<b>" not in page
    assert "a&lt;b&gt;.png" in page


def test_figures_that_are_missing_are_left_out_of_the_text() -> None:
    text = as_text({"detected": 0.5, "obscured": None, "skin_by_lightness": [1.0, None, 3.0]}, {})
    assert "50.0%" in text
    assert "obscured" not in text
    assert "1.0, -, 3.0" in text
