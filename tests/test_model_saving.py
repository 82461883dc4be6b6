"""Models as files: what is read is what was written, or is refused in one sentence."""

import json
import math

import gradtape as gt
import numpy as np
import pytest
from gradtape import MLP, _core
from gradtape.nn import safetensors
from gradtape.nn.model import Model
from gradtape.nn.saving import restored
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60, derandomize=True, database=None)
many = settings(deadline=None, max_examples=400, derandomize=True, database=None)
X = np.random.default_rng(0).normal(size=(40, 3))
NAMES = np.where(X[:, 0] > 0, "größer", "kleiner")
activations = st.sampled_from(["linear", "relu", "tanh", "sigmoid", "softmax"])


def trained():
    model = MLP([3, 4, 2], "tanh", seed=2)
    model.fit(X * 9 + 5, NAMES, standardise=True, epochs=2)
    return model


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    trained().save(path)
    return path.read_bytes()


def same(one, other):
    return (
        repr(one) == repr(other)
        and [p.label for p in one.parameters()] == [p.label for p in other.parameters()]
        and _core.data(one.parameters()) == _core.data(other.parameters())
        and one.fitted == other.fitted
    )


@quick
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.lists(activations, min_size=3, max_size=3),
    st.data(),
)
def test_what_is_read_is_what_was_written(tmp_path_factory, sizes, names, data):
    model = MLP(sizes, names[: len(sizes) - 1])
    for p in model.parameters():
        p.data = data.draw(st.floats(allow_nan=False))
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    model.save(path)
    assert same(gt.load(path), model)


def test_a_trained_model_predicts_the_same(tmp_path):
    model = trained()
    model.save(tmp_path / "m")
    twin = gt.load(tmp_path / "m")
    assert same(twin, model)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.predict(X).tolist() == model.predict(X).tolist()
    twin.fit(X, NAMES, epochs=1)


def test_the_same_model_is_the_same_bytes(tmp_path, content):
    trained().save(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == content


@many
@given(st.data())
def test_changed_bytes_are_refused_or_change_nothing(content, data):
    changed = bytearray(content)
    # Half of the edits in the header, which is most of what can be misread.
    end = len(content) if data.draw(st.booleans()) else 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    refused = ""
    try:
        model = restored(bytes(changed), "the file")
    except ValueError as error:
        refused = str(error)
    if refused:
        assert refused.startswith("the file ")
    else:
        assert same(model, restored(content, "it"))


@many
@given(st.data())
def test_cut_off_and_lengthened_files_are_refused(content, data):
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match="the file"):
        restored(content[:cut], "the file")
    with pytest.raises(ValueError, match="the file"):
        restored(content + data.draw(st.binary(min_size=1)), "the file")


@many
@given(st.binary(max_size=200))
def test_anything_else_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="foreign"):
        gt.load(path)


def forged(path, tensors, **metadata):
    """A file whose checksum is right, as somebody who means harm would write it."""
    from gradtape.nn.saving import _digest

    found = {"gradtape": "1", "kind": "MLP", "fitted": "null", **metadata}
    safetensors.write(path, tensors, {**found, "sha256": _digest(tensors, found)})


ARRAYS = {"layer1.weight": np.ones((1, 2)), "layer1.bias": np.ones(1)}
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["sizes", "activations", "task", "loss", "classes", "scaling", "x"]),
            inner,
        )
    ),
    max_leaves=8,
)


@many
@given(st.fixed_dictionaries({"sizes": plain, "activations": plain}) | plain, st.just(None) | plain)
def test_forged_headers_are_refused(tmp_path_factory, architecture, fitted):
    path = tmp_path_factory.getbasetemp() / "forged"
    forged(path, ARRAYS, architecture=json.dumps(architecture), fitted=json.dumps(fitted))
    refused = ""
    try:
        model = gt.load(path)
    except ValueError as error:
        refused = str(error)
    assert "is damaged" in refused if refused else isinstance(model, MLP)


GOOD = json.dumps({"sizes": [2, 1], "activations": ["linear"]})
FITTED = {
    "task": "class", "loss": "focal", "classes": ["a", "b"], "columns": ["x", "y"], "target": "z",
    "scaling": {"unit": [1.0, 1.0], "mean": [0.0, 0.0], "deviation": [1.0, 1.0]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"gradtape": "2"}, "has format '2'; this version reads format '1'"),
        ({"kind": "os.system"}, "its kind is 'os.system'; known are .*MLP"),
        ({"architecture": "[" * 100_000}, "is damaged"),
        ({"architecture": '{"sizes": [2, 1e9], "activations": ["linear"]}'}, "not those of the"),
        ({"architecture": '{"sizes": [2.0, 1], "activations": ["linear"]}'}, "must be an integer"),
        ({"architecture": '{"sizes": [2, 1], "activations": ["exec"]}'}, "unknown activation"),
        ({"fitted": json.dumps({**FITTED, "task": "x"})}, "the task 'x'"),
        ({"fitted": json.dumps({**FITTED, "classes": [1, 2]})}, "no list of names"),
        ({"fitted": json.dumps({**FITTED, "target": 3})}, "is no name"),
        ({"fitted": json.dumps({**FITTED, "scaling": {}})}, "scales of the columns"),
        ({"fitted": json.dumps({**FITTED, "classes": ["a", "b", "c"]})}, "3 classes .* 1 output"),
        ({"fitted": json.dumps({**FITTED, "columns": ["a", "b", "c"]})}, "3 columns .* 2 inputs"),
        (
            {"fitted": json.dumps(FITTED).replace("[0.0, 0.0]", "[NaN, 0.0]")},
            "no finite number",
        ),
    ],
)
def test_forged_models(tmp_path, metadata, message):
    forged(tmp_path / "m", ARRAYS, **{"architecture": GOOD, **metadata})
    with pytest.raises(ValueError, match=message):
        gt.load(tmp_path / "m")


def test_a_forger_who_changes_nothing_is_believed(tmp_path):
    forged(tmp_path / "m", ARRAYS, architecture=GOOD, fitted=json.dumps(FITTED))
    assert gt.load(tmp_path / "m").classes == ("a", "b")


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ONE = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header"),
        (b"\xff" * 8 + b"{}", "header"),
        (file_of(b"{"), "no JSON"),
        (file_of(b"\xff{}"), "no JSON"),
        (file_of([]), "no JSON object"),
        (file_of(b'{"a": 1, "a": 1}'), "twice"),
        (file_of({"__metadata__": {"a": 1}}), "not strings"),
        (file_of({"a": 1}), "type, shape and place"),
        (file_of({"a": {**ONE, "dtype": "F16"}}, b"01234567"), "'F16'; only F64"),
        (file_of({"a": {**ONE, "shape": [-1]}}, b"01234567"), "integers from 0"),
        (file_of({"a": {**ONE, "shape": [True]}}, b"01234567"), "integers from 0"),
        (file_of({"a": {**ONE, "shape": [2]}}, b"01234567"), "do not fit"),
        (file_of({"a": {**ONE, "shape": [1] * 40}}, b"01234567"), "do not fit"),
        (file_of({"a": {**ONE, "shape": [2**40, 2**40, 0]}}), "do not fit"),
        (file_of({"a": ONE}, b"0123456"), "take 8 bytes; there are 7"),
        (file_of({"a": ONE, "b": ONE}, b"01234567"), "'b' starts at byte 0, not 8"),
    ],
)
def test_what_is_wrong_with_arrays_is_told(content, message):
    with pytest.raises(ValueError, match=message):
        safetensors.unpacked(content)


shapes = st.lists(st.integers(0, 3), max_size=3)


@quick
@given(
    st.dictionaries(st.text(max_size=5).filter(lambda x: x != "__metadata__"), shapes), st.text()
)
def test_arrays_of_any_name_and_shape(tmp_path_factory, shapes, text):
    arrays = {name: np.random.default_rng(1).normal(size=shape) for name, shape in shapes.items()}
    path = tmp_path_factory.getbasetemp() / "arrays"
    safetensors.write(path, arrays, {"text": text})
    found, metadata = safetensors.read(path)
    assert metadata == {"text": text}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_package_reads_what_we_write_and_we_what_it_writes(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    model = trained()
    model.save(tmp_path / "m")
    found = package.load_file(tmp_path / "m")
    assert {name: x.tolist() for name, x in found.items()} == {
        name: x.tolist() for name, x in model.tensors().items()
    }
    package.save_file({"x": np.eye(2)}, tmp_path / "theirs")
    assert safetensors.read(tmp_path / "theirs")[0]["x"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    with pytest.raises(ValueError, match="holds arrays, but no model of gradtape"):
        gt.load(tmp_path / "theirs")


def test_compiled_functions_are_still_loaded(tmp_path):
    f = gt.compile(lambda x: x * x)
    f(2.0)
    f.save(tmp_path / "f.json")
    assert gt.load(tmp_path / "f.json")(3.0) == 9.0
    with pytest.raises(FileNotFoundError):
        gt.load(tmp_path / "none")


class Scale(Model):
    """A user's own model that can be saved."""

    def __init__(self, number=2.0):
        self.w = [gt.Value(number)]

    def __call__(self, row):
        return [self.w[0] * row[0]]

    def parameters(self):
        return self.w

    def architecture(self):
        return {}

    @classmethod
    def built(cls, architecture, tensors):
        return cls(tensors["parameters"][0])


def test_an_architecture_that_json_has_not(tmp_path):
    model = Scale()
    model.architecture = lambda: {"activation": math.sin}
    with pytest.raises(TypeError, match="this Scale cannot be saved: its architecture is no JSON"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


class Heir(MLP):
    """Would be read as an MLP."""


def test_models_of_ones_own(tmp_path, monkeypatch):
    Scale(math.pi).save(tmp_path / "m")
    assert gt.load(tmp_path / "m")([2.0])[0].data == 2 * math.pi
    monkeypatch.delitem(Model.kinds, Scale.kind())
    with pytest.raises(ValueError, match=r"its kind is '.*Scale'; known are"):
        gt.load(tmp_path / "m")
    with pytest.raises(TypeError, match="Heir models cannot be saved"):
        Heir([1, 1]).save(tmp_path / "m")
