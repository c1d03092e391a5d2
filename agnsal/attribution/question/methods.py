"""What is known about a method of attribution: declared once, beside its function, and asked for everywhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import astropy.units as u

#: What the values of a map are: the gradient of the output per unit of flux, or the variance of that gradient; shares
#: of the output or of its difference to a baseline, which add up; or outcomes of experiments with one region each.
Answers = Literal["gradient", "variance", "shares", "experiments"]

Function = TypeVar("Function", bound=Callable)

#: Names that the function of every method takes first.
ASKED = ("model", "network", "sample_or_X", "target", "output")
#: Other names under which an option may still be given.
ALIASES = {"window": "regions", "groups": "regions"}


@dataclass(frozen=True, eq=False)
class Method:
    """One method of attribution.

    Attributes
    ----------
    name : str
        Of its function, and of `Attribution.method`.
    function : callable
        From (model, spectra, target, output) and options by keyword to an `Attribution`.
    answers : {"gradient", "variance", "shares", "experiments"}
        What its values are, see `Answers`.
    title : str
        Its name in tables and figures.
    differentiable : bool
        Whether it needs derivatives; if not, anything that predicts will do.
    network : bool
        Whether it needs the layers of a network.
    judged : mapping of str to mapping
        Title and options of each form of it that benchmarks judge.
    """

    name: str
    function: Callable
    answers: Answers
    title: str
    differentiable: bool
    network: bool
    judged: Mapping[str, Mapping[str, object]]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of its options: all that it takes beside model, spectra, target and output."""
        return tuple(name for name in inspect.signature(self.function).parameters if name not in (*ASKED, *ALIASES))

    def takes(self, option: str) -> bool:
        """Whether it has an option, such as ``"baseline"``, ``"regions"`` or ``"random_state"``.

        Parameters
        ----------
        option : str
            Name of the option.

        Returns
        -------
        bool
        """
        return option in self.options

    def needs(self, option: str) -> bool:
        """Whether it has an option that must be given, such as the ``"background"`` of expected gradients.

        Parameters
        ----------
        option : str
            Name of the option.

        Returns
        -------
        bool
        """
        given = inspect.signature(self.function).parameters
        return self.takes(option) and given[option].default is inspect.Parameter.empty


#: Every method whose module has been imported; `agnsal.attribution.methods` imports all of them.
METHODS: dict[str, Method] = {}


def declare(
    title: str,
    answers: Answers,
    *,
    differentiable: bool = True,
    network: bool = False,
    judged: Mapping[str, Mapping[str, object]] | None = None,
) -> Callable[[Function], Function]:
    """Declare the function below as a method of attribution.

    Parameters
    ----------
    title, answers, differentiable, network
        See `Method`.
    judged : mapping of str to mapping, optional
        See `Method`; by default it is judged once, under its title and with its defaults.

    Returns
    -------
    callable
        A decorator that leaves the function as it is.

    Examples
    --------
    >>> @declare("nothing at all", answers="shares")
    ... def nothing(model, sample_or_X, target="predicted", output="probability", *, baseline=None): ...
    >>> record = METHODS.pop("nothing")
    >>> record.options, record.takes("random_state")
    (('baseline',), False)
    """

    def decorate(function: Function) -> Function:
        forms = {title: {}} if judged is None else judged
        METHODS[function.__name__] = Method(function.__name__, function, answers, title, differentiable, network, forms)
        return function

    return decorate


def unit_of(answers: Answers, flux_unit: u.UnitBase) -> u.UnitBase:
    """Unit of the values of a map: a gradient is per unit of flux, its variance per the square of that.

    Parameters
    ----------
    answers : str
        What the values are.
    flux_unit : Unit
        Of the spectra.

    Returns
    -------
    Unit

    Examples
    --------
    >>> unit_of("variance", u.Jy)
    Unit("1 / Jy2")
    """
    power = {"gradient": -1, "variance": -2}.get(answers, 0)
    return u.Unit(flux_unit**power) if power else u.dimensionless_unscaled


def find_method(name: str) -> Method | None:
    """Find what is known about a method.

    Parameters
    ----------
    name : str
        As in `Attribution.method`.

    Returns
    -------
    Method or None
        None for what is not declared, for instance a method of another package.

    Examples
    --------
    >>> find_method("integrated_gradients").answers, find_method("tea leaves")
    ('shares', None)
    """
    import agnsal

    if name not in METHODS and name in agnsal.__all__:
        getattr(agnsal, name)  # its module declares it
    return METHODS.get(name)
