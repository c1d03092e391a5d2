"""The figures of the explorer, empty: the page fills them."""

from __future__ import annotations

from typing import Any

from agnsal.figures.style import AGAINST, FOR, PALETTE

_TOOLS = "pan,wheel_zoom,box_zoom,reset"


def figures_of(flux_label: str, document: dict[str, Any]) -> dict[str, Any]:
    """Map, spectrum and attribution as documents of bokeh.

    Parameters
    ----------
    flux_label : str
        Of the flux axis; mathematics is written out as text.
    document : dict
        What the page knows.

    Returns
    -------
    dict
        Name to the JSON that bokeh embeds.
    """
    from bokeh.embed import json_item
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, HoverTool, LassoSelectTool, TapTool
    from bokeh.plotting import figure

    n = document["n"]
    size = max(3.0, min(8.0, 220.0 / n**0.5))
    places = document["map"]
    points = ColumnDataSource(
        {
            "x": [x for x, _ in places],
            "y": [y for _, y in places],
            "color": [PALETTE[0]] * n,
            "id": document["ids"],
            "what": [""] * n,
        },
        name="points",
    )
    ring = ColumnDataSource({"x": [], "y": []}, name="ring")
    chart = figure(
        tools="pan,wheel_zoom,reset",
        active_scroll="wheel_zoom",
        sizing_mode="stretch_width",
        height=430,
        match_aspect=True,
        output_backend="canvas",
        name="map figure",
    )
    drawn = chart.scatter(
        "x", "y", source=points, size=size, color="color", alpha=0.75, nonselection_alpha=0.15, line_color=None
    )
    chart.scatter("x", "y", source=ring, size=16, fill_color=None, line_color="#888", line_width=3, name="chosen")
    chart.add_tools(HoverTool(renderers=[drawn], tooltips=[("id", "@id"), ("", "@what")]), TapTool(renderers=[drawn]))
    chart.add_tools(LassoSelectTool(renderers=[drawn]))
    chart.xaxis.axis_label, chart.yaxis.axis_label = "t-SNE 1", "t-SNE 2"
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.major_label_text_font_size, axis.major_tick_line_color, axis.minor_tick_line_color = "0pt", None, None

    def panel(label: str, height: int, **options: Any) -> Any:
        made = figure(tools=_TOOLS, sizing_mode="stretch_width", height=height, output_backend="canvas", **options)
        made.yaxis.axis_label = label
        made.min_border_left = 70
        return made

    ends = (document["wavelength"][0], document["wavelength"][-1])
    said = f"{flux_label}\nband: standard error" if document["errors"] else flux_label
    spectrum = panel(said, 300, name="spectrum figure", active_drag="box_zoom", x_range=ends, y_range=(0, 1))
    sources = {
        name: ColumnDataSource({key: [] for key in keys}, name=name)
        for name, keys in {
            "spectrum": ("x", "y"),
            "band": ("x", "low", "high"),
            "edited": ("x", "y"),
            "mean": ("x", "y"),
            "bad": ("left", "right"),
            "marks": ("x", "y", "label"),
            "for": ("x", "zero", "value"),
            "against": ("x", "zero", "value"),
        }.items()
    }
    for each in (spectrum,):
        each.vstrip(x0="left", x1="right", source=sources["bad"], fill_color="#999", fill_alpha=0.25, line_color=None,
                    hatch_pattern="/", hatch_color="#999", hatch_alpha=0.6)  # fmt: skip
    spectrum.varea("x", "low", "high", source=sources["band"], fill_color="#999", fill_alpha=0.35)
    spectrum.line("x", "y", source=sources["mean"], line_color="#009E73", line_width=1.5)
    spectrum.line("x", "y", source=sources["spectrum"], line_color="#333", line_width=1.2, name="flux")
    spectrum.line("x", "y", source=sources["edited"], line_color="#CC79A7", line_width=2)
    spectrum.vspan("x", source=sources["marks"], line_color="#999", line_dash="dotted")
    spectrum.text("x", "y", "label", source=sources["marks"], text_font_size="11px", text_align="center",
                  text_color="#666", name="labels")  # fmt: skip
    words = "attribution" if document["attribution"] else "d log-odds / d flux"
    attribution = panel(
        words,
        190,
        name="attribution figure",
        x_range=spectrum.x_range,
        y_range=(-1, 1),
    )
    attribution.varea("x", "zero", "value", source=sources["for"], fill_color=FOR, fill_alpha=0.8)
    attribution.varea("x", "zero", "value", source=sources["against"], fill_color=AGAINST, fill_alpha=0.8)
    attribution.vspan("x", source=sources["marks"], line_color="#999", line_dash="dotted")
    attribution.xaxis.axis_label = "Wavelength (Å, vacuum, rest frame)"
    both = column(spectrum, attribution, sizing_mode="stretch_width")
    return {"map": json_item(chart), "spectra": json_item(both)}
