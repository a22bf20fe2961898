"""`masquerade export`: networks of training runs to ONNX, with a check that both give the same numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from masquerade.errors import MasqueradeError
from masquerade.networks.anonymization import AnonymizationNet
from masquerade.networks.belonging import BelongingNet
from masquerade.networks.harmonization import HarmonizationNet, TemporalHarmonizationNet
from masquerade.networks.identity import IdentityNet
from masquerade.networks.landmarks import LandmarkNet
from masquerade.networks.segmentation import CLASSES, SegmentationNet
from masquerade.networks.shape import ShapeVAE
from masquerade.networks.superresolution import SuperResolutionNet
from masquerade.networks.surroundings import SurroundingsNet
from masquerade.regions import FROM_PARSER, MERGED
from masquerade.training.loop import CHECKPOINT, save_networks

TOLERANCE = 2e-3
"""Largest absolute difference between PyTorch and ONNX Runtime that is let through."""

LEAST_HALVED = 256
"""Weights of at least so many numbers are stored as float16 (and computed in float32)."""


class MergedSegmentation(nn.Module):
    """SegmentationNet with the sums over merged classes that the generating networks use, N x 14 x S x S shares, and the shares of earrings,
    N x S x S, which tell who would fit."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        matrix = torch.zeros(len(MERGED), len(CLASSES))
        matrix[torch.from_numpy(FROM_PARSER[: len(CLASSES)].astype(np.int64)), torch.arange(len(CLASSES))] = 1
        self.merge: torch.Tensor
        self.register_buffer("merge", matrix[:, :, None, None])

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shares = self.network(picture).softmax(1)
        return nn.functional.conv2d(shares, self.merge), shares[:, CLASSES.index("earring")]


@dataclass(frozen=True)
class Task:
    """How one network is exported: which part of the checkpoint, what goes in and comes out, and whether all large weights are stored as float16.

    The exporter folds batch norms into convolutions, and what it folds would be rounded once more: where that is not exact enough, it stays float32.
    """

    build: Callable[[], nn.Module]
    part: str
    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    wrap: Callable[[nn.Module], nn.Module] = lambda network: network
    halved: bool = True


MENDED: dict[str, tuple[int, ...]] = {"picture": (3, 128, 128), "mask": (1, 128, 128), "planes": (14, 128, 128)}

TASKS = {
    "segmentation": Task(
        lambda: SegmentationNet(pretrained=False), "average", {"picture": (3, 128, 128)}, ("shares", "earrings"), MergedSegmentation, halved=False
    ),
    "landmarks": Task(LandmarkNet, "average", {"picture": (3, 128, 128)}, ("points",)),
    "identity": Task(IdentityNet, "average", {"crop": (3, 128, 128)}, ("code",)),
    "shape": Task(ShapeVAE, "average", {"latent": (64,), "outer": (7, 64, 64), "condition": (11,)}, ("logits",), halved=False),
    "anonymization": Task(AnonymizationNet, "average", {"planes": (14, 128, 128), "code": (9, 32), "gaze": (2,)}, ("picture",), halved=False),
    "harmonization": Task(HarmonizationNet, "average", MENDED, ("picture_out",)),
    "temporal": Task(TemporalHarmonizationNet, "average", {**MENDED, "previous": (3, 128, 128), "previous_mask": (1, 128, 128)}, ("picture_out",)),
    "surroundings": Task(lambda: SurroundingsNet(pretrained=False), "average", {"scene": (3, 128, 128)}, ("told",)),
    "belonging": Task(lambda: BelongingNet(pretrained=False), "average", {"picture": (3, 96, 96)}, ("told",)),
    "superresolution": Task(
        SuperResolutionNet, "average", {"picture": (3, 128, 128), "mask": (1, 128, 128), "around": (3, 512, 512)}, ("picture_out",)
    ),
}


def export(name: str, checkpoint: Path, weights: Path) -> float:
    """Writes weights/NAME.onnx from a run's checkpoint.

    Returns:
        The largest absolute difference between PyTorch and ONNX Runtime on random input.

    Raises:
        MasqueradeError: the two disagree by more than `TOLERANCE`, or the checkpoint is missing.
    """
    if not checkpoint.exists():
        raise MasqueradeError(f"{checkpoint} does not exist: train {name} first.")
    task = TASKS[name]
    network = task.build()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["parts"][task.part])
    return export_network(name, network, weights)


def export_network(name: str, network: nn.Module, weights: Path) -> float:
    """As `export`, from a network at hand."""
    task = TASKS[name]
    with torch.no_grad():
        # What is shipped is what is compared: weights rounded to float16 first.
        for parameter in [*network.parameters(), *network.buffers()]:
            if parameter.is_floating_point() and parameter.numel() >= LEAST_HALVED:
                parameter.copy_(parameter.half().float())
    wrapped = task.wrap(network).eval()
    example = tuple(torch.rand(2, *shape) for shape in task.inputs.values())
    path = weights / f"{name}.onnx"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.onnx.export(
        wrapped, example, path, input_names=list(task.inputs), output_names=list(task.outputs), opset_version=18,
        dynamic_shapes=tuple({0: batch} for _ in example), external_data=False, dynamo=True, verbose=False,
    )  # fmt: skip
    _store_halved(path, exactly=not task.halved)
    difference = parity(wrapped, path, {n: torch.rand(3, *s) for n, s in task.inputs.items()})
    if difference > TOLERANCE:
        raise MasqueradeError(f"The exported {name} differs from PyTorch by {difference:.2g}: do not ship it.")
    return difference


def parity(network: nn.Module, path: Path, feed: dict[str, torch.Tensor]) -> float:
    """Largest absolute difference between a network and its ONNX file."""
    import onnxruntime

    with torch.no_grad():
        expected = network(*feed.values())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {n: t.numpy() for n, t in feed.items()})
    outputs = expected if isinstance(expected, tuple) else (expected,)
    return max(float(np.abs(a.numpy() - b).max()) for a, b in zip(outputs, found, strict=True))


def _store_halved(path: Path, exactly: bool) -> None:
    """Large float32 weights become float16 with a cast behind, which ONNX Runtime folds away when it loads the file; `exactly`: only those that are
    the same in it."""
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < LEAST_HALVED:
            continue
        halved = array.astype(np.float16)
        if np.abs(halved.astype(np.float32) - array).max() > (0 if exactly else 1e-3 * max(1e-3, float(np.abs(array).max()))):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halved, name + "_half"))
        casts.append(onnx.helper.make_node("Cast", [name + "_half"], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    del model.graph.value_info[:]
    for key in list(model.metadata_props):
        model.metadata_props.remove(key)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(model, path)


def main(argv: list[str]) -> int:
    """`masquerade export TASK... --runs DIR [--weights DIR]`."""
    from masquerade.weights import FOLDER, write_checksums

    parser = argparse.ArgumentParser(prog="masquerade export", description="Turns trained networks into the ONNX files that masquerade ships.")
    parser.add_argument("task", nargs="+", choices=[*TASKS, "identities", "foresight"])
    parser.add_argument("--runs", type=Path, required=True, help="folder that holds a run's folder for each task")
    parser.add_argument("--data", type=Path, help="prepared data, for identities and foresight")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--checkpoints", type=Path, help="also write here what later runs can --start from")
    args = parser.parse_args(argv)
    for name in args.task:
        if name == "identities":
            from masquerade.training.bank import write_bank

            print(write_bank(args.runs, args.data, args.weights))
        elif name == "foresight":
            from masquerade.training.foresight import write_foresight

            print(write_foresight(args.data, args.runs, args.weights))
        else:
            if args.checkpoints:
                save_networks(args.runs / name / CHECKPOINT, args.checkpoints / f"{name}.pt")
            print(f"{name}: differs from PyTorch by at most {export(name, args.runs / name / CHECKPOINT, args.weights):.2g}")
    write_checksums()
    return 0
