"""How results show themselves: a table as text for a terminal and as HTML for a notebook, strings made harmless."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from numbers import Integral, Real

#: Columns of a terminal.
WIDTH = 80

#: After the point.
MOST_DIGITS = 15

#: What means something in Markdown, or in the mathematics and HTML that may stand in it.
_MARKS = frozenset("\\`*_<|$#~")


@dataclass(frozen=True)
class Table:
    """A title and rows of cells, to be printed or shown in a notebook.

    Text is folded into `WIDTH` columns; characters that cannot be printed become spaces, and HTML is escaped, because
    names of objects and files come from outside.

    Attributes
    ----------
    title : str
        What is shown.
    rows : sequence of sequence
        Cells; numbers get three digits.
    header : sequence of str
        Names of the columns, if they need any.

    Examples
    --------
    >>> table = Table("two lines", [["Hbeta", 0.5], ["[O III] <5007>", -0.12345]], ["line", "sum"])
    >>> print(table)
    two lines
      line               sum
      Hbeta              0.5
      [O III] <5007>  -0.123
    >>> "[O III] &lt;5007&gt;" in table._repr_html_()
    True
    """

    title: str
    rows: Sequence[Sequence[object]]
    header: Sequence[str] = ()

    def __str__(self) -> str:
        cells = [[_text(cell) for cell in row] for row in [*([self.header] if self.header else []), *self.rows]]
        widths = [max(1, *map(len, column)) for column in zip(*cells, strict=True)]
        while sum(widths) + 2 * len(widths) > WIDTH:
            widths[widths.index(max(widths))] -= 1
        numeric = [all(isinstance(row[k], Real) for row in self.rows) for k in range(len(widths))]
        lines = textwrap.wrap(printable(self.title), WIDTH)
        for row in cells:
            folded = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
            for parts in zip_longest(*folded, fillvalue=""):
                columns = zip(parts, widths, numeric, strict=True)
                line = [part.rjust(width) if right else part.ljust(width) for part, width, right in columns]
                lines.append(("  " + "  ".join(line)).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def row(cells: Sequence[object], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(_text(cell))}</{tag}>" for cell in cells) + "</tr>"

        head = f"<thead>{row(self.header, 'th')}</thead>" if self.header else ""
        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table><caption>{html.escape(printable(self.title))}</caption>{head}<tbody>{body}</tbody></table>"


class Displayed:
    """A result that is printed, and shown in a notebook, as the `Table` its ``_display`` gives."""

    __slots__ = ()

    def _display(self) -> Table:
        raise NotImplementedError(f"{type(self).__name__} does not say how it is shown")

    def __str__(self) -> str:
        return str(self._display())

    def _repr_html_(self) -> str:
        return self._display()._repr_html_()


def printable(text: object) -> str:
    r"""Text from outside on one line, without control characters.

    Parameters
    ----------
    text : object
        An id, a label, a file name.

    Returns
    -------
    str

    Examples
    --------
    >>> printable("spec\n1\x1b[31m")
    'spec 1 [31m'
    """
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()


def factor_text(factor: float, usual: str = ".2g") -> str:
    """Say a factor with so many digits that what it changes is right to a fifth: never "x 1".

    Parameters
    ----------
    factor : float
        What something is multiplied by.
    usual : str
        How it is said where that is enough.

    Returns
    -------
    str

    Examples
    --------
    >>> factor_text(2.34), factor_text(1.04), factor_text(0.9987)
    ('2.3', '1.04', '0.9987')
    """
    text, digits = format(factor, usual), 2
    while abs(float(text) - factor) > 0.2 * abs(factor - 1.0) and digits < MOST_DIGITS:
        text, digits = f"{factor:.{digits}f}", digits + 1
    return text


def markdown_text(text: object) -> str:
    r"""Text from outside as one line of Markdown that shows it as it is: nothing in it is a mark or a tag.

    Parameters
    ----------
    text : object
        An id, a label, a file name.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_text("<b>a_b|[c](d)\n# e"))
    \<b>a\_b\|[c]\(d) \# e
    """
    marked = "".join(f"\\{letter}" if letter in _MARKS else letter for letter in printable(text))
    return marked.replace("](", "]\\(")  # else a link


def _text(cell: object) -> str:
    """Write one cell."""
    return f"{float(cell):.3g}" if isinstance(cell, Real) and not isinstance(cell, Integral) else printable(cell)
