"""What a run did: the report as JSON, and the summary in one line."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masquerade.errors import UnwritableOutput
from masquerade.media.whole_files import whole_file
from masquerade.types import FaceReport


@dataclass(frozen=True)
class FileReport:
    """A file that was anonymised.

    Attributes:
        source: the original.
        target: what was written.
        frames: how many pictures it holds, 1 for a photo.
        faces: what became of every face in every frame.
    """

    source: Path
    target: Path
    frames: int
    faces: tuple[FaceReport, ...]


def write_report(path: Path, done: Sequence[FileReport], failed: Mapping[Path, str]) -> None:
    """Writes the report of a run, in the place of an earlier one.

    Args:
        path: where to; JSON.
        done: the files that were anonymised.
        failed: why an input was not, one sentence each.

    Raises:
        UnwritableOutput: no room or no permission.
    """
    report: dict[str, Any] = {"files": [_file(file) for file in done]}
    if failed:
        report["failed"] = [{"input": str(source), "error": sentence} for source, sentence in failed.items()]
    with whole_file(path, overwrite=True) as written:
        written.write((json.dumps(report, indent=2, allow_nan=False) + "\n").encode())


def refuse_other_than_report(path: Path) -> None:
    """Raises UnwritableOutput where a report would replace anything but an earlier report."""
    if not os.path.lexists(path):
        return
    try:
        earlier = json.loads(path.read_bytes())
    except (OSError, ValueError):
        earlier = None
    if not isinstance(earlier, dict) or "files" not in earlier:
        raise UnwritableOutput(f"{path} is there already and is no report; choose another name for the report.")


def summary(done: Sequence[FileReport], failed: Mapping[Path, str], seconds: float) -> str:
    """One line: files, faces generated, faces obscured and why, seconds."""
    faces = [face for file in done for face in file.faces]
    actions = Counter(face.action for face in faces)
    reasons = Counter(face.reason for face in faces if face.action == "obscured")
    parts = [_counted(len(done), "file"), f"{_counted(actions['generated'], 'face')} generated"]
    why = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    parts.append(f"{actions['obscured']} obscured" + (f" ({why})" if why else ""))
    if actions["kept"]:
        parts.append(f"{actions['kept']} kept")
    if faceless := sum(not file.faces for file in done):
        parts.append(f"no face found in {_counted(faceless, 'file')}")
    if failed:
        parts.append(f"{len(failed)} failed")
    return ", ".join([*parts, f"{seconds:.1f} s"])


def _file(file: FileReport) -> dict[str, Any]:
    return {"input": str(file.source), "output": str(file.target), "frames": file.frames, "faces": [_face(face) for face in file.faces]}


def _face(face: FaceReport) -> dict[str, Any]:
    measured = face.similarity is not None and math.isfinite(face.similarity)
    return {
        "frame": face.frame,
        "track": face.track,
        "box": [round(float(edge), 1) for edge in face.box],
        "action": face.action,
        "reason": face.reason,
        "similarity": round(float(face.similarity), 4) if measured and face.similarity is not None else None,
        "attempts": face.attempts,
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
