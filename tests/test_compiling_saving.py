"""Pickles and files of compiled functions."""

import contextlib
import copy
import json
import math
import pickle
import subprocess
import sys
from typing import NamedTuple

import gradtape as gt
import numpy as np
import pytest
from gradtape import Value

RATE = 0.5
WEIGHT = Value(3.0, label="weight")


class Point(NamedTuple):
    x: float
    y: float


@gt.compile
def decorated(x, a=2.0):
    return x * RATE if x > 0 else a * x


def plain(x):
    return gt.exp(x) if x > 0 else x


def weighted(x):
    return x * WEIGHT if x > 0 else -x


class Model:
    def __init__(self):
        self.w = Value(2.0)

    @gt.compile
    def out(self, x):
        return self.w * x if x > 0 else x


def through(x):
    return pickle.loads(pickle.dumps(x))


def test_a_function_that_can_be_imported_goes_by_reference():
    for f, x in [(decorated, 4.0), (gt.compile(plain), 0.5)]:
        f(x)
        g = through(f)
        assert g.__wrapped__ is f.__wrapped__
        assert len(g.paths) == len(f.paths) > 0  # what was recorded comes along
        assert g(x) == f(x)
        assert g(-x) == f(-x)  # and a new path is recorded
    fresh = gt.compile(plain)
    assert through(fresh)(1.0) == fresh(1.0)


def test_what_was_recorded_is_dropped_where_names_mean_something_else(monkeypatch):
    decorated(4.0)
    text = pickle.dumps(decorated)
    monkeypatch.setattr(sys.modules[__name__], "RATE", 10.0)
    assert pickle.loads(text)(4.0) == 40.0


def test_a_function_that_cannot_be_imported_goes_as_its_programs():
    w = Value(3.0, label="w")
    f = gt.compile(lambda x: w * x if x > 0 else x)
    with pytest.raises(pickle.PicklingError, match=r"nothing has been recorded: call it once"):
        pickle.dumps(f)
    f(1.0)
    g = through(f)
    assert g(2.0) == 6.0
    assert g.parameters[0] is not w
    assert g.parameters[0].label == "w"
    with pytest.raises(gt.GradtapeError, match=r"x=-2\.0.* takes a path that was not saved"):
        g(-2.0)


def test_captured_values_come_along_and_stay_one_with_others():
    f = gt.compile(weighted)
    f(1.0)
    g, w = through((f, WEIGHT))
    assert g.parameters == [w]
    w.data = 10.0
    assert g(2.0) == 20.0
    assert f(2.0) == 6.0


def test_methods_go_with_their_objects():
    model = Model()
    model.out(1.0)
    other, out = through((model, model.out))
    other.w.data = 7.0
    assert out(1.0) == 7.0
    assert model.out(1.0) == 2.0
    twin = copy.deepcopy({"model": model, "out": model.out})
    twin["model"].w.data = 9.0
    assert twin["out"](1.0) == 9.0


def test_copies_are_the_function_itself():
    f = gt.compile(lambda x: x)
    assert copy.copy(f) is f
    assert copy.deepcopy([f])[0] is f


SCRIPT = """
import sys, json, numpy as np, gradtape as gt
f = gt.load(sys.argv[1])
x = np.array([[1.0, 2.0], [-3.0, 4.0]])
value, (dx, dk) = f.value_and_grad(x, {"a": 2.0})
total = f.backward(x, k={"a": 2.0}, reduce="mean")
parameters = [[p.data, p.label, p.grad] for p in f.parameters]
known = [f.__name__, str(f.program) != "", len(f.paths)]
json.dump([value.tolist(), dx.tolist(), dk, total, parameters, *known], sys.stdout)
"""


def test_a_file_runs_in_another_process_without_the_source(tmp_path):
    w = Value(0.1, label="w")

    def model(x, k, scale=3.0):
        h = gt.tanh(x[0] * w) * k["a"] * scale
        return h if x[0] > 0 else h * x[1]

    f = gt.compile(model, signature="(n),()->()")
    x = np.array([[1.0, 2.0], [-3.0, 4.0]])
    value, (dx, dk) = f.value_and_grad(x, {"a": 2.0})
    total = f.backward(x, {"a": 2.0}, reduce="mean")
    path = tmp_path / "model.json"
    f.save(path)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [
        value.tolist(),
        dx.tolist(),
        dk,
        total,
        [[0.1, "w", w.grad]],
        "model",
        True,
        2,
    ]


def test_odd_numbers_and_nests_survive(tmp_path):
    def f(p, n):
        return {1: p.x * math.inf, "b": (p.y, -0.0), "n": [n * math.nan]}

    g = gt.compile(f)
    want = g(Point(1.0, 2.0), 3)
    g.save(tmp_path / "f.json")
    h = gt.load(tmp_path / "f.json")
    got = h(Point(1.0, 2.0), 3)
    assert repr(got) == repr(want)
    assert "NaN" not in (tmp_path / "f.json").read_text()
    grads = h.jacobian(Point(1.0, 2.0), 3)["b"][0][0]
    assert (type(grads).__name__, *grads) == ("Point", 0.0, 1.0)


def test_a_loaded_function_says_what_it_cannot(tmp_path):
    f = gt.compile(lambda x, y: x * y if x > 0 else y)
    f(1.0, 2.0)
    f.save(tmp_path / "f.json")
    g = gt.load(tmp_path / "f.json")
    with pytest.raises(gt.GradtapeError, match=r"row 1 \(x=-1\.0, y=2\.0\) takes a path"):
        g(np.array([1.0, -1.0]), 2.0)
    with pytest.raises(gt.GradtapeError, match=r"loaded without its source: it takes numbers"):
        g(Value(1.0), 2.0)
    with pytest.raises(gt.GradtapeError, match=r"cannot be recorded again"):
        g.clear()
    with pytest.raises(gt.GradtapeError, match=r"saved"):
        g([1.0], 2.0)
    with pytest.raises(TypeError, match=r"missing a required argument: 'y'"):
        g(1.0)
    again = tmp_path / "again.json"
    g.save(again)
    assert gt.load(again).value_and_grad(y=2.0, x=3.0) == (6.0, (2.0, 3.0))
    assert through(g)(3.0, 2.0) == 6.0


def test_nothing_to_save(tmp_path):
    with pytest.raises(gt.GradtapeError, match=r"has not been recorded yet: call it once"):
        gt.compile(lambda x: x).save(tmp_path / "f.json")
    f = gt.compile(lambda d: d[(1, 2)])
    f({(1, 2): 3.0})
    with pytest.raises(TypeError, match=r"the key \(1, 2\)"):
        f.save(tmp_path / "f.json")
    assert not (tmp_path / "f.json").exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        gt.load(tmp_path / "none.json")
    path = tmp_path / "f.json"
    for text, message in [
        ("", "is no saved compiled function"),
        ("{", "is no saved compiled function"),
        ("[1, 2]", "its kind is not"),
        ('{"kind": "other"}', "its kind is not"),
        ('{"kind": "gradtape compiled function", "format": 99}', "format 99; this version reads"),
        ('{"kind": "gradtape compiled function", "format": 1}', "is damaged"),
        ('{"bits": "xyz"}', "'xyz' are not the bits"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            gt.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no saved compiled function"):
        gt.load(path)


def test_damaged_files_never_crash(tmp_path):
    """Every item of a saved file replaced by another thing: it loads or raises ValueError."""
    f = gt.compile(lambda x, y: gt.tanh(x * y) + WEIGHT if x > 0 else y)
    f(np.array([1.0, -1.0]), {"a": 2.0}["a"])
    path = tmp_path / "f.json"
    f.save(path)
    whole = json.loads(path.read_text())
    places = list(walk(whole))
    assert len(places) > 50
    loaded = 0
    for place in places:
        for other in (None, -1, 2**40, 1.5, "odd", [], {}, [["input", 9]]):
            broken = copy.deepcopy(whole)
            put(broken, place, other)
            path.write_text(json.dumps(broken))
            try:
                g = gt.load(path)
            except ValueError:
                continue
            loaded += 1
            with contextlib.suppress(gt.GradtapeError, TypeError, ValueError):
                g(1.0, 2.0)
    assert loaded > 0


def walk(x, place=()):
    """The place of every item in nested lists and dicts."""
    items = enumerate(x) if isinstance(x, list) else x.items() if isinstance(x, dict) else ()
    for key, part in items:
        yield (*place, key)
        yield from walk(part, (*place, key))


def put(x, place, thing):
    for key in place[:-1]:
        x = x[key]
    x[place[-1]] = thing
