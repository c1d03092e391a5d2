"""How files are to be read, as options of a script; what Python says turned into the words of the options it has."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from agnsal.errors import AgnsalError

#: Options of `agnsal.read_spectra` that scripts take, by the name of its argument.
READING = ("redshift", "frame", "medium", "columns", "units", "mask", "format")
#: Another way out, which scripts with ``--coverage`` have; no script has another grid.
_LESS = " Lower min_coverage, or use another grid."
_CALL = re.compile(r"read_spectra\(path, (?P<given>(?:[^()'\"]|'[^']*'|\"[^\"]*\"|\([^()]*\))*)\)")
#: A way out that is an argument of Python, at the beginning of a clause: there is an option for the first at most.
_WAY_OUT = re.compile(r"; (?P<argument>by=\"(?P<by>\w+)\"|at=|on_error=)(?P<rest>[^;\n]*?)(?=;|\.?(?:\n|$))")
_ARGUMENT = re.compile(rf"\b(?P<name>{'|'.join(READING)})=(?P<value>\{{[^{{}}]*\}}|'[^']*'|\"[^\"]*\"|[-+.\d]+\b)")


def add_reading_options(parser: argparse.ArgumentParser, *, redshift: bool = True) -> None:
    """Give a parser the options that say how a file is to be read.

    Parameters
    ----------
    parser : ArgumentParser
        Of a script.
    redshift : bool
        Whether one redshift may be given; not to scripts that read many objects, whose catalogue has them.

    See Also
    --------
    reading_options : what was given, for `agnsal.read_spectra`.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_reading_options(parser)
    >>> given = parser.parse_args(["--columns", "flux=F", "wavelength=1", "--units", "flux=Jy", "--frame", "rest"])
    >>> reading_options(given)
    {'frame': 'rest', 'columns': {'flux': 'F', 'wavelength': 1}, 'units': {'flux': 'Jy'}}
    """
    group = parser.add_argument_group("how the file is to be read, where it does not say so itself")
    if redshift:
        group.add_argument("--redshift", type=float, metavar="Z", help="wins over what the file says")
    group.add_argument("--frame", choices=("observed", "rest"), help="rest: the file is in the rest frame already")
    group.add_argument("--medium", choices=("air", "vacuum"), help="of its wavelengths")
    group.add_argument(
        "--columns", nargs="+", type=named, metavar="ROLE=NAME", help="which column is which: wavelength=WAVE flux=FLUX"
    )
    group.add_argument("--units", nargs="+", type=named, metavar="ROLE=UNIT", help="wavelength=nm flux=Jy")
    group.add_argument("--mask", choices=("bad", "good"), help="what a number other than zero means in its mask")
    group.add_argument("--format", metavar="NAME", help="the name of a specutils loader")


def add_normalizing_option(parser: argparse.ArgumentParser) -> None:
    """Give a parser the option that says by what spectra are divided, with the words of `SpectralSample.normalize`.

    Parameters
    ----------
    parser : ArgumentParser
        Of a script.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_normalizing_option(parser)
    >>> parser.parse_args([]).normalize_by
    'window'
    """
    parser.add_argument(
        "--normalize-by",
        choices=("window", "median", "continuum"),
        default="window",
        help="what spectra are divided by: the flux at 5100 Angstrom, or what those not observed there have as well",
    )


def reading_options(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `agnsal.read_spectra` from parsed options; only what was given.

    Parameters
    ----------
    options : Namespace
        From a parser with `add_reading_options`.

    Returns
    -------
    dict
    """
    given: dict[str, Any] = {name: getattr(options, name, None) for name in READING}
    for name in ("columns", "units"):
        if given[name] is not None:
            given[name] = dict(given[name])
    if given["columns"] is not None:  # columns of a text are numbered
        columns = given["columns"].items()
        given["columns"] = {role: int(column) if column.isdigit() else column for role, column in columns}
    return {name: value for name, value in given.items() if value is not None}


def in_options(message: str, options: argparse.Namespace | None = None, *, file: Path | str | None = None) -> str:
    """Say a refusal or a warning in the words of the options, so that its advice can be typed.

    Parameters
    ----------
    message : str
        Of an `AgnsalError` or an `AgnsalWarning`.
    options : Namespace, optional
        What was parsed: an option that the script does not have is not advised. Where there is no ``--redshift``,
        redshifts stand in a catalogue. By default those of ``agnsal explain``.
    file : path, optional
        The file, if the advice should repeat it.

    Returns
    -------
    str

    Examples
    --------
    >>> in_options("Say what it is, for instance: read_spectra(path, columns={'flux': 'F 2'}, units={'flux': 'Jy'})")
    "Say what it is, for instance: --columns 'flux=F 2' --units flux=Jy"
    >>> in_options("no redshift is known; give redshift=0.1 or frame='rest'")
    'no redshift is known; give --redshift 0.1 or --frame rest'
    >>> refusal = 'no good bin at 5100 Angstrom; by="median" needs none; on_error="skip" leaves it out.'
    >>> in_options(refusal)
    'no good bin at 5100 Angstrom; --normalize-by median needs none.'
    >>> parser = argparse.ArgumentParser()
    >>> add_reading_options(parser, redshift=False)
    >>> in_options(refusal, parser.parse_args([]))
    'no good bin at 5100 Angstrom.'
    >>> in_options("no redshift is known; give redshift=0.1 or frame='rest'", parser.parse_args([]))
    'no redshift is known; give a redshift in the catalogue or --frame rest'
    """
    has = {*READING, "normalize_by", "coverage"} if options is None else set(vars(options))

    def clause(found: re.Match[str]) -> str:
        return f"; --normalize-by {found['by']}{found['rest']}" if found["by"] and "normalize_by" in has else ""

    start = "" if file is None else f"{shlex.quote(str(file))} "
    message = _WAY_OUT.sub(clause, message)
    message = message.replace(_LESS, " Lower min_coverage." if "coverage" in has else "")
    message = message.replace("min_coverage", "--coverage") if "coverage" in has else message
    message = _CALL.sub(lambda found: start + _ARGUMENT.sub(_option, found["given"]).replace(", --", " --"), message)
    message = _ARGUMENT.sub(_option, message)
    message = re.sub(rf"\b({'|'.join(READING)})=(?=[\s,.;)]|$)", r"--\1", message)
    if "redshift" in has:
        return message
    return re.sub(r"--redshift(?: [-+]?\d[.\d]*)?", "a redshift in the catalogue", message)


def warn_in_options(options: argparse.Namespace, start: str = "note: ") -> None:
    """Print every warning from now on as one note in the words of the options.

    Parameters
    ----------
    options : Namespace
        See `in_options`.
    start : str
        How a note begins.
    """
    warnings.showwarning = partial(_note, options, start)


def run_script(
    main: Callable[[list[str] | None], None], parse: Callable[[list[str] | None], argparse.Namespace]
) -> None:
    """Run a script; what it warns of, and what of its input it refuses, is said in the words of its options.

    Parameters
    ----------
    main, parse : callable
        Of the script: both take the arguments, None for those of the shell.
    """
    options = parse(None)
    warn_in_options(options)
    try:
        main(None)
    except (AgnsalError, OSError) as error:  # what is wrong with the input, in one sentence
        sys.exit(in_options(str(error), options))


def _note(options: argparse.Namespace, start: str, message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"{start}{in_options(str(message), options)}\n")


def _option(found: re.Match[str]) -> str:
    try:
        value = ast.literal_eval(found["value"])
    except (ValueError, SyntaxError):
        return found[0]
    pairs = [f"{role}={name}" for role, name in value.items()] if isinstance(value, dict) else [str(value)]
    return f"--{found['name']} {shlex.join(pairs)}"


def named(text: str) -> tuple[str, str]:
    """ROLE=NAME of a shell as a pair; the type of an option."""
    role, equals, name = text.partition("=")
    if not equals or not role or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no ROLE=NAME, for example flux=FLUX")
    return role, name
