"""From the figures of every face to those of the whole: one number for each promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from masquerade.errors import MasqueradeError
from masquerade.evaluation.features import likeness
from masquerade.evaluation.measuring import SMALLEST_PX, Figures, MeasuredFace, Measurement
from masquerade.evaluation.mesh import Expression
from masquerade.evaluation.metrics import correlation, degrees_apart, farther_share, likeness_between, rank1_rate, thirds
from masquerade.evaluation.thresholds import Thresholds

UNCHANGED_LEVELS = 4
"""A face whose pixels changed by less on average was left as it was."""

Summary = dict[str, Any]
"""Figure by name: numbers, None where it cannot be given, lists for thirds."""


def summarise(measured: Measurement, limits: Thresholds, with_obscured: bool) -> Summary:
    """Sums a measurement up.

    Args:
        measured: all faces.
        limits: when two faces count as one person.
        with_obscured: whether the run's report was at hand.

    Returns:
        Shares from 0 to 1, distances and angles in the units of `Figures`; rates are of the faces of 48 pixels and more.

    Raises:
        MasqueradeError: there is no face of 48 pixels.
    """
    large = measured.large
    if not large:
        raise MasqueradeError(f"No face is {SMALLEST_PX} pixels wide; give larger photos.")
    figures = [f for f, _ in large]
    lightness = [f.lightness for f in figures]
    by_lightness = thirds([f.skin for f in figures], lightness)
    return {
        "photos": len(measured.outside),
        "missing": measured.missing,
        "faces": len(measured.faces),
        "faces_48": len(large),
        "unchanged": sum(f.change < UNCHANGED_LEVELS for f in measured.faces),
        "obscured": _mean([f.obscured for f in measured.faces if f.figures]) if with_obscured else None,
        "detected": _mean([f.detected for f in figures]),
        "hog": sum(f.hog for f in figures) / max(1, sum(f.hog_before for f in figures)),
        "sface_accept": _mean([f.similarity > limits.sface for f in figures]),
        "dlib_accept": _mean([f.distance < limits.dlib for f in figures]),
        **_recognised(measured),
        "skin_median": float(np.median([f.skin for f in figures])),
        "skin_dark": by_lightness[0],
        "skin_by_lightness": by_lightness,
        "skin_by_typology_angle": thirds([f.skin for f in figures], [f.typology_angle for f in figures]),
        **_posed(figures),
        **_alike_as_a_whole(measured),
        "outside_max": max(measured.outside.values()),
        "thresholds": [limits.sface, limits.dlib],
    }


def as_record(face: MeasuredFace) -> dict[str, Any]:
    """One face's figures for a JSON file, without its vectors."""
    figures = asdict(face.figures) if face.figures else {}
    return {"photo": face.photo, "box": list(face.box), "change": face.change, "obscured": face.obscured, **figures}


def pose_difference(figures: Figures) -> tuple[float, float, float] | None:
    """Difference of yaw, pitch and roll in degrees, None where the mesh saw no face."""
    before, after = figures.expression_before, figures.expression
    if before is None or after is None:
        return None
    return degrees_apart(before["yaw"], after["yaw"]), degrees_apart(before["pitch"], after["pitch"]), degrees_apart(before["roll"], after["roll"])


def _recognised(measured: Measurement) -> Summary:
    vectors = [v for _, v in measured.large]
    photos = [f.photo for f in measured.faces if f.figures]
    sface = np.stack([v.before.sface for v in vectors]), np.stack([v.after.sface for v in vectors])
    dlib = np.stack([v.before.dlib for v in vectors]), np.stack([v.after.dlib for v in vectors])
    return {
        "sface_rank1": rank1_rate(sface[1], sface[0]),
        "dlib_rank1": rank1_rate(dlib[1], dlib[0]),
        "rank1_chance": 1 / len(vectors),
        "sface_farther": farther_share(sface[1], sface[0]),
        "dlib_farther": farther_share(dlib[1], dlib[0]),
        "alike": likeness_between(sface[1], photos),
        "alike_originals": likeness_between(sface[0], photos),
    }


def _posed(figures: Sequence[Figures]) -> Summary:
    differences = [d for d in map(pose_difference, figures) if d]
    yaw, pitch, roll = np.mean(differences, 0).tolist() if differences else (None, None, None)
    pairs = [(f.expression_before, f.expression) for f in figures if f.expression_before and f.expression]
    landmarks = [f.landmarks for f in figures if f.landmarks is not None]
    return {
        "mesh_seen": len(differences) / len(figures),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_correlation": _kept(pairs, "mouth_opening"),
        "eye_correlation": _kept(pairs, "eye_opening"),
        "landmarks": _mean(landmarks) if landmarks else None,
    }


def _kept(pairs: Sequence[tuple[Expression, Expression]], what: Literal["mouth_opening", "eye_opening"]) -> float | None:
    """Correlation of one measure before and after."""
    return correlation([before[what] for before, _ in pairs], [after[what] for _, after in pairs])


def _alike_as_a_whole(measured: Measurement) -> Summary:
    features = np.stack([v.features for _, v in measured.large])
    found = likeness(features[:, 0], features[:, 1], features[:, 2])
    return {
        "fd": found.anonymised if found else None,
        "fd_floor": found.floor if found else None,
        "fd_pixelated": found.pixelated if found else None,
        "fd_ratio": found.ratio if found else None,
        "fd_share_of_pixelation": found.share_of_pixelation if found else None,
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
