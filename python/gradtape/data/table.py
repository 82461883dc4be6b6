"""Reading tables of numbers with one column of classes from CSV files."""

import csv
import io
import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple


class Dataset(NamedTuple):
    """Rows of numbers with their classes.

    Attributes
    ----------
    rows : list of list of float
        m rows of n numbers.
    targets : list of int
        m classes, from 0 to k − 1.
    names : list of str
        The k classes' names.
    """

    rows: list[list[float]]
    targets: list[int]
    names: list[str]


def _text(path: Path) -> str:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a CSV file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise type(error)(f"cannot read {path}: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is not UTF-8 text: line {line} has the byte 0x{content[error.start]:02x}"
        ) from None


def _records(path: Path, text: str) -> list[tuple[str, list[str]]]:
    """The records that are not blank, each with its place for errors."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "," if "," in first else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[str, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                # The header is row 0, so that the first row of data is row 1.
                place = f"{path}, row {len(records)} (line {reader.line_num})"
                records.append((place, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num} is not CSV: {error}") from None
    return records


def _number(cell: str, place: str, column: str) -> float:
    where = f"{place}, column {column!r}"
    if not cell:
        raise ValueError(f"{where} is empty where a number is expected")
    try:
        # Python reads "1_000" as a number, no other program does.
        number = float("text" if "_" in cell else cell)
    except ValueError:
        raise ValueError(f"{where} has the text {cell!r} where a number is expected") from None
    if not math.isfinite(number):
        raise ValueError(f"{where} has {cell} where a finite number is expected")
    return number


def _class_name(cell: str, place: str, column: str) -> str:
    try:
        missing = not cell or not math.isfinite(float(cell))
    except ValueError:
        missing = False
    if missing:
        what = f"has {cell}" if cell else "is empty"
        raise ValueError(f"{place}, column {column!r} {what} where a class is expected")
    return cell


def _sorted_names(names: set[str]) -> list[str]:
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _shown(columns: list[str]) -> str:
    more = f" and {len(columns) - 12} more" if len(columns) > 12 else ""
    return ", ".join(repr(column) for column in columns[:12]) + more


def read_columns(path: str | PathLike[str], columns: Sequence[str] | None) -> list[list[float]]:
    r"""Read columns of numbers by their names; others are ignored.

    Parameters
    ----------
    path : path
        A file as `read_csv` takes it.
    columns : sequence of str, optional
        Names in the order in which the rows shall have them; all columns by default.

    Returns
    -------
    list of list of float

    Raises
    ------
    OSError, ValueError
        As for `read_csv`; also if a column is missing or stands there twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("weight,colour,size\n5,blue,1\n90,red,7\n")
    ...     read_columns(path, ["size", "weight"])
    [[1.0, 5.0], [7.0, 90.0]]
    """
    path = Path(path)
    header, body = _table(path)
    columns = header if columns is None else columns
    for column in columns:
        _check_column(path, header, column)
    places = [header.index(column) for column in columns]
    return [[_number(cells[i], place, header[i]) for i in places] for place, cells in body]


def column_names(path: str | PathLike[str]) -> list[str]:
    """The names in the header of a file as `read_csv` takes it.

    Raises
    ------
    OSError, ValueError
        As for `read_csv`.
    """
    return _table(Path(path))[0]


def _table(path: Path) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The header; and the rows, each with its place for errors and as long as the header."""
    records = _records(path, _text(path))
    if not records:
        raise ValueError(f"{path} is empty: a header and rows are expected")
    header, body = records[0][1], records[1:]
    if not body:
        raise ValueError(f"{path} has a header but no rows")
    for place, cells in body:
        if len(cells) != len(header):
            raise ValueError(
                f"{place} has {len(cells)} cell{'s' * (len(cells) != 1)} "
                f"where the header has {len(header)} columns"
            )
    return header, body


def _check_column(path: Path, header: list[str], column: str) -> None:
    if header.count(column) != 1:
        how_many = "more than one column" if column in header else "no column"
        raise ValueError(f"{path} has {how_many} {column!r}; its columns are {_shown(header)}")


def read_csv(path: str | PathLike[str], target: str) -> Dataset:
    r"""Read a table with a header: numbers in every column but the one of the classes.

    Columns are separated by commas, or by semicolons or tabs where the header has no comma; the
    text is UTF-8. Blank lines are skipped.

    Parameters
    ----------
    path : path
        The file.
    target : str
        The column of the classes, of which there are at least two; they may be text or numbers,
        and are sorted.

    Returns
    -------
    Dataset

    Raises
    ------
    OSError
        ``FileNotFoundError``, ``IsADirectoryError`` and the like, if the file cannot be read.
    ValueError
        If the table is not of that kind: a sentence that names the file, the row (the first one
        after the header is 1), its line in the file and the column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("weight,fruit\n5,plum\n90,apple\n6,plum\n")
    ...     read_csv(path, "fruit")
    Dataset(rows=[[5.0], [90.0], [6.0]], targets=[1, 0, 1], names=['apple', 'plum'])
    """
    path = Path(path)
    header, body = _table(path)
    _check_column(path, header, target)
    if len(header) == 1:
        raise ValueError(f"{path} has no column besides the target {target!r}")
    at = header.index(target)
    rows, classes = [], []
    for place, cells in body:
        pairs = zip(cells, header, strict=True)
        numbers = [_number(cell, place, name) for i, (cell, name) in enumerate(pairs) if i != at]
        rows.append(numbers)
        classes.append(_class_name(cells[at], place, target))
    names = _sorted_names(set(classes))
    if len(names) == 1:
        raise ValueError(
            f"{path}, column {target!r} has the single class {names[0]!r} in every row, "
            "so there is nothing to tell apart"
        )
    number_of = {name: i for i, name in enumerate(names)}
    return Dataset(rows, [number_of[name] for name in classes], names)
