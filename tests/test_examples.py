import importlib.util
from pathlib import Path

import pytest
from gradtape import Value

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_s0_learns_iris_and_repeats_itself(capsys):
    example = load("s0_iris_micrograd")
    accuracies = example.main()
    assert accuracies[-1] >= 0.95
    assert accuracies[0] < accuracies[-1]
    assert len(capsys.readouterr().out.splitlines()) == len(accuracies)
    assert example.main() == accuracies


def test_s0_cross_entropy_is_that_of_the_package():
    from gradtape.losses import categorical_cross_entropy

    logits = [Value(0.3), Value(-1.2), Value(2.0)]
    ours = load("s0_iris_micrograd").cross_entropy(logits, 1)
    ours.backward()
    by_operators = [x.grad for x in logits]
    for x in logits:
        x.grad = 0.0
    native = categorical_cross_entropy([logits], [1])
    native.backward()
    assert ours.data == pytest.approx(native.data, rel=1e-14)
    assert by_operators == pytest.approx([x.grad for x in logits], rel=1e-13)


@pytest.mark.parametrize("init", ["small", "glorot"])
@pytest.mark.parametrize(("batch_size", "seed"), [(5, 0), (1, 1), (40, 2)])
def test_s1_gradients_are_those_by_hand(init, batch_size, seed):
    differences = load("s1_network").main(batch_size=batch_size, seed=seed, init=init)
    assert sorted(differences) == ["W1", "W2", "W3", "b1", "b2", "b3", "loss"]
    assert max(differences.values()) <= 1e-12


def test_s1_would_notice_a_wrong_formula(monkeypatch):
    example = load("s1_network")
    right = example.backward

    def wrong(activations, targets, parameters):
        gradients = right(activations, targets, parameters)
        gradients[2] = gradients[2].T
        return gradients

    monkeypatch.setattr(example, "backward", wrong)
    differences = example.main(init="glorot")
    assert differences["W2"] > 1e-6
    assert max(d for name, d in differences.items() if name != "W2") <= 1e-12


def test_s2_learns_iris_and_repeats_itself(capsys):
    example = load("s2_iris_layers")
    assert example.main() >= 0.95
    first = capsys.readouterr().out
    assert "MLP(4 → 10 relu → 5 relu → 3 softmax, 123 parameters)" in first
    example.main()
    assert capsys.readouterr().out == first


def test_s3_gradients_are_those_of_finite_differences():
    example = load("s3_expressions")
    results = example.main()
    assert set(results) == set(example.EXPRESSIONS)
    h = 1e-6
    for text, (expression, numbers) in example.EXPRESSIONS.items():
        value, grads = results[text]
        for name, number in numbers.items():
            up, down = (
                expression(**{**{k: Value(x) for k, x in numbers.items()}, name: Value(number + d)})
                for d in (h, -h)
            )
            assert grads[name] == pytest.approx((up.data - down.data) / (2 * h), abs=1e-7), text
        assert value == pytest.approx(expression(**{k: Value(x) for k, x in numbers.items()}).data)
    assert results["a + a"] == (6.0, {"a": 2.0})


def test_s4_gradients_are_those_by_hand():
    by_hand, by_sweep, grads = load("s4_neuron").main()
    assert by_hand == pytest.approx(22.004, rel=1e-9)
    assert by_sweep == 22.0
    want = {"o": 1.0, "n": 0.5, "b": 0.5, "x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0}
    assert {name: grads[name] for name in want} == pytest.approx(want, abs=1e-12)


def test_s5_greeks_are_those_of_the_closed_form(capsys):
    example = load("s5_barrier")
    results = example.main(paths=40_000, steps=6)
    assert list(results) == ["price", *(f"d/d{name}" for name in example.NAMES)]
    for name, (want, mean, error) in results.items():
        assert 0 < error < 0.1 * abs(want), name
        assert abs(mean - want) < 4 * error, name
    assert len(example.simulated.paths) == 7  # out at each of six steps, or never
    assert len(capsys.readouterr().out.splitlines()) == len(results) + 2


def test_s5_closed_form_is_that_of_finite_differences():
    example = load("s5_barrier")
    _, greeks = example.exact.value_and_grad(**example.MARKET)
    for name, greek in zip(example.NAMES, greeks, strict=True):
        h = 1e-5 * example.MARKET[name]
        up, down = (example.exact(**{**example.MARKET, name: x}) for x in bumped(example, name, h))
        assert greek == pytest.approx((up - down) / (2 * h), rel=1e-6), name
    assert example.exact(**{**example.MARKET, "S": example.MARKET["B"]}) == pytest.approx(0.0)


def bumped(example, name, h):
    return example.MARKET[name] + h, example.MARKET[name] - h
