"""The tape as memory: what is cut, what is compacted, and that nothing else changes by it."""

import gc
import random
import subprocess
import sys

import gradtape as gt
import pytest
from gradtape import Value, _core

FLOOR = 65_536  # below this number of nodes the tape is not compacted


def size():
    gc.collect()
    return _core.tape_size()


def run(program):
    """A program in an interpreter of its own: an abort fails the test, not the test run."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )


# --- Cutting ------------------------------------------------------------------------------------


def test_dead_temporaries_are_cut():
    nodes, owned = size()
    x = Value(2.0)
    y = (x * 2 + 1) * 3
    assert size() == (nodes + 3, owned + 1)
    z = y * y
    del y
    assert size() == (nodes + 4, owned + 1)
    del z
    assert size() == (nodes, owned)
    kept = [x * k for k in range(10)]
    del kept[5]  # inside: it stays until the end of the tape is free
    assert size() == (nodes + 10, owned + 9)
    del kept[5:]
    assert size() == (nodes + 5, owned + 5)
    kept.clear()
    assert size() == (nodes, owned)
    assert x.grad == 0.0


def test_a_node_lives_while_a_value_reaches_it():
    nodes, owned = size()
    x = Value(3.0)
    h = x * 2
    keep, other = h * 5, h * 7
    del h
    del other
    assert size() == (nodes + 2, owned + 1)
    keep.backward()
    assert x.grad == 10.0
    assert keep.prev[0].prev[0] is x
    del x
    assert keep.prev[0].prev[0].data == 3.0
    assert keep.prev[0].prev[0].grad == 10.0


def test_n_ary_nodes_are_cut_with_their_operands():
    nodes, owned = size()
    xs = [Value(float(k)) for k in range(1, 5)]
    w = [Value(0.5 * k) for k in range(15)]
    first = gt.dot(xs, xs)
    for _ in range(100):
        out = _core.layer(xs, tuple(w), "tanh")
        del out[2:]
        total = gt.sum([*out, 1.0, first]) + gt.where(first, out[0], out[1])
        total.backward()
        del total, out
    assert size() == (nodes + 1, owned + 1)
    _core.zero_grad(xs)
    first.backward()
    assert _core.grads(xs) == [2.0, 4.0, 6.0, 8.0]


def by_operators(x, w, k):
    return ((x * w + k) * 1e-3).tanh() * w


def by_n_ary_nodes(x, w, k):
    return gt.sum(_core.layer([gt.dot([x, 1.0], [w, k]), 1.0], (w, x, w), "tanh"))


@pytest.mark.parametrize("step", [by_operators, by_n_ary_nodes])
@pytest.mark.parametrize("kept", [0, 1, 20])
def test_an_endless_loop_has_a_short_tape(step, kept):
    nodes, _ = size()
    x, w = Value(0.5), Value(0.25)
    window, longest = [], 0
    for k in range(60_000):
        loss = step(x, w, k * 1e-4)
        if kept and k % 10 == 0:
            window.append(loss)
            del window[:-kept]
        if k % 1000 == 0:
            loss.backward()
            longest = max(longest, _core.tape_size()[0] - nodes)
    assert longest <= FLOOR + 1000  # there is always a live value, so it is compacted
    assert x.grad != 0.0


# Leaves that are made or assigned to while one node lives on must not pile up anything.
GROWTH = """
import resource
from gradtape import Value, _core
x = Value(1.0)
keep = x * 2.0
parameters = [Value(float(k)) for k in range(50)]
numbers = [0.5] * 50
def step():
    {body}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(4000): step()
before = peak()
for _ in range(40_000): step()
print(peak() - before)
"""


@pytest.mark.parametrize(
    "body",
    [
        "_core.sum(parameters).backward(); _core.assign(parameters, numbers)",
        "_core.assign(parameters, numbers)",
        "[Value(0.5) for _ in range(50)]",
        "_core.sum([Value(0.5) for _ in range(50)]).backward()",
        "[v * 2.0 for v in parameters]",
    ],
)
def test_memory_stays_flat_while_a_node_is_kept(body):
    pytest.importorskip("resource")
    done = run(GROWTH.format(body=body))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 4096  # kilobytes; 16 bytes a step and leaf would be 16,000


def test_a_value_found_from_a_dying_values_callback_is_sound():
    done = run(
        "import weakref\n"
        "from gradtape import Value\n"
        "x = Value(2.0)\n"
        "y = x * 3\n"
        "z = y + 1\n"
        "found = []\n"
        "ref = weakref.ref(y, lambda _: found.append(z.prev[0]))\n"
        "del y\n"
        "del z\n"
        "more = [x * 1.0 for _ in range(3)]\n"
        "del more\n"
        "found[0].backward()\n"
        "print(found[0].data, x.grad)\n"
    )
    assert (done.returncode, done.stdout) == (0, "6.0 3.0\n"), done.stderr


# --- Long tapes ---------------------------------------------------------------------------------


def test_a_chain_of_two_million_records_sweeps_and_is_freed():
    nodes, owned = size()
    x = Value(1.5)
    y = x
    for _ in range(1_000_000):
        y = -(y + 1.0)
    assert size() == (nodes + 2_000_000, owned + 1)
    y.backward()
    y.backward()
    assert (x.grad, y.grad, y.data) == (2.0, 1.0, 1.5)
    assert y.prev[0].data == -1.5
    del y
    assert size() == (nodes, owned)


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled"])
def test_a_chain_of_live_values_is_freed_in_any_order(order):
    nodes, owned = size()
    x = Value(0.5)
    chain = [x]
    for _ in range(100_000):
        chain.append(chain[-1] + 1.0)
    chain[-1].backward()
    assert all(v.grad == 1.0 for v in chain)
    chain = chain[1:]
    if order == "backwards":
        chain.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(chain)
    while chain:
        chain.pop()
    assert size() == (nodes, owned)
    (x * 2).backward()
    assert x.grad == 3.0


# --- A long tape that stays -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_chain():
    x = Value(0.25, label="x")
    chain = [x]
    for k in range(300_000):
        chain.append(-chain[-1] if k % 2 else chain[-1] + 0.5)
    return chain


def test_few_nodes_at_the_end_of_a_long_tape(long_chain):
    x = Value(2.0)
    a, b = x * 3, x * 5
    c = a * b
    d = a - b
    for root, want in (
        (c, (10.0, 6.0, 60.0)),
        (d, (1.0, -1.0, -2.0)),
        (c, (10.0, 6.0, 60.0)),
        (c * 0.0 + a, (1.0, 0.0, 3.0)),  # b is reached with 0
        (a, (1.0, 0.0, 3.0)),  # b is not reached and keeps what it had
        (gt.sum([a, 1.0, a, x]), (2.0, 0.0, 7.0)),
        (gt.affine([a, 2.0, x], [b, x, 3.0], 1.0, "relu"), (10.0, 6.0, 65.0)),
    ):
        x.grad = 0.0
        root.backward()
        assert (a.grad, b.grad, x.grad) == want
    assert long_chain[-1].grad == 0.0
    assert long_chain[0].grad == 0.0


def test_a_root_at_the_end_that_reaches_the_beginning(long_chain):
    x, y = long_chain[0], Value(7.0)
    deep = [long_chain[k] for k in (1, 2, 3, 1500, 5000)]
    x.grad = 0.0
    out = gt.sum([v * y for v in deep])
    out.backward()
    signs = []
    for v in (1, 2, 3, 1500, 5000):
        flips = sum(1 for k in range(v) if k % 2)
        signs.append(-1.0 if flips % 2 else 1.0)
    assert x.grad == 7.0 * sum(signs)
    assert y.grad == sum(v.data for v in deep)
    assert deep[-1].grad == 7.0
    assert long_chain[5001].grad == 0.0
    x.grad = 0.0
    gt.sum([v * 0.0 for v in deep]).backward()
    assert [v.grad for v in deep] == [0.0] * 5
    assert long_chain[4].grad == 0.0  # reached, with an adjoint that is 0
    assert x.grad == 0.0


def test_the_whole_long_tape(long_chain):
    x = long_chain[0]
    x.grad = 0.0
    long_chain[-1].backward()
    assert x.grad == 1.0
    assert all(abs(v.grad) == 1.0 for v in long_chain[1:])
    (long_chain[-1] * 0.0).backward()
    assert not any(v.grad for v in long_chain[1:])
    assert x.grad == 1.0


def test_constants_leave_nothing_behind_where_leaves_come_to_stand():
    done = run(
        "from gradtape import Value, _core\n"
        "x = Value(1.0)\n"
        "y = x\n"
        "for _ in range(100_000):\n"
        "    y = y * 1.0\n"
        "y.backward()\n"
        "leaves = []\n"
        "for _ in range(100):\n"
        "    _core.affine([x, 2.0, x], [3.0, 4.0, x], 1.0).backward()\n"
        "    leaves += [Value(1.0) for _ in range(3)]\n"
        "    y.backward()\n"
        "print(x.grad, [v.grad for v in leaves if v.grad])\n"
    )
    assert (done.returncode, done.stdout) == (0, "601.0 []\n"), done.stderr


def test_constants_leave_nothing_behind_for_leaves_that_come_later(long_chain):
    x = Value(1.0)
    for _ in range(3):
        gt.sum([x, 5.0, 7.0]).backward()
        gt.affine([x, 2.0], [3.0, 4.0], 1.0).backward()
    leaves = []
    for _ in range(6):  # the leaves' places move as their number grows
        leaves += [Value(1.0) for _ in range(3 * len(leaves) + 100)]
        _core.zero_grad(leaves)
        gt.sum(leaves).backward()
        (leaves[0] * leaves[-1]).backward()
        assert _core.grads(leaves[1:-1]) == [1.0] * (len(leaves) - 2)
        gt.dot([x, 3.0], [1.0, 2.0]).backward()
    assert len(long_chain) > 1
