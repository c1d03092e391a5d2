"""Whatever a class, an object, a model or a title is called, every figure is drawn and saved."""

from io import BytesIO

import pytest
from matplotlib import pyplot as plt

from agnsal import figures
from agnsal.figures.text import LONGEST, plain, plain_lines
from tests.figures.every import every_figure

# that a font lacks a letter is no fault of the figure
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from")

HOSTILE = (
    "$x^$", "$", "$$", "$$$", r"\$x^$", r"$\frac{$", r"\alpha_{", "a$b", r"\\$", "{}", "%s %(x)d {0}", "_hidden",
    "__", "", " ", "a\nb", "a\r\nb\n", "\t\x00\x1b[31m", "\u202eabc", "\ud800", "\ufeff", "<script>alert(1)</script>",
    "&amp;<b>", "名" * 120, "n" * 254, "$x_" * 85, "é" * 127, "👩‍🔬" * 20, "../../etc/passwd", "None",
)  # fmt: skip


def test_every_figure_is_among_them():
    assert set(every_figure("x")) == {name for name in figures.__all__ if name.startswith("plot_")}
    assert len(set(HOSTILE)) == 30


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_figure_is_drawn_and_saved(text):
    for name, draw in every_figure(text).items():
        try:
            draw(None).figure.savefig(BytesIO(), format="png", dpi=30)
        except Exception as error:
            raise AssertionError(f"{name} fails") from error
        plt.close("all")


def test_what_is_long_is_cut_and_what_a_user_titles_is_not():
    assert plain("名" * 120) == "名" * ((LONGEST - 3) // 2) + "..."
    assert len(plain("n" * 254)) == LONGEST
    assert plain("n" * LONGEST) == "n" * LONGEST
    assert plain_lines("US$ 5\n" + "n" * 80) == "US\\$ 5\n" + "n" * 80
    assert plain_lines("n" * 254).replace("\n", "") == "n" * 254
    assert plain_lines(plain("US$ 5")) == plain("US$ 5")
