"""What is said of operations of any number of operands is what the tape computes."""

import math

import pytest
from gradtape import Value, _core
from gradtape.show.expression import parse
from gradtape.show.graph import Graph
from gradtape.show.table import RUNS, row_of, table
from hypothesis import given, settings
from hypothesis import strategies as st

numbers = st.floats(-3.0, 3.0).map(lambda x: round(x, 3))


def applied(row, x):
    return _core.derivatives(row, [x])[0] if row else x


def test_the_table_and_its_runs_have_the_same_names():
    assert set(RUNS) == {name for name, operands, *_ in _core.operations() if not operands}
    assert [row.name for row in table()] == [name for name, *_ in _core.operations()]
    with pytest.raises(KeyError):
        row_of("nothing")


@pytest.mark.parametrize("name", RUNS)
@settings(deadline=None)
@given(data=st.data())
def test_a_run_is_its_terms_and_its_derivatives(name, data):
    run = row_of(name).run
    terms = data.draw(st.integers(1, 5))
    count = terms * (2 if run.paired else 1) + run.biased
    given = data.draw(st.lists(numbers, min_size=count, max_size=count))
    leaves = [Value(x) for x in given]
    graph = Graph(getattr(_core, name)(*run.arguments(leaves)), leaves)
    assert run.terms(count) == terms
    total = math.fsum(
        applied(run.each, math.prod(given[k] for k in run.term(count, i))) for i in range(terms)
    )
    total += given[-1] if run.biased else 0.0
    result = float(graph.values[graph.root])
    assert result == pytest.approx(applied(run.whole, total), rel=1e-12, abs=1e-12)
    for k, x in enumerate(given):
        partner = run.partner(count, k)
        partial = 1.0 if partner is None else given[partner]
        if run.share is not None:
            share = parse(run.share.text.replace("$", ""))
            partial = share.evaluate({"x": x, "r": result})
        assert graph.partial(graph.root, k) == pytest.approx(partial, rel=1e-12)
    if name == "affine":
        assert graph.sum_inside(graph.root) == result
        assert graph.partial_inside(graph.root, 0) == graph.partial(graph.root, 0)
