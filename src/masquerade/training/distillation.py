"""Makes one AnonymizationNet of two: eyes and brows as one run draws them, skin and mouth as another does.

A critic that sharpens eyes also puts wrinkles and scabs on the skin, and dark gaps between teeth. No picture says which face is right, but both runs
draw the same face from the same map and code, so the network can be told: these eyes, this skin. It only has to reproduce what it sees (no critic
takes part).

    python -m masquerade.training.distillation --data DIR --out runs/... --eyes RUN --skin RUN --shape RUN [--start RUN] [--minutes N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from masquerade.networks.anonymization import AnonymizationNet
from masquerade.regions import BROWS, EYES, GLASSES
from masquerade.training.data import open_prepared
from masquerade.training.faces import Batch, batch_of, faces_of
from masquerade.training.loop import Average, Budget, Losses, Run, autocast, begin_from, on_device, one_cycle, set_rate, to_pixels, write_grid
from masquerade.training.losses import FeatureLoss, attention, masked_l1
from masquerade.training.proxy import blurred
from masquerade.training.rough import Rough
from masquerade.training.shape import drawn_anew

REACH, EDGE = 9, 2.0
"""The first run draws eyes and brows with so many pixels around them in all, and so soft an edge: lids belong to them."""

NOISE = 0.15
"""On codes, as AnonymizationNet was trained."""

BUDGET = Budget(60_000, 16)


def distill(
    data: Path,
    out: Path,
    budget: Budget,
    eyes: Path,
    skin: Path,
    shape: Path,
    start: Path | None = None,
    rate: float = 2e-4,
    seed: int = 0,
) -> None:
    """Trains until the budget is spent.

    Args:
        data: a folder that `masquerade train prepare` wrote.
        eyes, skin: checkpoints of AnonymizationNet runs with one encoder.
        shape: checkpoint of a ShapeVAE run.
        start: checkpoint of the run whose weights this one begins with; those of `skin` by default.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    faces = faces_of(open_prepared(data), "train")
    plain, crisp = Rough(skin, shape, faces), Rough(eyes)
    student = on_device(AnonymizationNet())
    begin_from(start or skin, {"generator": student})
    average = Average(student)
    optimizer = torch.optim.Adam(student.parameters(), lr=rate, betas=(0.9, 0.99))
    # The rest of the checkpoint is the first run's, so that it can be shipped and trained on.
    kept = torch.load(eyes, weights_only=True, map_location="cpu")["parts"]
    whole = {"critic": _Kept(kept["critic"]), "means": plain.means, "encoder_average": plain.encoder}
    run = Run(out, budget, {"generator": student, "average": average, "optimizer": optimizer, **whole})
    feature_loss = on_device(FeatureLoss())

    @torch.no_grad()
    def asked(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps and codes: half of the batch are strangers on drawn maps, each between two people."""
        half = len(batch.planes) // 2
        with autocast():
            codes = plain.means.fill(plain.encoder(batch.pictures, batch.planes)).float()
        between = torch.rand(len(codes) - half, 1, 1, device=codes.device).clamp(max=0.5)
        codes = torch.cat([codes[:half], torch.lerp(codes.roll(1, 0)[half:], codes.roll(3, 0)[half:], between)])
        assert plain.shape is not None
        latents = plain.latents[torch.randint(len(plain.latents), (len(codes) - half,), device=codes.device)]
        drawn = drawn_anew(plain.shape, batch.planes[half:], latents, batch.conditions[half:])
        return torch.cat([batch.planes[:half], drawn]), codes + NOISE * torch.randn_like(codes)

    @torch.no_grad()
    def target(planes: torch.Tensor, codes: torch.Tensor, gaze: torch.Tensor) -> torch.Tensor:
        with autocast():
            smooth, sharp = (r.generator(planes, codes, gaze).float() for r in (plain, crisp))
        wanted = F.max_pool2d(planes[:, [GLASSES, EYES, BROWS]].sum(1, keepdim=True), REACH, 1, REACH // 2)
        return torch.lerp(smooth, sharp, blurred(wanted.expand(-1, 3, -1, -1), EDGE).clamp(0, 1))

    def one_step(step: int) -> Losses:
        set_rate(optimizer, one_cycle(run.progress))
        batch = batch_of(faces, budget.batch, rng)
        planes, codes = asked(batch)
        wanted = target(planes, codes, batch.gaze)
        with autocast():
            made = student(planes, codes, batch.gaze)
        made = made.float()
        l1 = masked_l1(made, wanted, batch.masks * attention(planes))
        with autocast():
            with torch.no_grad():
                truth = feature_loss.features(torch.lerp(batch.pictures, wanted, batch.masks))
            feature = feature_loss(torch.lerp(batch.pictures, made, batch.masks), truth)
        optimizer.zero_grad(set_to_none=True)
        (4 * l1 + feature).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        average.update(student, step)
        return {"l1": l1, "feature": feature}

    watched = batch_of(faces, 16, np.random.default_rng(1))

    def look() -> None:
        planes, codes = asked(watched)
        with torch.no_grad():
            rows = [plain.generator(planes, codes, watched.gaze), target(planes, codes, watched.gaze), average.network(planes, codes, watched.gaze)]
        write_grid(out / "grid.png", [to_pixels(row) for row in rows])

    run.train(one_step, look)


class _Kept:
    """A part of a checkpoint that is only handed on."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self._state = state

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._state

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self._state = state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "out", "eyes", "skin", "shape"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--minutes", type=float)
    asked = parser.parse_args()
    budget = BUDGET if asked.minutes is None else Budget(10**9, BUDGET.batch, seconds=60 * asked.minutes)
    distill(asked.data, asked.out, budget, asked.eyes, asked.skin, asked.shape, asked.start)


if __name__ == "__main__":
    main()
