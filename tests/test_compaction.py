"""Compaction of the tape under random programs whose handles die at random."""

import copy
import random
import subprocess
import sys
from itertools import pairwise

import gradtape as gt
import pytest
from gradtape import Value, _core

FLOOR = 65_536  # below this number of nodes the tape is not compacted


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
        return self.random.choice(self.leaves if self.random.random() < 0.8 else self.pool)

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


def main(seed):
    """A program long enough to be compacted several times."""
    program, sizes = Program(seed), []
    for _ in range(60):
        program.live(3000)
        sizes.append(_core.tape_size()[0])
        program.check()
        program.check_operands()
    recorded = sum(1 for operands in program.shadow.operands if operands)
    assert recorded > 2 * FLOOR
    assert sum(b < a for a, b in pairwise(sizes)) >= 2  # it did compact
    assert max(sizes) <= 2 * FLOOR
    program.pool.clear()
    program.leaves.clear()
    assert _core.tape_size() == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_compaction_changes_neither_values_nor_gradients(seed):
    # In an interpreter of its own: earlier tests make this one's tape longer before it compacts.
    command = [sys.executable, __file__, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


if __name__ == "__main__":
    main(int(sys.argv[1]))
