"""One line an epoch, and a progress bar where somebody looks at it."""

import os
import sys
from types import TracebackType
from typing import Any

from gradtape.history import History

_WIDTH = 24


def _has_lines() -> bool:
    """Whether stderr is a terminal that a bar can stand in."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    try:
        return os.get_terminal_size(sys.stderr.fileno()).lines > 1
    except (OSError, ValueError):
        return True


def epoch_line(history: History, epochs: int, validation: str = "validation") -> str:
    """What the latest epoch showed, in one line.

    Examples
    --------
    >>> epoch_line(History(loss=[0.5], accuracy=[0.75]), 20)
    'epoch  1/20  loss 0.5000  accuracy 0.7500'
    """
    done = len(history.loss)
    parts = [f"epoch {done:{len(str(epochs))}}/{epochs}", f"loss {history.loss[-1]:.4f}"]
    for name, line in (
        ("accuracy", history.accuracy),
        (f"{validation} loss", history.validation_loss),
        (f"{validation} accuracy", history.validation_accuracy),
    ):
        if line:
            parts.append(f"{name} {line[-1]:.4f}")
    return "  ".join(parts)


class Progress:
    """Prints a line an epoch on stdout, above a bar on stderr.

    The bar is tqdm's, from ``gradtape[progress]``. Where tqdm is missing or stderr is no terminal
    (or one without lines, as containers give), the bar is drawn with plain characters at the start
    of each line instead.

    Parameters
    ----------
    epochs : int
        How many there will be.
    validation : str
        What the validation rows are called.

    Examples
    --------
    >>> history = History(loss=[0.5])
    >>> with Progress(2) as progress:
    ...     progress.show(history)
    [############------------] epoch 1/2  loss 0.5000
    """

    def __init__(self, epochs: int, validation: str = "validation") -> None:
        self._epochs = epochs
        self._validation = validation
        self._bar: Any = None
        if _has_lines():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=epochs, desc="training", unit="epoch")

    def show(self, history: History) -> None:
        """Print the line of the latest epoch and move the bar."""
        line = epoch_line(history, self._epochs, self._validation)
        if self._bar is not None:
            self._bar.update()
            self._bar.write(line)
            return
        full = _WIDTH * len(history.loss) // self._epochs
        print(f"[{'#' * full}{'-' * (_WIDTH - full)}] {line}", flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
