"""Numbers and names as people read them, as text and as LaTeX."""

import math
import re
import unicodedata

from gradtape.show.table import Formula

__all__ = ["ROOM", "atomic", "bracketed", "clean", "name", "number", "numeral", "width"]

# Longer names would push everything else off the page; one that stands alone may have more room.
LONGEST, ROOM = 40, 60
_UNSIGNED = re.compile(r"(\d+\.?\d*(e-?\d+)?|inf|nan)")
_ATOM = re.compile(r"[\w.'\[\]#…\u2068\u2069]+")
_SYMBOL = re.compile(r"([A-Za-z]+)_?(\d+)|([A-Za-z])")
_ROMAN = re.compile(r"\\mathrm\{((?:[^{}]|\\[{}])*)\}")
_LATEX = {
    "\\": r"\backslash ",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\sim ",
    "^": r"\wedge ",
    "<": r"\lt ",
    ">": r"\gt ",
    "|": r"\vert ",
    " ": r"\ ",
    "`": r"\prime ",
}


def numeral(x: float, digits: int | None = 4) -> str:
    """A number in few digits, whole numbers written out; or, with None, as Python writes it.

    Examples
    --------
    >>> [numeral(x) for x in (0.70710678, 1234.0, 1e-7 / 3, -float("inf"))]
    ['0.7071', '1234', '3.333e-8', '-inf']
    """
    if digits is None:
        return repr(x)
    if x == 0.0:
        return "0"
    if math.isfinite(x) and x == round(x) and abs(x) < 10 ** max(digits, 6):
        return str(round(x))
    mantissa, e, exponent = f"{x:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def number(x: float, digits: int | None = 4) -> Formula:
    """A number as text and as LaTeX."""
    text = numeral(x, digits)
    if math.isnan(x):
        return Formula(text, r"\mathrm{nan}")
    if math.isinf(x):
        return Formula(text, text.replace("inf", r"\infty"))
    mantissa, e, exponent = text.partition("e")
    return Formula(text, rf"{mantissa} \cdot 10^{{{exponent}}}" if e else text)


def clean(label: str, longest: int = LONGEST) -> str:
    r"""A label in one short line: what cannot be seen is escaped, what is long abridged.

    Examples
    --------
    >>> clean("a\nb"), clean("x" * 30 + "yz", 9)
    ('a\\nb', 'xxx…xyz')
    """
    if len(label) > longest:
        half = longest // 2 - 1
        label = f"{label[:half]}…{label[-half:]}"
    if not label.isprintable():
        label = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in label)
    elif not label.strip():
        label = repr(label)
    if not label.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in label):
        # An isolate: its letters run from right to left, the formula around it does not.
        label = f"\u2068{label}\u2069"
    return label


def name(text: str) -> Formula:
    r"""A cleaned name as text and as LaTeX.

    Examples
    --------
    >>> name("x1").latex, name("a_b").latex
    ('x_{1}', '\\mathrm{a\\_b}')
    """
    symbol = _SYMBOL.fullmatch(text)
    if symbol is None:
        return Formula(text, rf"\mathrm{{{''.join(_LATEX.get(c, c) for c in text)}}}")
    letters, index, letter = symbol.groups()
    if letter is not None:
        return Formula(text, letter)
    stem = letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"
    return Formula(text, f"{stem}_{{{index}}}")


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    none = sum(bool(unicodedata.combining(c)) or c in "\u2068\u2069" for c in text)
    return len(text) + wide - none


def atomic(text: str) -> bool:
    """Whether a text can be a factor as it stands: a name, an unsigned number, a call.

    Examples
    --------
    >>> [atomic(text) for text in ("x1", "1e-5", "-2", "tanh(x + 1)", "x + 1")]
    [True, True, False, True, False]
    """
    if _UNSIGNED.fullmatch(text):
        return True
    head, bracket, rest = text.partition("(")
    if bracket and rest.endswith(")"):
        depth = 0
        for c in rest[:-1]:
            depth += (c == "(") - (c == ")")
            if depth < 0:
                return False
        return depth == 0 and (not head or _ATOM.fullmatch(head) is not None)
    return _ATOM.fullmatch(text) is not None


def _atomic_latex(latex: str) -> bool:
    roman = _ROMAN.fullmatch(latex)
    if roman is not None:
        return atomic(re.sub(r"\\([_#])", r"_", roman[1]))
    depth = 0
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", latex):
        if token in "{([" or token == r"\left":
            depth += token != r"\left"
        elif token in "})]":
            depth -= 1
        elif depth == 0 and (token in "+-<>=" or token in (r"\cdot", r"\ge", r"\le")):
            return False
    return True


def bracketed(formula: Formula) -> Formula:
    r"""A formula as a factor: in brackets where it needs them.

    Examples
    --------
    >>> bracketed(number(-2.0))
    Formula(text='(-2)', latex='\\left(-2\\right)')
    """
    text, latex = formula.text, formula.latex
    return Formula(
        text if atomic(text) else f"({text})",
        latex if _atomic_latex(latex) else rf"\left({latex}\right)",
    )
