"""Arrays in a file: the safetensors format, written and read without its package.

Eight bytes hold the length of a header as a little-endian integer; the header is JSON that tells
the type, shape and place of each array, and has strings under ``__metadata__``; the rest is their
bytes, without a gap. Nothing of it is code. Written arrays are 64-bit floats, and so are read ones.
"""

import json
import math
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read", "unpacked", "write"]

Numbers = NDArray[np.float64]
METADATA = "__metadata__"
# As the package has it: a longer header is refused before it is parsed.
LONGEST_HEADER = 100_000_000


def write(path: str | PathLike[str], tensors: dict[str, Numbers], metadata: dict[str, str]) -> None:
    """Write arrays and strings.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "x.safetensors")
    ...     write(path, {"x": np.array([[1.0, 2.0]])}, {"made by": "hand"})
    ...     read(path)
    ({'x': array([[1., 2.]])}, {'made by': 'hand'})
    """
    header: dict[str, Any] = {METADATA: metadata}
    place, parts = 0, []
    for name, array in tensors.items():
        part = np.ascontiguousarray(array, dtype="<f8").tobytes()
        offsets = [place, place + len(part)]
        header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": offsets}
        place = offsets[1]
        parts.append(part)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # Spaces bring the numbers to a multiple of eight bytes, so that they can be mapped.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


def read(path: str | PathLike[str]) -> tuple[dict[str, Numbers], dict[str, str]]:
    """Read arrays and strings.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file, cut off or damaged.
    """
    with open(path, "rb") as file:
        return unpacked(file.read())


def unpacked(content: bytes) -> tuple[dict[str, Numbers], dict[str, str]]:
    """Arrays and strings of a file's content.

    Raises
    ------
    ValueError
        If it is no such content, cut off or damaged.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"a header is told that {len(content)} bytes do not hold")
    header = _header(content[8 : 8 + length])
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        raise ValueError("the metadata are not strings by name")
    data = content[8 + length :]
    places = {name: _place(name, entry) for name, entry in header.items()}
    end = 0
    for name, (_, start, stop) in sorted(places.items(), key=lambda item: item[1][1:]):
        if start != end:
            raise ValueError(f"the array {name!r} starts at byte {start}, not {end}")
        end = stop
    if end != len(data):
        raise ValueError(f"the arrays take {end} bytes; there are {len(data)}")
    return {
        name: np.frombuffer(data[start:stop], dtype="<f8").astype(np.float64).reshape(shape)
        for name, (shape, start, stop) in places.items()
    }, metadata


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; names that stand in it twice would be read differently by others."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _place(name: str, entry: Any) -> tuple[tuple[int, ...], int, int]:
    """Shape, first byte and end of an array."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"type, shape and place of the array {name!r} are expected")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if entry["dtype"] != "F64":
        raise ValueError(f"the array {name!r} has the type {entry['dtype']!r}; only F64 is read")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(x) is int and x >= 0 for x in numbers):
            raise ValueError(f"shape and place of the array {name!r} are not integers from 0")
    if len(shape) > 32 or len(offsets) != 2 or offsets[1] - offsets[0] != 8 * math.prod(shape):
        raise ValueError(f"shape and place of the array {name!r} do not fit")
    return tuple(shape), offsets[0], offsets[1]
