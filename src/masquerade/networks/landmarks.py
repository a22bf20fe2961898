"""LandmarkNet: 478 points of a face, from which its pose and expression are read. Ours, not the paper's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

POINTS = 478


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.convs(x))


def convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class LandmarkNet(nn.Module):
    """A small residual network that keeps the places of its features to the end, where a few numbers bend a mean face.

    Forward: canonical crop N x 3 x 128 x 128 in [-1, 1] to points N x 478 x 3 in shares of the crop's side, z towards the back.
    """

    def __init__(self, widths: tuple[int, int, int] = (40, 80, 144), components: int = 128) -> None:
        super().__init__()
        w1, w2, w3 = widths
        self.body = nn.Sequential(
            nn.PixelUnshuffle(4),
            convolution(48, w1),
            Residual(w1),
            convolution(w1, w2, 2),
            Residual(w2),
            convolution(w2, w3, 2),
            Residual(w3),
            Residual(w3),
            nn.Conv2d(w3, 24, 1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(inplace=True),
            nn.Flatten(),
        )
        self.components = nn.Linear(24 * 8 * 8, components)
        self.points = nn.Linear(components, 3 * POINTS)

    def start_from(self, faces: torch.Tensor) -> None:
        """Sets the last layer to the mean and the principal components of example faces, N x 478 x 3; what is left to learn is their weights."""
        flat = faces.flatten(1)
        mean = flat.mean(0)
        _, spread, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        known = min(self.components.out_features, len(spread))
        with torch.no_grad():
            self.points.bias.copy_(mean)
            self.points.weight.zero_()
            self.points.weight[:, :known] = (axes[:known] * spread[:known, None] / len(flat) ** 0.5).T

    def features(self, crop: torch.Tensor) -> torch.Tensor:
        """What the picture shows, N x 1536."""
        features: torch.Tensor = self.body(crop)
        return features

    def placed(self, features: torch.Tensor) -> torch.Tensor:
        """Points from features; half precision would be too coarse here."""
        points: torch.Tensor = self.points(self.components(features))
        return points.view(-1, POINTS, 3)

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        return self.placed(self.features(crop))
