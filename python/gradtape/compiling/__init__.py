"""Compiled functions: recorded once, optimized, replayed natively over rows."""

from gradtape.compiling.function import Compiled, compile
from gradtape.compiling.saving import load

__all__ = ["Compiled", "compile", "load"]
