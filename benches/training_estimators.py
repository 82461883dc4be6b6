"""The process in which both MLPClassifiers are fitted and predict; `training.py` starts it.

A fit is whole: gradtape's records and compiles in it. Each draws its own parameters and order.
"""

import argparse
import json
import warnings
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from replay_child import bind, clocked, less, timed, versions

if TYPE_CHECKING:
    from training_works import Work

TIMES = 20  # predictions a measurement
Figures = dict[str, dict[str, float]]


def settings(work: "Work") -> dict[str, Any]:
    """What both are told."""
    from training_works import EPOCHS

    return {
        "hidden_layer_sizes": work.network.sizes[1:-1],
        "batch_size": work.batch,
        "learning_rate_init": work.rate,
        "max_iter": EPOCHS,
        "n_iter_no_change": EPOCHS + 1,
        "random_state": 0,
    }


def run(make: Any, work: "Work", accuracies: dict[str, float], name: str) -> dict[str, float]:
    """Fit one, let it predict; give the seconds of both by both clocks."""
    import numpy as np
    from training_works import data

    x, classes = data(work.name)
    model = make(**settings(work))
    _, fit = timed(partial(model.fit, x, classes))
    found = model.predict(x)
    predict = clocked(partial(model.predict, x), TIMES)
    for _ in range(2):
        predict = less(predict, clocked(partial(model.predict, x), TIMES))
    accuracies[name] = float(np.mean(found == classes))
    return {f"fit_{clock}": seconds for clock, seconds in fit.items()} | {
        f"predict_{clock}": seconds for clock, seconds in predict.items()
    }


def measure(work: "Work", rounds: int, budget: float) -> Figures:
    """Time both in turn, and hold their accuracies to each other."""
    import timing
    from gradtape import estimators
    from sklearn import neural_network

    makers = {
        "gradtape": estimators.MLPClassifier,
        "scikit-learn": neural_network.MLPClassifier,
    }
    accuracies: dict[str, float] = {}
    runs = {name: partial(run, make, work, accuracies, name) for name, make in makers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that training was not over after so few epochs
        best = timing.phases(runs, rounds, budget)
    shares = accuracies.values()
    if max(shares) - min(shares) > work.noise:
        raise AssertionError(f"the accuracies differ: {accuracies}")
    return {name: best[name] | {"accuracy": accuracies[name]} for name in makers}


def main() -> None:
    """Print the figures, in seconds a call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("threads", type=int)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--budget", type=float, default=4.0)
    options = parser.parse_args()
    bind(options.threads)
    from training_works import WORKS

    missing = [] if find_spec("sklearn") else ["scikit-learn"]
    figures = {} if missing else measure(WORKS[options.work], options.rounds, options.budget)
    print(json.dumps({"versions": versions(), "missing": missing, "figures": figures}))


if __name__ == "__main__":
    main()
