"""What AnonymizationNet learns from strangers: one identity looks the same on every head, two on one head do not, and both look where they should.

As at work an identity, a drawn shape and a code, is drawn onto other people's heads and harmonised. IdentityNet looks at the results: the same
identity on another head must be nearer than another identity on the same head, than any other face, and than the heads' own people.
LandmarkNet looks too: mouth, eyes and gaze must be the ones that were asked for; the gaze is another than the head's own.
No true picture belongs to strangers, and without one a critic led astray (docs/training-log.md), so there is none here: what keeps them
faces is that they may not go far from what the generator drew when training began, least of all in fine details; but eyes and mouth may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from masquerade.networks.harmonization import HarmonizationNet
from masquerade.networks.identity import IdentityNet
from masquerade.regions import EYES, LOWER_LIP, MOUTH, UPPER_LIP
from masquerade.training.expressions import MOVING, Expressions
from masquerade.training.faces import Batch, Faces
from masquerade.training.loop import DEVICE, autocast, on_device
from masquerade.training.losses import detail_difference
from masquerade.training.proxy import blurred
from masquerade.training.rough import Rough
from masquerade.training.shape import drawn_anew

Guide = Callable[[torch.Tensor], torch.Tensor]


def identity_guide(checkpoint: Path) -> Guide:
    """A trained IdentityNet, frozen: pictures N x 3 x S x S in [-1, 1] to unit vectors."""
    network = on_device(IdentityNet())
    parts = torch.load(checkpoint, weights_only=True, map_location=DEVICE)["parts"]
    network.load_state_dict(parts["average"])
    return network.eval().requires_grad_(False)


TEMPERATURE = 0.2
"""Of the contrastive loss (Khosla et al., Supervised contrastive learning, 2020)."""


TURN, ZOOM, SHIFT, LIGHT, GRAIN = 0.12, 0.12, 0.06, 0.15, 0.12
"""How far IdentityNet's looks differ: a pattern that only works at one place would please it, but change no face."""


ASKED = torch.tensor([0.05, 0.08, 0.03, 0.06, 0.06, 0.04, 0.03])
"""Differences in the numbers of mouth, eyes and gaze that count alike."""

GLANCE = torch.tensor([0.08, 0.03])
"""Spread of what is added to a head's own gaze."""

COARSE = 1.6
"""Of what was drawn at first, what a blur of this sigma leaves, in pixels, is tied apart from its details."""

LOOSE, LOOSENESS = (EYES, MOUTH, UPPER_LIP, LOWER_LIP), 0.7
"""What expressions move, and how much less it is tied to what was drawn at first. Free altogether, eyes become dark slots that please LandmarkNet."""


@dataclass(frozen=True, eq=False)
class Drawings:
    """Identities on heads: the heads with drawn maps and what is asked for, and the codes, N x 9 x 32."""

    heads: Batch
    codes: torch.Tensor


class Strangers:
    """Draws strangers and judges them; every network but the one that learns is frozen.

    Args:
        start: checkpoint of the AnonymizationNet run that training begins from.
        beside: folder of the checkpoints of the other networks: shape.pt, harmonization.pt, landmarks.pt.
        faces: whose made-up people shapes are taken from.
        guide: IdentityNet.
        heads: so many heads a step, an even number: two identities are drawn on each, the same two on its neighbour.
    """

    def __init__(self, start: Path, beside: Path, faces: Faces, guide: Guide, heads: int = 4) -> None:
        self.head, self.identity = drawn_on(heads)
        self._first, self._guide, self.expressions = Rough(start, beside / "shape.pt", faces), guide, Expressions(beside / "landmarks.pt")
        self._harmonization = on_device(HarmonizationNet())
        state = torch.load(beside / "harmonization.pt", weights_only=True, map_location=DEVICE)["parts"]["average"]
        self._harmonization.load_state_dict(state)
        self._harmonization.eval().requires_grad_(False)

    def drawings(self, batch: Batch, codes: torch.Tensor) -> Drawings:
        """Some faces' identities on others' heads.

        Args:
            batch: at least twice as many faces as heads: heads first, then those whose codes are drawn on them.
            codes: theirs, N x 9 x 32, no region empty.
        """
        heads = len(self.head) // 2
        conditions = batch.conditions[:heads].clone()
        conditions[:, :10] = self.expressions.asked(batch.pictures[:heads])
        conditions[:, 8:10] += GLANCE.to(DEVICE) * torch.randn(heads, 2, device=DEVICE)
        pictures, planes, masks, conditions = (t[self.head] for t in (batch.pictures, batch.planes, batch.masks, conditions))
        latents = self._first.latents[torch.randint(len(self._first.latents), (heads,), device=DEVICE)]
        assert self._first.shape is not None
        drawn = drawn_anew(self._first.shape, planes, latents[self.identity], conditions)
        return Drawings(Batch(pictures, drawn, masks, conditions[:, 8:10], conditions), codes[heads : 2 * heads][self.identity].detach())

    def judged(self, made: torch.Tensor, drawings: Drawings) -> dict[str, torch.Tensor]:
        """Of rough faces, N x 3 x S x S: how badly identities are told apart, how far expressions are from those asked for, and how far the
        faces, and their details, are from what was drawn at first."""
        heads = drawings.heads
        with torch.no_grad(), autocast():
            first = self._first.generator(heads.planes, drawings.codes, heads.gaze).float()
        tied = heads.masks * (1 - LOOSENESS * heads.planes[:, list(LOOSE)].sum(1, keepdim=True))
        away = (blurred(made - first, COARSE).square() * tied).sum() / (3 * tied.sum())
        with autocast():
            mended = self._harmonization(torch.lerp(heads.pictures, made, heads.masks), heads.masks, heads.planes).float()
        seen = torch.lerp(heads.pictures, mended, heads.masks)
        with autocast():
            vectors = self._guide(_looked_at(torch.cat([seen, heads.pictures[::2]])))
        expression = F.smooth_l1_loss(self.expressions(seen) / ASKED.to(DEVICE), heads.conditions[:, MOVING] / ASKED.to(DEVICE))
        return {
            "contrast": contrast(F.normalize(vectors.float(), dim=1), self.identity),
            "expression": expression,
            "away": away,
            "finer": detail_difference(made, first, tied),
        }


def drawn_on(heads: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Head and identity of each of 2 x `heads` drawings, int64 on the training device."""
    head = torch.arange(2 * heads, device=DEVICE) // 2
    return head, head // 2 * 2 + torch.arange(2 * heads, device=DEVICE) % 2


def contrast(vectors: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
    """How badly the other drawing of the same identity is told from all other faces.

    Args:
        vectors: unit vectors of the drawings, then of the heads' own people.
        identity: whose drawings these are, as `drawn_on` gives it.
    """
    count = len(identity)
    alike = vectors[:count] @ vectors.T / TEMPERATURE
    alike = alike.masked_fill(torch.eye(count, len(vectors), dtype=torch.bool, device=vectors.device), float("-inf"))
    same = (identity[:, None] == identity[None]) & ~torch.eye(count, dtype=torch.bool, device=vectors.device)
    return F.cross_entropy(alike, same.float().argmax(1))


def _looked_at(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures turned, zoomed and moved, lighter or darker, with grain, half of the time in half the resolution."""
    count = len(pictures)

    def number(spread: float) -> torch.Tensor:
        return torch.empty(count, device=pictures.device).uniform_(-spread, spread)

    angle, zoom = number(TURN), 1 + number(ZOOM)
    theta = torch.stack(
        [torch.cos(angle) * zoom, -torch.sin(angle) * zoom, number(SHIFT), torch.sin(angle) * zoom, torch.cos(angle) * zoom, number(SHIFT)], 1
    )
    grid = F.affine_grid(theta.view(count, 2, 3), list(pictures.shape), align_corners=False)
    seen = F.grid_sample(pictures, grid, "bilinear", "border", align_corners=False)
    seen = seen * (1 + number(LIGHT))[:, None, None, None] + GRAIN * torch.rand(()).item() * torch.randn_like(seen)
    if torch.rand(()) < 0.5:
        seen = F.interpolate(F.avg_pool2d(seen, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    return seen.contiguous(memory_format=torch.channels_last)
