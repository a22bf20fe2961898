"""The proxy task that teaches HarmonizationNet without identities (paper, section 3.2 and supplement).

The face of a photo is spoilt, the surroundings stay; the network must give the photo back. The paper's five changes: random resized crop,
random hue and brightness, random colour balance, random gaussian noise. Ours beside them: blur, smoothing and flattened light, as rough
faces have them.

Everything works on N faces at once, N x 3 x S x S in [0, 1], each changed in its own way.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F


def spoilt(faces: torch.Tensor, gentle: torch.Tensor) -> torch.Tensor:
    """Rough versions of faces.

    Args:
        faces: N x 3 x S x S in [-1, 1].
        gentle: N bool; these are only changed in colour, light and grain: they are rough already, coming from AnonymizationNet.

    Returns:
        N x 3 x S x S in [-1, 1].
    """
    x = (faces + 1) / 2
    x = _for_some(x, _softened(_for_some(x, _resized_crop(x), 0.6)), 1.0, ~gentle)
    x = _for_some(x, _hue_and_brightness(x), 0.8)
    x = _for_some(x, _colour_balance(x), 0.8)
    x = _for_some(x, _other_light(x), 0.5)
    x = _for_some(x, x + torch.randn_like(x) * _uniform(x, 0.004, 0.04), 0.3)
    return (x.clamp(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last)


def _uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """One number for each picture, N x 1 x 1 x 1."""
    return torch.empty(len(like), 1, 1, 1, device=like.device).uniform_(low, high)


def _normal(like: torch.Tensor, spread: float, channels: int = 1) -> torch.Tensor:
    return torch.randn(len(like), channels, 1, 1, device=like.device) * spread


def _for_some(before: torch.Tensor, after: torch.Tensor, share: float, allowed: torch.Tensor | None = None) -> torch.Tensor:
    chosen = torch.rand(len(before), device=before.device) < share
    if allowed is not None:
        chosen &= allowed
    return torch.where(chosen[:, None, None, None], after, before)


def _resized_crop(x: torch.Tensor) -> torch.Tensor:
    """Slightly moved, zoomed and stretched: features need not sit where the photo has them."""
    theta = torch.zeros(len(x), 2, 3, device=x.device)
    theta[:, 0, 0] = torch.empty(len(x), device=x.device).uniform_(-0.06, 0.06).exp()
    theta[:, 1, 1] = torch.empty(len(x), device=x.device).uniform_(-0.06, 0.06).exp()
    theta[:, :, 2].uniform_(-0.04, 0.04)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _softened(x: torch.Tensor) -> torch.Tensor:
    """A third blurred, a quarter smoothed within edges, a tenth through the median, the rest as they are."""
    kind = torch.rand(len(x), 1, 1, 1, device=x.device)
    soft = torch.lerp(blurred(x, 0.6), blurred(x, 1.6), _uniform(x, 0, 1))
    smoothed = x + (blurred(x, 2.0) - x) * torch.exp(-(((blurred(x, 2.0) - x).abs().mean(1, keepdim=True) / 0.08) ** 2))
    windows = F.unfold(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3).view(len(x), 3, 9, *x.shape[2:])
    median = windows.median(2).values
    x = torch.where(kind < 0.35, soft, x)
    x = torch.where((kind >= 0.35) & (kind < 0.6), smoothed, x)
    return torch.where((kind >= 0.6) & (kind < 0.7), median, x)


def blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of N x 3 x S x S; sigma in pixels."""
    half = math.ceil(3 * sigma)
    bell = torch.exp(-0.5 * (torch.arange(-half, half + 1, device=x.device) / sigma) ** 2)
    bell = (bell / bell.sum()).expand(3, 1, -1)
    padded = F.pad(x, (half, half, half, half), mode="replicate")
    return F.conv2d(F.conv2d(padded, bell[:, :, None], groups=3), bell[..., None], groups=3)


def _hue_and_brightness(x: torch.Tensor) -> torch.Tensor:
    """Colours turned about the gray axis, more or less saturated, lighter or darker."""
    turn = _normal(x, math.radians(14))[:, 0, 0, 0]
    cosine, sine = turn.cos(), turn.sin()
    rest, cross = (1 - cosine) / 3, sine / math.sqrt(3)
    on, up, down = cosine + rest, rest - cross, rest + cross
    matrix = torch.stack([on, up, down, down, on, up, up, down, on], 1).view(-1, 3, 3)
    turned = torch.einsum("nij,njhw->nihw", matrix, x)
    gray = turned.mean(1, keepdim=True)
    return ((gray + (turned - gray) * _normal(x, 0.3).exp()) * _normal(x, 0.35).exp()).clamp(0, 1)


def _colour_balance(x: torch.Tensor) -> torch.Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * _normal(x, 0.15).exp() + mean) * _normal(x, 0.15, 3).exp() + _normal(x, 0.03, 3)


def _other_light(x: torch.Tensor) -> torch.Tensor:
    """A smooth field of light and shade over the face, coloured a little."""
    field = torch.randn(len(x), 1, 3, 3, device=x.device) * 0.3 + torch.randn(len(x), 3, 3, 3, device=x.device) * 0.06
    return x * F.interpolate(field, size=x.shape[2:], mode="bicubic", align_corners=False).exp()
