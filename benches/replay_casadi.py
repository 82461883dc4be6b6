"""The works in CasADi: its virtual machine mapped over rows, and its C code compiled by gcc."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import casadi as ca
import numpy as np
import replay_texts as texts
from replay_works import (
    HESTON,
    LOTKA,
    STEPS_LOTKA,
    Array,
    Contender,
    Run,
    flat,
    flowers,
    layered,
    normals,
    one_hot,
    options,
    shaped,
)

m = SimpleNamespace(
    exp=ca.exp,
    log=ca.log,
    sqrt=ca.sqrt,
    norm_cdf=lambda x: 0.5 * (1.0 + ca.erf(x * 0.5**0.5)),
    maximum=ca.fmax,
    relu=lambda x: x * (x > 0.0),  # the derivative of its fmax has a division
)

# In one file with CasADi's code, so that gcc sees both. With step 0 the outputs are summed.
DRIVER = """
void rows(long first, long last, const double* p, long p_step, const double* d, long d_step,
          double* out, long step) {
  static _Thread_local double kept[OUTPUTS], w[WORK];
  casadi_int iw[INTEGERS];
  const double* arg[ARGUMENTS];
  double* res[RESULTS];
  for (long row = first; row < last; ++row) {
    arg[0] = p + row * p_step;
    arg[1] = d + row * d_step;
    res[0] = step ? out + row * step : kept;
    f(arg, res, iw, w, 0);
    if (!step) for (int j = 0; j < OUTPUTS; ++j) out[j] += kept[j];
  }
}
"""

Text = Callable[[list[Any], list[Any]], Any]
Read = Callable[[Array], list[Array]]


def function(text: Text, wanted: int, data: int) -> Any:
    """Make the function of parameters and of a row's data that gives value and gradient."""
    p, d = ca.SX.sym("p", wanted), ca.SX.sym("d", data)
    value = text(ca.vertsplit(p), ca.vertsplit(d))
    return ca.Function("f", [p, d], [ca.vertcat(value, ca.gradient(value, p))])


def stepped() -> Any:
    """Make the same of the Lotka-Volterra equations as a loop that calls a step and its reverse.

    gcc takes minutes for all steps written out; this is faster as C and slower without.
    """
    state = ca.SX.sym("state", len(LOTKA))
    parts = ca.vertsplit(state)
    step = ca.Function("step", [state], [ca.vertcat(*parts[:4], *texts.rk4(*parts))])
    p, d = ca.MX.sym("p", len(LOTKA)), ca.MX.sym("d", 0)
    value = ca.sum1(step.mapaccum(STEPS_LOTKA)(p)[-2:, -1])
    return ca.Function("f", [p, d], [ca.vertcat(value, ca.gradient(value, p))])


def library(made: Any) -> Any:
    """Write the function as C with a loop over rows, and compile and load that."""
    sizes = {"OUTPUTS": made.numel_out(0), "WORK": made.sz_w(), "INTEGERS": made.sz_iw()}
    sizes |= {"ARGUMENTS": made.sz_arg(), "RESULTS": made.sz_res()}
    code = ca.CodeGenerator("f.c")
    code.add(made)
    # An array of no elements is not C: CasADi needs none of some.
    defines = [f"enum {{ {name} = {max(size, 1)} }};" for name, size in sizes.items()]
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "f.c"), Path(folder, "f.so")
        source.write_text("\n".join([code.dump(), *defines, DRIVER]))
        command = ["gcc", "-O3", "-march=native", "-fPIC", "-shared", "-o", str(built)]
        subprocess.run([*command, str(source), "-lm"], check=True, capture_output=True)
        return ctypes.CDLL(str(built))


def in_c(make: Callable[[], Any], p: Array, d: Array, threads: int) -> Run:
    """Call the C code for lines of data; average over the rows if they share their parameters."""
    made, shared, rows = make(), p.ndim == 1, len(d)
    outputs = made.numel_out(0)
    loop, long = library(made).rows, ctypes.c_long

    def lines(array: Array, step: int) -> list[Any]:
        return [array.ctypes.data_as(ctypes.c_void_p), long(step)]

    data = lines(p, 0 if shared else p.shape[1]) + lines(d, d.shape[1])
    ends = [rows * i // threads for i in range(threads + 1)]
    pool = ThreadPoolExecutor(threads)

    def run() -> Array:
        found = np.zeros((threads if shared else rows, outputs))
        into = [found[i * shared :] for i in range(threads)]
        step = 0 if shared else outputs

        def part(i: int) -> None:
            loop(long(ends[i]), long(ends[i + 1]), *data, *lines(into[i], step))

        if threads == 1:
            part(0)
        else:
            list(pool.map(part, range(threads)))
        return found.sum(axis=0) / rows if shared else found

    return run


def mapped(make: Callable[[], Any], p: Array, d: Array, threads: int) -> Run:
    """Map CasADi's virtual machine over columns of data; average if they share their parameters."""
    made, shared, rows = make(), p.ndim == 1, len(d)
    data = [ca.DM(p.T), ca.DM(d.T)]
    if rows == 1:
        return lambda: made(*data).full().T
    whole = made.map(rows, "thread", threads) if threads > 1 else made.map(rows)
    if not shared:
        return lambda: whole(*data).full().T
    inputs = [ca.MX.sym("p", p.size), ca.MX.sym("d", d.shape[1], rows)]
    found = whole(ca.repmat(inputs[0], 1, rows), inputs[1])
    mean = ca.Function("mean", inputs, [ca.sum2(found) / rows])
    return lambda: mean(*data).full().T


def joined(found: Array) -> list[Array]:
    """Give value and gradient as one array."""
    return [found.ravel()]


def network(rows: int) -> tuple[Text, Array, Array, Read]:
    x, classes = flowers(rows)
    return (
        lambda p, d: texts.loss(m, shaped(p), d[:4], d[4:]),
        np.array(flat()),
        np.hstack([x, one_hot(classes)]),
        lambda found: layered(found.ravel()[0], found.ravel()[1:]),
    )


def work_of(work: str, rows: int) -> tuple[Text, Array, Array, Read]:
    """Give the scalar function, its parameters, its lines of data, and how to read results."""
    none = np.zeros((rows, 0))
    if work == "network":
        return network(rows)
    if work == "blackscholes":
        lines = np.stack(options(rows), axis=1)
        return lambda p, _: texts.price(m, *p), lines, none, lambda found: list(found.T)
    if work == "heston":
        p = np.array(list(HESTON.values()))
        return lambda p, z: texts.heston(m, p, z), p, normals(rows), joined
    return lambda p, _: texts.lotka(*p), np.array(list(LOTKA.values())), none, joined


def contenders(work: str, rows: int, threads: int, slow: bool) -> dict[str, Contender]:
    """Give CasADi's ways to do a work."""
    text, p, d, read = work_of(work, rows)
    make = partial(function, text, p.shape[-1], d.shape[1])
    found = {"CasADi": Contender(partial(mapped, make, p, d, threads), read)}
    if shutil.which("gcc"):
        name, source = ("C of a step", stepped) if work == "lotka" else ("C", make)
        found[f"CasADi, {name}"] = Contender(partial(in_c, source, p, d, threads), read)
    return found
