"""What is shown can be written to a file; the path's ending says as what."""

from os import PathLike
from pathlib import Path
from typing import ClassVar

__all__ = ["Saved"]


class Saved:
    """Something with texts that can be saved.

    Attributes
    ----------
    noun : str
        What it is called in messages.
    endings : dict of str to str
        Of each ending of a path the attribute that holds the text.
    """

    noun: ClassVar[str]
    endings: ClassVar[dict[str, str]]

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it to a file; the path's ending says as what.

        Drawings are saved as .svg, .dot or .html, animations as .html.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            If the ending is none of these.
        OSError
            If the file cannot be written.
        """
        path = Path(path)
        attribute = self.endings.get(path.suffix.lower())
        if attribute is None:
            *others, last = dict.fromkeys(f".{text}" for text in self.endings.values())
            kinds = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"{self.noun} is saved as {kinds}, not as {path.name!r}")
        path.write_text(getattr(self, attribute), encoding="utf-8")
        return path
