"""Compiled functions as files and pickles."""

import copy
import importlib
import inspect
import json
import math
import pickle
import struct
from collections import namedtuple
from os import PathLike
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeAlias

from gradtape import _core
from gradtape._core import Value
from gradtape.compiling.layout import Layout, parameters_of
from gradtape.compiling.recordings import Recordings
from gradtape.compiling.signature import parse
from gradtape.compiling.structure import Branch, DictOf, Leaf, Tree
from gradtape.compiling.watching import PLAIN, Watch, names_read
from gradtape.errors import GradtapeError

if TYPE_CHECKING:
    from gradtape.compiling.function import Compiled

__all__ = ["deep_copied", "load", "reduced", "save"]

KIND, FORMAT = "gradtape compiled function", 1

# What a compiled function is outside this process: plain containers, and the captured Values.
Snapshot: TypeAlias = dict[str, Any]


def snapshot(recordings: Recordings) -> tuple[Snapshot, list[Value]]:
    """What was recorded, and the captured values that it names by their places in the list."""
    values: dict[int, Value] = {}
    forms = []
    for form in list(recordings.forms.values()):
        if form.results is None:
            continue
        captured = form.native.parameters
        for value in captured:
            values.setdefault(id(value), value)
        places = list(values)
        forms.append(
            {
                "names": list(form.layout.names),
                "keywords": list(form.layout.keywords),
                "arguments": [_tree(tree) for tree in form.trees],
                "sizes": {letter: size for letter, (size, _) in form.sizes.items()},
                "results": _tree(form.results),
                "captured": [places.index(id(value)) for value in captured],
                "state": form.native.state(),
            }
        )
    signature = recordings.signature
    parameters = recordings.parameters.parameters.values()
    return {
        "kind": KIND,
        "format": FORMAT,
        "name": recordings.name,
        "signature": None if signature is None else str(signature),
        "max_paths": recordings.max_paths,
        "parameters": [[p.name, p.kind.name, p.default is not p.empty] for p in parameters],
        "forms": forms,
    }, list(values.values())


def restore(found: Snapshot, values: list[Value], recordings: Recordings | None) -> Recordings:
    """Recordings as they were; into new ones, where no others are given."""
    if recordings is None:
        notation = found["signature"]
        recordings = Recordings(
            str(found["name"]),
            _parameters(found["parameters"]),
            None if notation is None else parse(notation),
            int(found["max_paths"]),
        )
    for one in found["forms"]:
        layout = Layout(tuple(one["names"]), None, tuple(one["keywords"]), None)
        sizes = {letter: (int(size), "the arguments") for letter, size in one["sizes"].items()}
        trees = tuple(_tree_from(tree) for tree in one["arguments"])
        captured = [values[place] for place in one["captured"]]
        native = _core.Paths.restore(one["state"], captured, recordings.max_paths)
        form = recordings.form(layout, trees, sizes, native)
        form.learn(_tree_from(one["results"]))
    return recordings


def _parameters(found: list[Any]) -> inspect.Signature:
    """Parameters with their kinds; what a default was is in the recording."""
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                getattr(inspect.Parameter, kind),
                default=... if default else inspect.Parameter.empty,
            )
            for name, kind, default in found
        ]
    )


def _tree(tree: Tree) -> dict[str, Any]:
    if isinstance(tree, Leaf):
        return {"shape": list(tree.shape)}
    for key in tree.keys:
        if not isinstance(key, (str, int, float)):
            raise TypeError(
                f"a dict among the arguments or results has the key {key!r}; only strings and "
                "numbers can be saved"
            )
    return {
        "branch": tree.kind,
        "keys": list(tree.keys),
        "children": [_tree(child) for child in tree.children],
    }


def _tree_from(found: dict[str, Any]) -> Tree:
    if "shape" in found:
        return Leaf(tuple(int(size) for size in found["shape"]))
    kind, keys = found["branch"], tuple(found["keys"])
    children = tuple(_tree_from(child) for child in found["children"])
    return Branch(kind, keys, children, _maker(kind, keys))


def _maker(kind: str, keys: tuple[Any, ...]) -> Any:
    if kind == "dict":
        return DictOf(keys)
    if kind in ("list", "tuple") and not keys:
        return {"list": list, "tuple": tuple}[kind]
    return getattr(namedtuple(kind, keys), "_make")  # noqa: B009


def reduced(function: "Compiled") -> tuple[Any, ...]:
    """How a compiled function is pickled.

    A method by its object and name. A function that can be imported by reference, with what was
    recorded, if it captured no values. Any other as its programs and parameters alone: its captured
    values could not be told from those that the source would find in another process.
    """
    wrapped = function.__wrapped__
    if isinstance(wrapped, MethodType):
        return getattr, (wrapped.__self__, wrapped.__func__.__name__)
    found, values = snapshot(function._recordings)
    reference = None if values else _reference(function)
    if reference is None and not found["forms"]:
        raise pickle.PicklingError(
            f"{function.__name__}() can be pickled neither by reference, for it cannot be imported "
            f"as {getattr(wrapped, '__qualname__', wrapped)!r}, nor as a program, for nothing has "
            "been recorded: call it once"
        )
    plain = _plain_names(wrapped) if reference else []
    return unpickled, (reference, found, values, plain, function._threads)


def _reference(function: "Compiled") -> tuple[str, str] | None:
    """Module and name under which the function, or the compiled function, is found again."""
    wrapped = function.__wrapped__
    module, name = getattr(wrapped, "__module__", None), getattr(wrapped, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    found = _found(module, name)
    return (module, name) if getattr(found, "__wrapped__", found) is wrapped else None


def _found(module: str, name: str) -> Any:
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


def _plain_names(function: Any) -> list[tuple[str, Any]]:
    return [(name, x) for _, name, x in names_read(function) if isinstance(x, PLAIN)]


def unpickled(
    reference: tuple[str, str] | None,
    found: Snapshot,
    values: list[Value],
    plain: list[tuple[str, Any]],
    threads: int | None,
) -> "Compiled":
    """A compiled function from what `reduced` tells of it.

    Where the names that the function reads stand for other numbers here, it is recorded anew.
    """
    from gradtape.compiling.function import Compiled

    function = None if reference is None else _found(*reference)
    function = getattr(function, "__wrapped__", function)
    if function is None:
        return Compiled(None, restore(found, values, None), threads)
    recordings = restore({**found, "forms": []}, [], None)
    recordings.parameters = parameters_of(function)
    if _plain_names(function) == plain:
        restore(found, values, recordings)
        recordings.watch = Watch(function)
    return Compiled(function, recordings, threads)


def deep_copied(function: "Compiled", memo: dict[int, Any]) -> "Compiled":
    """The function itself, as functions are; a method is bound to the copy of its object."""
    wrapped = function.__wrapped__
    if isinstance(wrapped, MethodType):
        owner = copy.deepcopy(wrapped.__self__, memo)
        return getattr(owner, wrapped.__func__.__name__)  # type: ignore[no-any-return]
    return function


def save(function: "Compiled", path: str | PathLike[str]) -> None:
    """Write what was recorded as JSON; see `Compiled.save`."""
    found, values = snapshot(function._recordings)
    if not found["forms"]:
        raise GradtapeError(
            f"{function.__name__}() has not been recorded yet: call it once before it is saved"
        )
    found["values"] = [[value.data, value.label] for value in values]
    text = json.dumps(_encoded(found), allow_nan=False, separators=(",", ":"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def load(path: str | PathLike[str]) -> "Compiled":
    """Read a compiled function that was saved; its source is not needed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Compiled
        With the paths that were recorded; a row that takes another one raises `GradtapeError`. Its
        `parameters` are new Values with the data and labels that the captured ones had.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no saved compiled function, or damaged.

    Examples
    --------
    >>> import os, tempfile, gradtape as gt
    >>> f = gt.compile(lambda x: x**2)
    >>> f(3.0)
    9.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     f.save(os.path.join(folder, "square.json"))
    ...     g = gt.load(os.path.join(folder, "square.json"))
    >>> g.value_and_grad(4.0)
    (16.0, (8.0,))
    """
    from gradtape.compiling.function import Compiled

    with open(path, encoding="utf-8") as file:
        try:
            found = _decoded(json.load(file))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no saved compiled function: {error}") from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ValueError(f"{path} is no saved compiled function: its kind is not {KIND!r}")
    if found.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {found.get('format')!r}; this version reads format {FORMAT}"
        )
    try:
        values = [Value(data, label=label) for data, label in found["values"]]
        return Compiled(None, restore(found, values, None), None)
    except (
        ArithmeticError,
        AttributeError,
        GradtapeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from None


def _encoded(x: Any) -> Any:
    """Nested containers as JSON has them; floats that it has not as their bits."""
    if isinstance(x, float) and not math.isfinite(x):
        return {"bits": struct.pack(">d", x).hex()}
    if isinstance(x, (list, tuple)):
        return [_encoded(part) for part in x]
    if isinstance(x, dict):
        return {key: _encoded(part) for key, part in x.items()}
    return x


def _decoded(x: Any) -> Any:
    if isinstance(x, list):
        return [_decoded(part) for part in x]
    if isinstance(x, dict):
        if x.keys() == {"bits"} and isinstance(x["bits"], str):
            return _float_of(x["bits"])
        return {key: _decoded(part) for key, part in x.items()}
    return x


def _float_of(bits: str) -> float:
    try:
        return float(struct.unpack(">d", bytes.fromhex(bits))[0])
    except (ValueError, struct.error):
        raise ValueError(f"{bits!r} are not the bits of a number") from None
