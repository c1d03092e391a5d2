"""The words of names: which kind each is, and how a name is cut into them."""

from __future__ import annotations

import re
from functools import lru_cache

_VOCABULARY: dict[str, tuple[str, ...]] = {
    "wave": (
        *("wavelength", "wavelengths", "wave", "waves", "wavel", "wavelen", "wlen", "wvl", "wl", "wav", "lambda"),
        *("lam", "lamb", "lbda", "λ", "frequency", "freq", "energy", "angstrom", "angstroms", "wavenumber"),
    ),
    "logwave": (
        *("loglam", "loglambda", "logwave", "logwavelength", "loglamb", "loglbda", "log10lam", "log10lambda"),
        *("log10wave", "log10wavelength", "loglambdas", "logwl"),
    ),
    "flux": ("flux", "fluxes", "flam", "flambda", "fnu", "intensity", "spectrum", "spec", "fλ"),
    "counts": ("counts", "count", "adu", "electrons"),
    "uncalibrated": ("norm", "normalized", "normalised", "normflux", "relative", "rel", "reduced", "uncalibrated"),
    "error": (
        *("err", "error", "errors", "errs", "sigma", "sig", "std", "stdev", "stddev", "unc", "uncert"),
        *("uncertainty", "uncertainties", "noise", "rms", "ferr", "eflux", "dflux"),
    ),
    "variance": ("var", "variance", "variances", "fvar"),
    "ivar": ("ivar", "invvar", "inversevar", "inversevariance"),
    "mask": (
        *("mask", "dq", "qual", "quality", "flag", "flags", "bad", "badpix", "badpixel", "badpixels", "bpm"),
        *("badmask", "pixmask", "maskbits", "dqflags"),
    ),
    "good": ("good", "goodpix", "goodpixel", "goodpixels", "gpm", "valid"),
    "observed": ("obs", "observed", "obsframe"),
    "rest": ("rest", "restframe", "emitted", "restwave", "restlam"),
    "air": ("air",),
    "vacuum": ("vac", "vacuum"),
    "plain": (
        *("obj", "object", "target", "src", "source", "sci", "science", "coadd", "coadded", "combined", "calibrated"),
        *("calib", "cal", "density", "spectral", "pixel", "pixels", "pix", "value", "values", "array", "data"),
        *("heliocentric", "barycentric", "helio", "bary", "extracted", "flx"),
    ),
    "other": (
        *("sky", "skyflux", "background", "bkg", "bkgd", "bg", "bgd", "model", "mod", "fit", "best", "bestfit", "min"),
        *("continuum", "cont", "contin", "telluric", "tell", "transmission", "trans", "atm", "atmosphere", "fwhm"),
        *("lsf", "psf", "res", "resolution", "resol", "resolving", "dispersion", "disp", "wdisp", "wavedisp", "width"),
        *("delta", "step", "bin", "bins", "max", "lo", "hi", "lower", "upper", "low", "high", "snr", "sn", "gross"),
        *("net", "template", "templ", "tem", "tmpl", "smooth", "smoothed", "residual", "residuals", "resid"),
        *("extinction", "ebv", "throughput", "sensitivity", "sens", "response", "exposure", "exptime", "npix"),
        *("npixels", "nobs", "index", "idx", "row", "number", "order", "airmass", "contam", "contamination", "poisson"),
        *("rnoise", "flat", "velocity", "vel", "redshift", "line", "lines", "emline", "ratio", "percentile", "dlam"),
        *("ormask", "andmask", "and", "or", "brightness", "sb", "raw", "dispersions", "kernel", "bkgflux", "nu"),
        *("dwave", "deltawave", "weight", "weights", "bias", "dark", "gain", "correction", "median", "average"),
        *("polynomial", "baseline", "starlight", "host", "stellar", "nebular", "arc", "thar", "lamp", "standard"),
    ),
}  # fmt: skip
_WORDS = {word: kind for kind, words in _VOCABULARY.items() for word in words}
#: Words that mean one thing together.
_TOGETHER = {
    **dict.fromkeys(("f lambda", "f lam", "flux lambda", "flux lam", "f nu", "flux nu", "f λ", "flux density"), "flux"),
    **dict.fromkeys(("spectral axis", "wave length"), "wavelength"),
    **dict.fromkeys(("inverse variance", "inv var", "inverse var", "inv variance", "i var"), "ivar"),
    **dict.fromkeys(("std dev", "standard deviation", "st dev", "flux e", "e flux", "d flux"), "error"),
    **dict.fromkeys(("data quality", "d q", "bad mask"), "dq"),
    **dict.fromkeys(("log10 lambda", "log lambda", "log lam", "log10 lam", "log wave", "log10 wave"), "loglam"),
    **dict.fromkeys(("log wavelength", "log10 wavelength", "loglam10", "log wl", "log10 wl"), "loglam"),
    **dict.fromkeys(("1 sigma", "one sigma"), "sigma"),
    "s n": "snr",
    "good mask": "good",
}


@lru_cache(maxsize=4096)
def kinds_of(name: str) -> tuple[frozenset[str], bool]:
    """The kinds of the words of a name, and whether every word is known."""
    text = re.sub(r"[\[(].*", "", name)  # a unit in brackets
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    text = " ".join(re.split(r"[\W_]+", text)).strip()
    for phrase, word in _TOGETHER.items():
        text = re.sub(rf"\b{phrase}\b", word, text)
    kinds: list[str] = []
    known = bool(text)
    for token in text.split():
        words = _cut(token)
        known &= words is not None
        kinds += [_WORDS[word] for word in words or ()]
    return frozenset(kinds), known


def _cut(token: str) -> tuple[str, ...] | None:
    """The known words that a run of letters is made of, or None where it is not made of them alone."""
    if token in _WORDS:
        return (token,)
    for end in range(len(token) - 3, 2, -1):
        if token[:end] in _WORDS and (rest := _cut(token[end:])) is not None and len(token[end:]) > 2:
            return (token[:end], *rest)
    return None
