"""The tape as memory: what is cut, what is compacted, and that nothing else changes by it."""

import copy
import gc
import random
import subprocess
import sys
from itertools import pairwise

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


@pytest.mark.parametrize("kept", [0, 1, 20])
def test_an_endless_loop_has_a_short_tape(kept):
    nodes, _ = size()
    x, w = Value(0.5), Value(0.25)
    window, longest = [], 0
    for k in range(30_000):
        loss = ((x * w + k) * 1e-3).tanh() * w
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
for _ in range(20_000): step()
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


# --- Compaction ---------------------------------------------------------------------------------


class Shadow:
    """What the tape should be: nodes in plain Python, with a reverse sweep of its own."""

    def __init__(self):
        self.data, self.operands, self.grad = [], [], []

    def add(self, data, operands=()):
        self.data.append(data)
        self.operands.append(operands)
        self.grad.append(0.0)
        return len(self.data) - 1

    def backward(self, root):
        adjoint, reached, stack = {root: 1.0}, {root}, [root]
        while stack:
            for operand, _ in self.operands[stack.pop()]:
                if operand not in reached:
                    reached.add(operand)
                    stack.append(operand)
        for i in sorted(reached, reverse=True):
            a = adjoint.get(i, 0.0)
            self.grad[i] = a if self.operands[i] else self.grad[i] + a
            for operand, partial in self.operands[i]:
                adjoint[operand] = adjoint.get(operand, 0.0) + a * partial


class Program:
    """A random program, on the tape and on its shadow; handles die at random."""

    LIVE = 300

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shadow = Shadow()
        self.leaves = [self.leaf() for _ in range(40)]
        self.pool = list(self.leaves)

    def leaf(self):
        data = self.random.uniform(-1, 1)
        return (Value(data), self.shadow.add(data))

    def pick(self):
        # Mostly leaves, so that most of the past is unreachable by and by.
        return self.random.choice(self.leaves if self.random.random() < 0.6 else self.pool)

    def step(self):
        kind = self.random.randrange(8)
        if kind < 3:
            (x, i), (y, j) = self.pick(), self.pick()
            a, b = x.data, y.data
            made = [
                lambda: (x + y, ((i, 1.0), (j, 1.0))),
                lambda: (x * y, ((i, b), (j, a))),
                lambda: (x - y, ((i, 1.0), (j, -1.0))),
            ][kind]()
        elif kind == 3:
            (x, i) = self.pick()
            value = gt.tanh(x)
            made = (value, ((i, 1.0 - value.data**2),))
        elif kind == 4:
            (x, i) = self.pick()
            made = (0.5 * x if self.random.random() < 0.5 else x / 2.0, ((i, 0.5),))
        elif kind == 5:
            xs = [self.pick() for _ in range(self.random.randrange(5))]
            made = (gt.sum([*(x for x, _ in xs), 0.25]), tuple((i, 1.0) for _, i in xs))
        elif kind == 6:
            (q, k), (x, i), (y, j) = self.pick(), self.pick(), self.pick()
            yes = float(q.data != 0.0)
            made = (gt.where(q, x, y), ((k, 0.0), (i, yes), (j, 1.0 - yes)))
        else:
            return self.layer()
        value, operands = made
        return [(value, self.shadow.add(value.data, operands))] if operands else []

    def layer(self):
        xs, n = [self.pick() for _ in range(3)], self.random.randrange(1, 4)
        w = [self.pick() for _ in range(4 * n)]
        out = _core.layer([x for x, _ in xs], tuple(v for v, _ in w), "tanh")
        nodes = []
        for k, value in enumerate(out):
            d = 1.0 - value.data**2
            own = w[4 * k : 4 * k + 4]
            operands = [(i, d * v.data) for (_, i), (v, _) in zip(xs, own[:3], strict=True)]
            operands += [(i, d * x.data) for (x, _), (_, i) in zip(xs, own[:3], strict=True)]
            nodes.append((value, self.shadow.add(value.data, (*operands, (own[3][1], d)))))
        return nodes

    def live(self, count):
        for _ in range(count):
            made = self.step()
            for handle in made:
                if abs(handle[0].data) < 4.0 and self.random.random() < 0.7:
                    self.pool.append(handle)
            while len(self.pool) > self.LIVE:
                self.pool.pop(self.random.randrange(len(self.pool)))
        # Some leaves are new ones; an earlier one may live on in nodes alone.
        for k in range(0, len(self.leaves), 7):
            self.leaves[k] = self.leaf()
        # An assigned leaf counts as another one from here on, but keeps its gradient.
        for k in range(3, len(self.leaves), 9):
            self.leaves[k][0].data = self.random.uniform(-1, 1)

    def check(self):
        root, i = self.random.choice([h for h in self.pool if h[0].prev])
        root.backward()
        self.shadow.backward(i)
        for value, k in self.pool:
            want = self.shadow.grad[k]
            assert value.grad == pytest.approx(want, rel=1e-11, abs=1e-12)
            if value.prev:
                assert value.data == self.shadow.data[k]

    def check_operands(self):
        """Operands, the dead among them, have the data that they were recorded with."""
        for value, k in self.pool[-10:]:
            v, i = value, k
            for _ in range(5):
                operands = zip(v.prev, self.shadow.operands[i], strict=True)
                inner = [(p, j) for p, (j, _) in operands if p.prev]
                assert all(p.data == self.shadow.data[j] for p, j in inner)
                if not inner:
                    break
                v, i = self.random.choice(inner)


@pytest.mark.parametrize("seed", range(3))
def test_compaction_changes_neither_values_nor_gradients(seed):
    nodes, _ = size()
    program, sizes = Program(seed), []
    for _ in range(60):
        program.live(3000)
        sizes.append(_core.tape_size()[0] - nodes)
        program.check()
        program.check_operands()
    recorded = sum(1 for operands in program.shadow.operands if operands)
    assert recorded > 2 * FLOOR
    assert sum(b < a for a, b in pairwise(sizes)) >= 2  # it did compact
    assert max(sizes) < recorded
    program.pool.clear()
    program.leaves.clear()
    assert size()[0] <= nodes


@pytest.mark.parametrize("seed", range(20))
def test_small_programs_with_random_deaths(seed):
    program = Program(1000 + seed)
    for _ in range(15):
        program.live(60)
        program.check()
        program.check_operands()


def test_restored_graphs_survive_compaction():
    x = Value(0.5)
    out = gt.affine([x * 2, 3.0], [x, x + 1], 0.5, "tanh") * gt.logsumexp([x, 0.0])
    out.backward()
    want = x.grad
    x2, out2 = copy.deepcopy([x, out])
    _core.zero_grad([x2])
    garbage = [x2 * k for k in range(2 * FLOOR)]
    del garbage[:-1]
    garbage += [x2 * k for k in range(2 * FLOOR)]
    out2.backward()
    assert x2.grad == want
    assert out2.prev[0].op == "affine"
    assert [v.data for v in out2.prev] == [v.data for v in out.prev]
