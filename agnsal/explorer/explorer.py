"""One page to look through a sample: its map, every spectrum, and the machine itself inside the page."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.local.gradients import saliency
from agnsal.display import printable
from agnsal.embedding import SpectralEmbedding
from agnsal.errors import AgnsalError
from agnsal.explorer.packing import Rounded, bits, rounded_flux, shared_errors
from agnsal.explorer.portable import PortableMachine
from agnsal.figures.style import PALETTE, class_color, class_places
from agnsal.models.differentiable import as_differentiable
from agnsal.spectra.lines import SpectralLine, find_line, line_masks
from agnsal.spectra.sample import SpectralSample
from agnsal.store.replacing import replacing

if TYPE_CHECKING:
    from bokeh.resources import Resources

    from agnsal.attribution.answer.attribution import Attribution
    from agnsal.checks.familiarity import Familiarity

_MOST_SPECTRA = 50_000  # more make a page that no browser opens well
_PERPLEXITY = 50.0


def write_explorer(
    path: str | os.PathLike[str],
    sample: SpectralSample,
    model: Any,
    embedding: SpectralEmbedding | None = None,
    *,
    attribution: Attribution | None = None,
    lines: Iterable[str | SpectralLine] | None = None,
    familiarity: Familiarity | None = None,
    title: str = "Spectra and their classifier",
) -> Path:
    """Write one HTML file in which a sample, its map and its classifier can be looked through without a network.

    The map stands beside the spectrum: hover, click, lasso, search by id, colour by any column; the spectrum with its
    errors, lines and attribution; the probabilities of its classes; verdicts that are exported as CSV. Where the
    classifier is a `ProbabilisticSVC` with a linear, rbf or polynomial kernel it travels in the page: probability and
    gradient are computed there, and change when the spectrum is edited.

    Parameters
    ----------
    path : path
        Of the page, ``.html``.
    sample : SpectralSample
        What is shown; labels, redshifts and all columns of its table with a number or a text for each spectrum.
    model : classifier
        Fitted, and of spectra like these. What travels is rounded; the page says by how much that changes its
        probabilities. Of other classifiers the page holds probabilities and attributions, and nothing can be edited.
    embedding : SpectralEmbedding, optional
        Fitted to the sample, or to another, on whose map it is then placed; by default fitted here (t-SNE with
        perplexity 50, or what fewer spectra allow, and a fixed seed).
    attribution : Attribution, optional
        Of the sample, a row for each spectrum; by default the gradient of the log-odds of the predicted class.
    lines : iterable of str or SpectralLine, optional
        Lines in table and figure; by default the common ones on the grid.
    familiarity : Familiarity, optional
        Fitted to the training sample: the page says which spectra are unlike it, and points can be coloured by it.
    title : str
        Of the page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    AgnsalError
        If bokeh or jinja2 are lacking, the sample is empty or has more than 50,000 spectra, or embedding or
        attribution do not belong to it.

    See Also
    --------
    write_spectrum_page : one spectrum, explained with errors and checks.

    Notes
    -----
    Flux is rounded to a 32nd of the median error of its spectrum (a 16th for more than 5,000 spectra), errors are
    shared by eight bins, support vectors are rounded to 16 bits. The page loads nothing: the drawing library (bokeh) is
    inside, arrays are unpacked by the browser's own DecompressionStream. Names from outside are text wherever they are
    shown.

    Examples
    --------
    >>> import agnsal, tempfile
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=0).normalize()
    >>> machine = agnsal.ProbabilisticSVC("linear", C=0.07, random_state=0).fit(sample)
    >>> path = write_explorer(tempfile.mkdtemp() + "/explorer.html", sample, machine)
    >>> path.stat().st_size < 4e6
    True
    """
    jinja2, Resources = drawing_libraries()
    if not 0 < len(sample) <= _MOST_SPECTRA:
        raise AgnsalError(
            f"a page holds 1 to {_MOST_SPECTRA} spectra, the sample has {len(sample)}; take a part of it."
        )
    document, figures = _document(sample, model, embedding, attribution, lines, str(title))
    if familiarity is not None:
        document["columns"]["familiarity p"] = _numbers(familiarity.p_value(sample))
    assets = files("agnsal.explorer") / "assets"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # bokeh refers back to what came before
    template = environment.from_string((assets / "explorer.html").read_text(encoding="utf-8"))
    inside = Resources(mode="inline", components=["bokeh"], minified=True)
    page = template.render(
        title=printable(title),
        style=_inside((assets / "explorer.css").read_text(encoding="utf-8")),
        library=_inside("\n".join(inside.js_raw)),
        script=_inside((assets / "explorer.js").read_text(encoding="utf-8")),
        document=document,
        figures=figures,
    )
    with replacing(path) as side:
        side.write_text(page, encoding="utf-8")
    return Path(path)


def drawing_libraries() -> tuple[ModuleType, type[Resources]]:
    """jinja2 and what bokeh puts into a page; ask for them before anything long is begun.

    Raises
    ------
    AgnsalError
        If one is lacking, with the command that installs them.
    """
    try:
        import jinja2
        from bokeh.resources import Resources
    except ImportError as error:
        raise AgnsalError("the explorer needs bokeh and jinja2: pip install 'agnsal[explorer]'.") from error
    return jinja2, Resources


def _document(
    sample: SpectralSample,
    model: Any,
    embedding: SpectralEmbedding | None,
    attribution: Attribution | None,
    lines: Iterable[str | SpectralLine] | None,
    title: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything the page knows, and the figures it draws it in."""
    from agnsal.explorer.drawing import figures_of

    flux = rounded_flux(sample.flux, sample.ivar)
    differentiable = as_differentiable(model)
    classes = [printable(name) for name in differentiable.classes_]
    probabilities = np.asarray(differentiable.outputs(sample, "probability"))
    predicted = probabilities.argmax(axis=1)
    places = class_places(differentiable.classes_)
    document: dict[str, Any] = {
        "title": printable(title),
        "n": len(sample),
        "wavelength": sample.grid.centers.value.round(4).tolist(),
        "ids": [printable(name) for name in sample.ids],
        "classes": classes,
        "colors": list(PALETTE),
        "class_colors": [class_color(places[str(name)]) for name in differentiable.classes_],
        "map": _places(sample, embedding).round(3).tolist(),
        "probabilities": Rounded.of(probabilities).values.round(5).tolist(),
        "predicted": predicted.tolist(),
        "redshift": _numbers(sample.redshift),
        "columns": _columns(sample, classes, predicted),
        "flux": {"text": flux.text(), "scale": flux.scale.tolist()},
        "mask": None if sample.mask is None or not sample.mask.any() else bits(sample.mask),
        "errors": None,
        "lines": _lines(sample, lines),
        "machine": None,
        "attribution": None,
    }
    if sample.ivar is not None:
        errors = shared_errors(sample.ivar)
        document["errors"] = {"text": errors.text(), "scale": errors.scale.tolist(), "n": errors.steps.shape[1]}
    portable = PortableMachine.of(model)
    if portable is not None:
        document["machine"] = portable.document() | {"error": portable.errors(model, sample.flux, flux.values)}
    if attribution is not None or portable is None:
        document["attribution"] = _map(sample, model, attribution)
    relative = sample.unit == u.dimensionless_unscaled
    label = "Relative flux" if relative else f"Flux density ({sample.unit.to_string('unicode')})"
    return document, figures_of(label, document)


def _map(sample: SpectralSample, model: Any, attribution: Attribution | None) -> dict[str, Any]:
    """The stored map, rounded."""
    if attribution is None:
        attribution = saliency(model, sample, output="log_odds")
    values = np.asarray(attribution.values, dtype=float)
    if values.shape != sample.flux.shape or not np.array_equal(attribution.ids, sample.ids):
        raise AgnsalError(
            f"the attribution is of {len(values)} spectra with other ids or bins; it must be of this sample, in order."
        )
    rounded = Rounded.of(np.nan_to_num(values), np.nanmax(np.abs(values), axis=1) / 1000)
    words = f"{attribution.method}, {attribution.output.replace('_', '-')}"
    return {"text": rounded.text(), "scale": rounded.scale.tolist(), "words": printable(words)}


def _places(sample: SpectralSample, embedding: SpectralEmbedding | None) -> NDArray[np.float64]:
    """Where each spectrum is on the map."""
    n = len(sample)
    if embedding is None:
        if n < 4:
            return np.stack([np.arange(n), np.zeros(n)], axis=1).astype(float)
        perplexity = min(_PERPLEXITY, (n - 1) / 3)
        return np.asarray(SpectralEmbedding(perplexity, random_state=0).fit(sample).coordinates)
    fitted = np.asarray(embedding.coordinates)
    return fitted if len(fitted) == n else np.asarray(embedding.transform(sample))


def _columns(sample: SpectralSample, classes: list[str], predicted: NDArray[np.intp]) -> dict[str, list[Any]]:
    """What points can be coloured by: texts, or numbers with None where there is none."""
    columns: dict[str, list[Any]] = {"predicted class": [classes[number] for number in predicted]}
    if sample.labels is not None:
        columns["label"] = [printable(label) for label in sample.labels]
    for name in sample.table.colnames:
        column = sample.table[name]
        values = np.ma.filled(np.ma.asarray(getattr(column, "value", column)).astype(object), None)
        if values.ndim != 1 or name in ("object_id", "label"):
            continue
        shown = printable(name)
        unit = getattr(column, "unit", None)
        if all(value is None or isinstance(value, (int, float, np.number)) for value in values):
            columns[f"{shown} ({unit})" if unit not in (None, "") else shown] = _numbers(values) or []
        elif all(value is None or isinstance(value, (str, np.str_, bytes, bool, np.bool_)) for value in values):
            columns[shown] = ["" if value is None else printable(value) for value in values]
    if sample.ivar is not None:
        known = sample.ivar > 0
        snr = np.where(known, np.abs(sample.flux) * np.sqrt(np.where(known, sample.ivar, 0.0)), np.nan)
        medians = [np.nanmedian(row) if row_known.any() else None for row, row_known in zip(snr, known, strict=True)]
        columns["median S/N a bin"] = _numbers(medians) or []
    return columns


def _numbers(values: Any) -> list[float | None] | None:
    """Numbers for JSON, which has no NaN."""
    if values is None:
        return None
    found = [float("nan") if value is None else float(value) for value in values]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in found]


def _lines(sample: SpectralSample, lines: Iterable[str | SpectralLine] | None) -> list[dict[str, Any]]:
    """Each line with the bins of its core and wings."""
    found = []
    for name, masks in line_masks(sample.grid, None if lines is None else list(lines)).items():
        known = find_line(name) if lines is None else next(find_line(x) for x in lines if find_line(x).name == name)
        own = np.flatnonzero(masks["core"] | masks["wings"])
        found.append(
            {
                "name": printable(name),
                "label": printable(known.label),
                "wavelength": round(known.wavelength, 2),
                "core": np.flatnonzero(masks["core"]).tolist(),
                "wings": np.flatnonzero(masks["wings"]).tolist(),
                "start": int(own.min()),
                "stop": int(own.max()) + 1,
            }
        )
    return found


def _inside(text: str) -> Any:
    """Text of the package for a style or script element, which only its own end tag could break."""
    from markupsafe import Markup

    if "</script" in text.lower().replace("<\\/script", "") or "</style" in text.lower():
        text = text.replace("</script", "<\\/script").replace("</style", "<\\/style")
    return Markup(text)
