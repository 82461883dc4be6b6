"""``gradtape predict``: predictions of a saved model for the rows of a file."""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

from gradtape.cli_arguments import check_place


def add_predict(commands: Any) -> None:
    """Add the subcommand to a parser's."""
    predict = commands.add_parser(
        "predict",
        help="predict the rows of a file with a saved model",
        description="Write a line for each row: the prediction, and the probability of each class "
        "where the model gives such. Columns are found by their names, others are ignored.",
    )
    option = predict.add_argument
    option("model", metavar="MODEL", help="a file that gradtape train -o or model.save wrote")
    option("data", metavar="FILE", help="a CSV file with a header and the model's columns")
    option("-o", "--output", type=Path, metavar="PATH", help="write there, not to the terminal")
    predict.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    """Predict, and write a table."""
    if given.output is not None:
        check_place(given.output, "table")
    from gradtape.data import read_columns
    from gradtape.loading import load
    from gradtape.nn import Model

    try:
        model = load(given.model)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {given.model}") from None
    if not isinstance(model, Model):
        raise ValueError(f"{given.model} is a compiled function, not a model")
    columns = None if model.fitted is None else model.fitted.columns
    rows = read_columns(given.data, columns)
    wanted = getattr(model, "inputs", len(rows[0]))
    if len(rows[0]) != wanted:
        raise ValueError(
            f"{given.data} has {len(rows[0])} columns; the model, which knows no names of columns, "
            f"takes {wanted}"
        )
    # A terminal's line ends are its own; a file's are those of the format's users.
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table(model, rows))
    if given.output is None:
        sys.stdout.write(text.getvalue())
    else:
        given.output.write_text(text.getvalue(), encoding="utf-8", newline="")


def table(model: Any, rows: list[list[float]]) -> list[list[Any]]:
    """A header, and a line for each row: the prediction, then the probabilities.

    Examples
    --------
    >>> from gradtape.nn import MLP
    >>> table(MLP([1, 2], init="small"), [[0.0]])
    [['prediction', 'probability of 0', 'probability of 1'], [0, 0.5, 0.5]]
    """
    import numpy as np

    predicted = np.asarray(model.predict(np.array(rows)))
    several = predicted.ndim == 2
    name = (model.fitted and model.fitted.target) or "prediction"
    titles = [f"{name} {i + 1}" for i in range(predicted.shape[1])] if several else [name]
    lines = [list(row) if several else [row] for row in predicted.tolist()]
    task = "class" if model.fitted is None else model.fitted.task
    one = model.fitted is None and predicted.dtype.kind == "f"
    if task in ("class", "labels") and not one:
        shares = model.predict_proba(np.array(rows))
        classes = model.classes or range(shares.shape[1])
        titles += [f"probability of {c}" for c in classes]
        lines = [[*line, *row] for line, row in zip(lines, shares.tolist(), strict=True)]
    return [titles, *lines]
