"""Training by scikit-learn's MLPClassifier, which draws its own parameters and order."""

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from training_networks import Dense, Pairs
from training_works import BETAS, EPSILON, Contender, Tick, Work, data


class Ticking(MLPClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """Ticks where the classifier looks at an epoch's loss."""

    tick: Tick

    def _update_no_improvement_count(self, *arguments: Any) -> None:
        super()._update_no_improvement_count(*arguments)
        self.tick()


def contenders(work: Work, threads: int) -> dict[str, Contender]:
    """Give `fit` without a stop before the last epoch; it has dense layers alone."""
    network = work.network
    if not isinstance(network, Dense):
        return {}
    x, classes = data(work.name)

    def train(epochs: int, tick: Tick) -> tuple[list[float], Pairs]:
        model = Ticking(
            network.sizes[1:-1],
            activation="relu",
            solver="adam",
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.rate,
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            beta_1=BETAS[0],
            beta_2=BETAS[1],
            epsilon=EPSILON,
            random_state=0,
        )
        model.tick = tick
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, classes)
        pairs = zip(model.coefs_, model.intercepts_, strict=True)
        return model.loss_curve_, [(w.T, b) for w, b in pairs]

    return {"scikit-learn": Contender(train, exact=False)}
