"""How many faces the detector finds, by size, angle and light, in photos made for it (scenes.py).

python -m masquerade.evaluation.recall --data DIR [--out table.md]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from masquerade.evaluation.scenes import ANGLES_DEG, LIGHTS, SIZES_PX, Light, Placed, Scene, read_heads, scenes
from masquerade.faces.detection import FaceDetector
from masquerade.faces.geometry import centre
from masquerade.types import Face, Pixels

Detector = Callable[[Pixels], list[Face]]


def is_hit(placed: Placed, face: Face) -> bool:
    """Whether a detection is the pasted face: its centre within 0.4 of the face's width, its size within a factor of 2."""
    x, y = centre(face)
    size = max(face.width, face.height)
    near = np.hypot(x - placed.centre[0], y - placed.centre[1]) < 0.4 * placed.size_px
    return bool(near and 0.5 < size / (1.2 * placed.size_px) < 2)


def measure(detector: Detector, photos: Iterable[Scene]) -> tuple[list[tuple[Placed, bool]], int]:
    """Runs the detector over all scenes.

    Returns:
        Each pasted face and whether it was found; the number of detections that are none of them.
    """
    results: list[tuple[Placed, bool]] = []
    false_alarms = 0
    for scene in photos:
        found = detector(scene.photo)
        results += [(placed, any(is_hit(placed, face) for face in found)) for placed in scene.faces]
        false_alarms += sum(not any(is_hit(placed, face) for placed in scene.faces) for face in found)
    return results, false_alarms


def markdown(results: Sequence[tuple[Placed, bool]]) -> str:
    """A Markdown table of recall: a row a size; columns for angles (normal light), for lights (turned by 30 at most), for all."""
    columns: list[tuple[str, tuple[int, ...], tuple[Light, ...]]] = [(f"{angle}°", (angle,), ("normal",)) for angle in ANGLES_DEG]
    columns += [(light, (0, 30), (light,)) for light in LIGHTS] + [("all", ANGLES_DEG, LIGHTS)]
    lines = ["| face, px | " + " | ".join(name for name, _, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for size in SIZES_PX:
        cells = []
        for _, angles, lights in columns:
            hits = [hit for p, hit in results if p.size_px == size and p.angle_deg in angles and p.light in lights]
            cells.append(f"{np.mean(hits):.2f}" if hits else "-")
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds the scenes, runs the detector, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds celebamask.tar")
    parser.add_argument("--out", type=Path, help="also write the table to this Markdown file")
    parser.add_argument("--scenes", type=int, default=48, help="how many photos to make")
    parser.add_argument("--heads", type=int, default=200, help="how many heads to cut out")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(given.seed)
    heads, patches = read_heads(given.data, given.heads)
    pixels = 0

    def counted(made: Iterator[Scene]) -> Iterator[Scene]:
        nonlocal pixels
        for scene in made:
            pixels += scene.photo.shape[0] * scene.photo.shape[1]
            yield scene

    results, false_alarms = measure(FaceDetector(), counted(scenes(heads, patches, rng, given.scenes)))
    table = f"{markdown(results)}\n\n{given.scenes} photos, {len(results)} faces; {false_alarms / pixels * 1e6:.2f} false alarms a megapixel.\n"
    print(table)
    if given.out:
        given.out.write_text(table)


if __name__ == "__main__":
    main()
