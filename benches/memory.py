"""Work 5: 100,000 training steps of a small graph; what stays resident after the first thousand.

Run as a script it is the fresh process that trains.
"""

import json
import sys
from collections import deque

import timing
from report import Claim, Row

STEPS = 100_000
MEGABYTE = 1024.0  # in KiB


def growth(keep: bool, steps: int) -> float:
    """Train; give the most KiB that were resident at a multiple of 1,000 steps over the first."""
    from gradtape import Value, tanh

    w, u, b = Value(0.3), Value(-0.2), Value(0.1)
    kept: deque[Value] = deque(maxlen=50)
    residents = []
    for step in range(1, steps + 1):
        x = (step % 7) / 7.0
        p = tanh(w * x + b) * u + b
        loss = (p - x * x) ** 2 + (w * w + u * u) * 1e-3
        loss.backward()
        for leaf in (w, u, b):
            leaf.data -= 0.05 * leaf.grad
            leaf.grad = 0.0
        if keep and step % 10 == 0:
            kept.append(loss)
        if step % 1000 == 0:
            residents.append(timing.resident())
    return (max(residents) - residents[0]) / 1024


def run(quick: bool) -> list[Row]:
    """Measure with every graph dropped at once, and with every tenth kept for a while."""
    steps = STEPS // 10 if quick else STEPS
    made = []
    for keep, title in ((0, "graphs dropped"), (1, "every tenth kept for 500 steps")):
        grown = timing.child("memory.py", keep, steps)
        title = f"memory over {steps:,} steps, {title}"
        made.append(Row(title, "KiB", {"gradtape": grown}, [Claim(grown, MEGABYTE)]))
    return made


if __name__ == "__main__":
    print(json.dumps(growth(sys.argv[1] == "1", int(sys.argv[2]))))
