"""A small prepared folder of drawn faces: enough for a few steps of every training run."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.segmentation import Segmentation
from masquerade.training.data import SCENES

COUNT = 24
FOREGROUND = {"skin": 1, "nose": 2, "eyes": 4, "brows": 5, "mouth": 7, "upper_lip": 8, "lower_lip": 9, "hair": 10, "neck": 12}
COLOURS = {
    **{0: (90, 110, 130), 1: (210, 160, 130), 2: (200, 145, 115), 4: (240, 240, 240), 5: (60, 40, 30)},
    **{7: (90, 20, 20), 8: (190, 80, 90), 9: (200, 90, 100), 10: (50, 35, 25), 12: (190, 140, 115)},
}


def drawn_face(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A face of ellipses: RGB uint8 128 x 128 x 3, and its merged map 128 x 128."""
    parsing = np.zeros((128, 128), np.uint8)
    shift = rng.integers(-2, 3, 2)

    def ellipse(name: str, x: int, y: int, a: int, b: int) -> None:
        cv2.ellipse(parsing, (int(x + shift[0]), int(y + shift[1])), (a, b), 0, 0, 360, FOREGROUND[name], -1)

    ellipse("hair", 64, 55, 44, 50)
    cv2.rectangle(parsing, (48, 100), (80, 127), FOREGROUND["neck"], -1)
    ellipse("skin", 64, 66, 34, int(rng.integers(44, 50)))
    for x in (47, 81):
        ellipse("brows", x, 42, 8, 2)
        ellipse("eyes", x, 52, 6, int(rng.integers(2, 4)))
    ellipse("nose", 64, 66, 6, 9)
    ellipse("upper_lip", 64, 86, 12, 4)
    ellipse("lower_lip", 64, 91, 11, 4)
    ellipse("mouth", 64, 88, 9, 2)
    palette = np.zeros((14, 3), np.float32)
    for label, colour in COLOURS.items():
        palette[label] = colour
    tint = rng.uniform(0.7, 1.2, 3).astype(np.float32)
    picture = palette[parsing] * tint + rng.normal(0, 6, (128, 128, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), parsing


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder of drawn faces, half of them made up, with maps and poses."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    pictures, maps = zip(*(drawn_face(rng) for _ in range(COUNT)), strict=True)
    parser_classes = np.array([0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 17, 18], np.uint8)
    np.save(folder / "crops.npy", np.stack(pictures))
    np.save(folder / "parsing.npy", np.stack(maps))
    np.save(folder / "truth.npy", parser_classes[np.stack(maps)])
    np.save(folder / "pose.npy", rng.normal(0, 0.1, (COUNT, 10)).astype(np.float32))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        for i in range(COUNT):
            sex = "female" if i % 4 < 2 else "male"
            writer.writerow([f"{sex}/{i}.png", "drawn", i // 2, "val" if i % 8 == 7 else "train", int(i % 2)])
    return folder


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """The astronaut's crop and scene in five lights, read, and networks that have seen nothing yet."""
    import torch

    from masquerade.networks.anonymization import TextureEncoder
    from masquerade.networks.shape import ShapeVAE
    from masquerade.networks.surroundings import SurroundingsNet
    from masquerade.training.loop import CHECKPOINT

    photo = astronaut()
    crop = take_crop(photo, canonical_matrix(YuNet(0.6)(photo)[0], 128), 128)
    for name, pixels in (("crops.npy", crop.pixels), (SCENES, scene_of(photo, crop).pixels)):
        np.save(tmp_path / name, np.stack([cv2.convertScaleAbs(pixels, alpha=light) for light in (0.7, 0.8, 0.9, 1.0, 1.1)]))
    parsing = Segmentation(1)
    np.save(tmp_path / "parsing.npy", np.stack([parsing(crop) for crop in np.load(tmp_path / "crops.npy")]))
    np.save(tmp_path / "pose.npy", np.zeros((5, 10), np.float32))
    runs = {
        "witness": {"average": SurroundingsNet(pretrained=False)},
        "shape": {"average": ShapeVAE()},
        "anonymization": {"encoder_average": TextureEncoder()},
    }
    for name, parts in runs.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        torch.save({"parts": {part: network.state_dict() for part, network in parts.items()}}, tmp_path / "runs" / name / CHECKPOINT)
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([f"{index}.png", "nasa", -1, "train", 0] for index in range(5))
    return tmp_path
