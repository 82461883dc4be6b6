"""Rows and targets: iris, CSV files, splitting and standardising.

Examples
--------
>>> rows, targets, names = load_iris()
>>> len(rows), rows[0], names[targets[0]]
(150, [5.1, 3.5, 1.4, 0.2], 'setosa')
"""

from pathlib import Path

from gradtape.data.preparing import standardise, train_test_split
from gradtape.data.table import Dataset, column_names, read_columns, read_csv

__all__ = [
    "Dataset",
    "column_names",
    "load_iris",
    "read_columns",
    "read_csv",
    "standardise",
    "train_test_split",
]


def load_iris() -> Dataset:
    """Fisher's iris flowers.

    Returns
    -------
    Dataset
        150 rows of sepal length, sepal width, petal length and petal width in cm; 150 classes
        from 0 to 2; the three species.

    Notes
    -----
    Fisher (1936), "The use of multiple measurements in taxonomic problems", as in scikit-learn.

    Examples
    --------
    >>> load_iris().names
    ['setosa', 'versicolor', 'virginica']
    """
    return read_csv(Path(__file__).with_name("iris.csv"), "species")
