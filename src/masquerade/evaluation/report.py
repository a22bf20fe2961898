"""The figures as text and as a page of their own, with pictures of the worst cases."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from masquerade.errors import MasqueradeError
from masquerade.evaluation.measuring import Figures, MeasuredFace, Measurement
from masquerade.evaluation.photos import read_photo
from masquerade.evaluation.summary import Summary, pose_difference
from masquerade.faces.alignment import take_crop
from masquerade.types import Pixels

TEMPLATE = "report.html.jinja"
SHOWN_PX, SHOWN_IN_BOXES, JPEG_QUALITY = 176, 2.0, 85


@dataclass(frozen=True)
class Line:
    """One figure of the report: its name in the summary, its words, what is wanted, how it is written, what it is compared with."""

    key: str
    words: str
    wanted: str = ""
    form: str = "{:.3f}"
    beside: str = ""


LINES = (
    Line("faces", "faces found in the originals", form="{}"),
    Line("faces_48", "of them at least 48 pixels wide; all shares are of these", form="{}"),
    Line("unchanged", "faces left unchanged", "0", "{}"),
    Line("obscured", "obscured instead of replaced", "≤ 3%", "{:.1%}"),
    Line("outside_max", "largest change outside the faces of one photo, grey levels", "≤ 1", "{:.2f}"),
    Line("detected", "found again at the same place, YuNet", "≥ 98%", "{:.1%}"),
    Line("hog", "found again, dlib HOG, of those it found before", "≥ 95%", "{:.1%}"),
    Line("sface_accept", "still verified as the person, SFace", "0%", "{:.2%}"),
    Line("dlib_accept", "still verified as the person, dlib", "≤ 2%", "{:.2%}"),
    Line("sface_rank1", "found among the originals at rank 1, SFace", "", "{:.2%}", "rank1_chance"),
    Line("dlib_rank1", "found among the originals at rank 1, dlib", "", "{:.2%}", "rank1_chance"),
    Line("sface_farther", "originals that are less like a new face than its own, SFace; 50% tells nothing", "", "{:.0%}"),
    Line("dlib_farther", "originals that are less like a new face than its own, dlib; 50% tells nothing", "", "{:.0%}"),
    Line("alike", "likeness between new faces of different photos, SFace's cosine", "≤ 0.15 more", beside="alike_originals"),
    Line("skin_median", "distance of the skin's colour, CIE76, median", "≤ 12", "{:.1f}"),
    Line("skin_dark", "the same for the darkest third", "≤ 12", "{:.1f}"),
    Line("skin_by_lightness", "the same by thirds of lightness, dark to light", "", "{:.1f}"),
    Line("skin_by_typology_angle", "the same by thirds of the individual typology angle", "", "{:.1f}"),
    Line("mesh_seen", "faces in which the mesh sees a face before and after", "", "{:.1%}"),
    Line("yaw", "mean difference of yaw, degrees", "≤ 5", "{:.1f}"),
    Line("pitch", "mean difference of pitch, degrees", "≤ 5", "{:.1f}"),
    Line("roll", "mean difference of roll, degrees", "≤ 5", "{:.1f}"),
    Line("mouth_correlation", "correlation of the mouth's opening", "≥ 0.75", "{:.2f}"),
    Line("eye_correlation", "correlation of the eyes' opening", "≥ 0.75", "{:.2f}"),
    Line("landmarks", "mean distance of the mesh's points over the distance of the eyes"),
    Line("fd", "FD-ENet", "", "{:.1f}", "fd_floor"),
    Line("fd_pixelated", "FD-ENet of pixelated originals", "", "{:.1f}", "fd_floor"),
    Line("fd_ratio", "FD-ENet over its floor; give 1,000 faces, fewer flatter", "≤ 1.6", "{:.2f}"),
    Line("fd_share_of_pixelation", "share of pixelation's excess over the floor", "≤ 0.25", "{:.2f}"),
)
ATTACK_WORDS = {
    "people": "people to choose from",
    "chance": "named by chance",
    "nearest": "named by the nearest known anonymised photo",
    "nearest_originals": "named by the nearest known photo, nothing anonymised",
    "learned": "named by a recogniser trained on known anonymised photos",
    "learned_originals": "named by a trained recogniser, nothing anonymised",
    "nearest_person": "nearest of all new faces to a training person, distance",
    "nearest_of_strangers": "nearest of all people who were not trained on",
    "median": "new face to the training person nearest to it, median",
    "median_of_strangers": "person not trained on to the training person nearest to them, median",
    "share_near": "new faces nearer than the nearest hundredth of strangers; 0.01 expected",
}
BESIDE = {"rank1_chance": "by chance", "alike_originals": "originals", "fd_floor": "floor"}


@dataclass(frozen=True)
class WorstKind:
    """A way to be bad: its title, and how bad a face is in that way (None: not at all)."""

    title: str
    badness: Callable[[Figures], float | None]
    caption: Callable[[Figures], str]


def _turned(figures: Figures) -> float | None:
    difference = pose_difference(figures)
    return max(difference) if difference else None


WORST = (
    WorstKind("Most like the person, SFace", lambda f: f.similarity, lambda f: f"cosine {f.similarity:.2f}"),
    WorstKind("Most like the person, dlib", lambda f: -f.distance, lambda f: f"distance {f.distance:.2f}"),
    WorstKind("Not found again", lambda f: None if f.detected else f.similarity, lambda f: "not found by YuNet"),
    WorstKind("Skin of another colour", lambda f: f.skin, lambda f: f"distance {f.skin:.0f}"),
    WorstKind("Turned another way", _turned, lambda f: "yaw {:.0f}°, pitch {:.0f}°, roll {:.0f}°".format(*(pose_difference(f) or (0, 0, 0)))),
    WorstKind("Landmarks elsewhere", lambda f: f.landmarks, lambda f: f"{f.landmarks or 0:.2f} of the eyes' distance"),
)


def rows(summary: Summary) -> list[tuple[str, str, str]]:
    """The summary's figures in words: what, how much, what is wanted; figures that are missing are left out."""
    return [(line.words, _written(line, summary), line.wanted) for line in LINES if summary.get(line.key) is not None]


def _written(line: Line, summary: Summary) -> str:
    value = summary[line.key]
    values = value if isinstance(value, list) else [value]
    text = ", ".join("-" if v is None else line.form.format(v) for v in values)
    beside = summary.get(line.beside)
    return text if beside is None else f"{text} ({BESIDE[line.beside]} {line.form.format(beside)})"


def as_text(summary: Summary, more: dict[str, dict[str, Any]]) -> str:
    """The figures for a terminal, a line each; `more` holds the attacks' figures by title."""
    lines = [f"{words:<72} {value:<32} {wanted}".rstrip() for words, value, wanted in rows(summary)]
    for title, figures in more.items():
        lines += ["", title, *(f"  {ATTACK_WORDS[name]:<70} {_plain(value)}" for name, value in figures.items())]
    return "\n".join(lines)


def write_page(
    path: Path, summary: Summary, more: dict[str, dict[str, Any]], measured: Measurement, originals: Path, anonymised: Path, count: int = 8
) -> None:
    """Writes the report as one HTML file that needs no other.

    Args:
        path: where to.
        summary: the figures.
        more: the attacks' figures by title.
        measured: all faces, for the worst cases.
        originals: the folder before, to show the faces from.
        anonymised: the folder after.
        count: how many worst cases of each kind.

    Raises:
        MasqueradeError: jinja2 is missing.
    """
    if find_spec("jinja2") is None:
        raise MasqueradeError("The page needs jinja2: run `pip install jinja2`, or leave --report out.")
    from jinja2 import Environment

    kinds = []
    for kind in WORST:
        cases = [
            {"file": f.photo, "caption": kind.caption(f.figures), "pictures": [_embedded(folder / f.photo, f) for folder in (originals, anonymised)]}
            for f in _worst(measured.faces, kind, count)
            if f.figures
        ]
        kinds.append({"title": kind.title, "cases": cases})
    template = Environment(autoescape=True).from_string((files(__package__) / TEMPLATE).read_text(encoding="utf-8"))
    attacks = {title: {ATTACK_WORDS[name]: _plain(value) for name, value in figures.items()} for title, figures in more.items()}
    page = template.render(rows=rows(summary), summary=summary, attacks=attacks, kinds=kinds)
    path.write_text(page, encoding="utf-8")


def _plain(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _worst(faces: Sequence[MeasuredFace], kind: WorstKind, count: int) -> list[MeasuredFace]:
    ranked = [(bad, f) for f in faces if f.figures and (bad := kind.badness(f.figures)) is not None]
    return [f for _, f in sorted(ranked, key=lambda pair: -pair[0])[:count]]


def _embedded(path: Path, face: MeasuredFace) -> str:
    """A face with its surroundings as a data URL."""
    photo = read_photo(path)
    if photo is None:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(_portrait(photo, face))).decode("ascii")


def _portrait(photo: Pixels, face: MeasuredFace) -> Pixels:
    x0, y0, x1, y1 = face.box
    side = SHOWN_IN_BOXES * max(x1 - x0, y1 - y0)
    scale = SHOWN_PX / side
    matrix = np.array([[scale, 0, SHOWN_PX / 2 - scale * (x0 + x1) / 2], [0, scale, SHOWN_PX / 2 - scale * (y0 + y1) / 2]])
    return take_crop(photo, matrix, SHOWN_PX).pixels


def _jpeg(pixels: Pixels) -> bytes:
    packed = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return packed.tobytes()
