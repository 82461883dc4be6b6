"""Losses: how far rows of predictions are from their targets, as one Value.

Each takes the predictions of several rows and as many targets, and gives the mean over the rows
(or over all numbers, where it says so). A row of predictions is a sequence of Values or numbers;
a single Value or number stands for a row of one. Where there is no row, or predictions and targets
are not as many, it is a ValueError.

Examples
--------
>>> from gradtape import losses
>>> losses.named("huber") is losses.huber
True
"""

from gradtape.losses.classes import binary_cross_entropy, categorical_cross_entropy, focal, hinge
from gradtape.losses.naming import named, tuned
from gradtape.losses.numbers import huber, mean_squared_error, poisson, quantile, squared_loss
from gradtape.losses.rows import Loss, on_logits

__all__ = [
    "Loss",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "focal",
    "hinge",
    "huber",
    "mean_squared_error",
    "named",
    "on_logits",
    "poisson",
    "quantile",
    "squared_loss",
    "tuned",
]
