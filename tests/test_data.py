import csv
import io
import math
import statistics
import sys

import pytest
from gradtape.data import Dataset, load_iris, read_csv, standardise, train_test_split
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60)
finite = st.floats(allow_nan=False, allow_infinity=False)
# Text that no reader takes for a number that is missing; the reader strips spaces.
words = st.text(st.characters(codec="utf-8", categories=["L", "P"]), min_size=1).filter(
    lambda s: s.lower().lstrip("+-") not in {"nan", "inf", "infinity"}
)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@quick
@given(st.lists(st.tuples(finite, words, finite), min_size=2, max_size=8))
def test_what_is_written_is_read(tmp_path_factory, records):
    classes = [word for _, word, _ in records]
    text = io.StringIO()
    csv.writer(text).writerows([("x", "kind", "y"), *records])
    path = write(tmp_path_factory.mktemp("csv") / "t.csv", text.getvalue())
    if len(set(classes)) == 1:
        with pytest.raises(ValueError, match="single class"):
            read_csv(path, "kind")
        return
    rows, targets, names = read_csv(path, "kind")
    assert rows == [[x, y] for x, _, y in records]
    assert [names[t] for t in targets] == classes
    assert len(set(names)) == len(names)


@quick
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "t.csv"
    path.write_bytes(content)
    try:
        data = read_csv(path, "a")
    except ValueError as error:
        message = str(error)
    else:
        message = str(path)
        assert len(data.rows) == len(data.targets) > 0
    assert str(path) in message
    assert "\n" not in message


@quick
@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_a_split_deals_out_every_row_once(count, share, seed):
    rows, targets = [[i] for i in range(count)], [str(i) for i in range(count)]
    test_count = math.ceil(share * count)
    if test_count == count:
        with pytest.raises(ValueError, match="both parts need at least one row"):
            train_test_split(rows, targets, share, seed)
        return
    train, test, train_targets, test_targets = train_test_split(rows, targets, share, seed)
    assert len(test) == test_count
    assert sorted(train + test) == rows
    assert [str(i) for (i,) in train] == train_targets
    assert [str(i) for (i,) in test] == test_targets
    assert train_test_split(rows, targets, share, seed)[0] == train


def test_the_split_of_iris_is_scikit_learns():
    # sklearn.model_selection.train_test_split(range(150), test_size=.25, random_state=42)
    train, test, *_ = train_test_split(list(range(150)), list(range(150)))
    assert (len(train), len(test)) == (112, 38)
    assert test == [
        73, 18, 118, 78, 76, 31, 64, 141, 68, 82, 110, 12, 36, 9, 19, 56, 104, 69, 55, 132,
        29, 127, 26, 128, 131, 145, 108, 143, 45, 30, 22, 15, 65, 11, 42, 146, 51, 27,
    ]  # fmt: skip
    assert train[:12] == [4, 32, 142, 85, 86, 16, 10, 81, 133, 137, 75, 109]
    assert train[-6:] == [20, 71, 106, 14, 92, 102]


def test_iris():
    iris = load_iris()
    assert isinstance(iris, Dataset)
    assert iris.names == ["setosa", "versicolor", "virginica"]
    assert iris.targets == [0] * 50 + [1] * 50 + [2] * 50
    columns = list(zip(*iris.rows, strict=True))
    # The summary that comes with scikit-learn's copy.
    assert [min(c) for c in columns] == [4.3, 2.0, 1.0, 0.1]
    assert [max(c) for c in columns] == [7.9, 4.4, 6.9, 2.5]
    assert [round(statistics.fmean(c), 2) for c in columns] == [5.84, 3.06, 3.76, 1.2]
    # Fisher's own rows 35 and 38, which the UCI file has wrong.
    assert iris.rows[34] == [4.9, 3.1, 1.5, 0.2]
    assert iris.rows[37] == [4.9, 3.6, 1.4, 0.1]


tables = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n), min_size=2, max_size=10
    )
)


@quick
@given(tables)
def test_standardised_columns_have_mean_0_and_deviation_1(rows):
    (scaled,) = standardise(rows)
    for before, after in zip(zip(*rows, strict=True), zip(*scaled, strict=True), strict=True):
        spread = max(before) - min(before)
        if spread == 0.0:
            assert set(after) == {0.0}
        elif spread > 1e-6 * max(map(abs, before)):
            assert statistics.fmean(after) == pytest.approx(0.0, abs=1e-6)
            assert statistics.pstdev(after) == pytest.approx(1.0, rel=1e-6)


@quick
@given(tables, st.integers(-1000, 1000))
def test_the_unit_of_a_column_does_not_matter(rows, exponent):
    unit = math.ldexp(1.0, exponent)
    wide = [[x * unit for x in row] for row in rows]
    if [[x / unit for x in row] for row in wide] == rows:
        assert standardise(wide) == standardise(rows)


def test_other_rows_get_the_shift_and_scale_of_the_first():
    train, test, more = standardise([[0.0, 5.0], [4.0, 5.0]], [[6.0, 7.0]], [])
    assert train == [[-1.0, 0.0], [1.0, 0.0]]
    assert test == [[2.0, 0.0]]
    assert more == []
    # The mean of six times 0.4 is not 0.4 in floats; such a column is constant all the same.
    assert standardise([[0.4]] * 6)[0] == [[0.0]] * 6
    huge, _ = standardise([[1.7e308], [-1.7e308]], [[0.0]])
    assert huge == [[1.0], [-1.0]]


def test_what_cannot_be_split_or_standardised():
    with pytest.raises(ValueError, match="2 rows take as many targets, not 1"):
        train_test_split([[1], [2]], [0])
    for size in (0.0, 1.0, -0.5, math.nan):
        with pytest.raises(ValueError, match=f"between 0 and 1, not {size}"):
            train_test_split([[1], [2]], [0, 1], size)
    with pytest.raises(ValueError, match=r"1 row cannot be split"):
        train_test_split([[1]], [0])
    with pytest.raises(ValueError, match=r"from 0 to 2\*\*32 - 1, not -1"):
        train_test_split([[1], [2]], [0, 1], seed=-1)
    with pytest.raises(ValueError, match="no row"):
        standardise([])
    with pytest.raises(ValueError, match="row 1 has 1 numbers where the first has 2"):
        standardise([[1, 2]], [[1, 2], [3]])


@pytest.mark.parametrize(
    ("text", "names", "targets"),
    [
        ("x,c\n1,b\n2,a\n", ["a", "b"], [1, 0]),
        ("x;c\n1;b\n2;a\n", ["a", "b"], [1, 0]),
        ("x\tc\n1\tb\n2\ta\n", ["a", "b"], [1, 0]),
        ("\ufeffc,x\nb,1\na,2\n", ["a", "b"], [1, 0]),
        ("\ufeffx,c\r\n1,b\r\n\r\n 2 , a \r\n", ["a", "b"], [1, 0]),
        ("x,c\r1,b\r2,a", ["a", "b"], [1, 0]),
        ('x,c\n1,"b, or\nnot"\n2,a\n', ["a", "b, or\nnot"], [1, 0]),
        ("x,c\n1,10\n2,9\n", ["9", "10"], [1, 0]),
        ("x,c\n1,10\n2,9a\n", ["10", "9a"], [0, 1]),
    ],
)
def test_kinds_of_files(tmp_path, text, names, targets):
    data = read_csv(write(tmp_path / "t.csv", text), "c")
    assert data == Dataset([[1.0], [2.0]], targets, names)


GOOD = "x,y,c\n1,2,a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: a header and rows are expected"),
        ("\n \n", "is empty"),
        ("x,y,c\n", "has a header but no rows"),
        ("x,y\n1,2\n", "has no column 'c'; its columns are 'x', 'y'"),
        ("c,x,c\n1,2,3\n", "has more than one column 'c'"),
        ("c\n1\n2\n", "has no column besides the target 'c'"),
        (GOOD + "3,tall,b\n", r"row 2 \(line 3\), column 'y' has the text 'tall'"),
        (GOOD + "\n3,tall,b\n", r"row 2 \(line 4\), column 'y' has the text 'tall'"),
        (GOOD + "3,1_0,b\n", r"row 2 \(line 3\), column 'y' has the text '1_0'"),
        (GOOD + ",4,b\n", r"row 2 \(line 3\), column 'x' is empty where a number"),
        (GOOD + "3,NaN,b\n", r"row 2 \(line 3\), column 'y' has NaN where a finite number"),
        (GOOD + "-inf,4,b\n", r"row 2 \(line 3\), column 'x' has -inf where a finite number"),
        (GOOD + "1e999,4,b\n", r"row 2 \(line 3\), column 'x' has 1e999 where a finite"),
        (GOOD + "3,4,\n", r"row 2 \(line 3\), column 'c' is empty where a class"),
        (GOOD + "3,4,nan\n", r"row 2 \(line 3\), column 'c' has nan where a class"),
        (GOOD + "3,4\n", r"row 2 \(line 3\) has 2 cells where the header has 3 columns"),
        (GOOD + "3,4,b,5\n", r"row 2 \(line 3\) has 4 cells where the header has 3 columns"),
        (GOOD + "3,4,a\n", "column 'c' has the single class 'a' in every row"),
        (GOOD + '3,4,"b\n', "line 3 is not CSV"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(ValueError, match=message) as error:
        read_csv(path, "c")
    assert str(path) in str(error.value)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD.encode() + b"1,2,\xe9t\xe9\n")
    with pytest.raises(ValueError, match="not UTF-8 text: line 3 has the byte 0xe9"):
        read_csv(path, "c")
    path.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(ValueError, match="not UTF-8 text: line 1 has the byte 0xff"):
        read_csv(path, "c")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.csv"):
        read_csv(tmp_path / "nothing.csv", "c")
    with pytest.raises(IsADirectoryError, match="is a directory, not a CSV file"):
        read_csv(tmp_path, "c")


def test_data_needs_no_numpy_until_the_split(monkeypatch):
    for name in ("numpy", "numpy.random"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(load_iris().rows) == 150
    with pytest.raises(ImportError):
        train_test_split([[1], [2]], [0, 1])
