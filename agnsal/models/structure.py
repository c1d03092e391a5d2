"""What a model is made of, where it is sums of products over features: what exact Shapley values need to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from numpy.typing import ArrayLike, NDArray

from agnsal.models.machine.coupling import pair_log_odds, pair_signs
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.log_odds import class_log_odds, log_couple

Function = Callable[[Any], Any]

#: Kernels that are a sum, or a product, of functions of one feature each.
PRODUCT_KERNELS = ("linear", "rbf")


@dataclass(frozen=True)
class TrainingRows:
    """Which training spectra the vectors of a kernel expansion are.

    Attributes
    ----------
    rows : ndarray of int, shape (n_vectors,)
        Their rows in the training set.
    n : int
        How many spectra there were.
    ids : ndarray, shape (n_vectors,), or None
        Their names, where the machine was fitted to a sample.
    labels : ndarray, shape (n_vectors,), or None
        Their classes.
    hinge : bool
        Whether they are the support vectors of a classifier with the hinge loss and a bound C.
    """

    rows: NDArray[np.intp]
    n: int
    ids: NDArray | None = None
    labels: NDArray | None = None
    hinge: bool = False


@dataclass(frozen=True)
class Structure:
    """A kernel expansion (a linear function is one), with what comes before and after it.

    An adapter that knows its estimator as one gives it to the model, see `of_structure`; the outputs of the model are
    then made of it, so that what is explained exactly is what the model says.

    Attributes
    ----------
    expansion : KernelExpansion
        From scaled spectra to values, shape (n, n_values): the pairs of a support vector machine, the scores of a
        linear model.
    links : mapping of str to callable
        For each output of the model the function of these values that it is, traceable by autograd.
    exact : tuple of str
        Outputs that are linear in the values, so that exact shares of one are exact shares of the other.
    sigmoids : tuple of ndarray, or None
        Platt's `a` and `b` of every pair.
    before : tuple of callable
        What is done to the spectra first, to every feature by itself.
    training : TrainingRows or None
        Which training spectra the vectors of the expansion are, where they are such.

    Examples
    --------
    >>> Structure.linear([[1.0, 2.0]], 0.5, {"decision": lambda F: F}, ("decision",)).values(np.ones((1, 2)))
    array([[3.5]])
    """

    expansion: KernelExpansion
    links: Mapping[str, Function]
    exact: tuple[str, ...]
    sigmoids: tuple[NDArray, NDArray] | None = None
    before: tuple[Function, ...] = ()
    training: TrainingRows | None = None

    @classmethod
    def linear(
        cls, weights: ArrayLike, intercepts: ArrayLike, links: Mapping[str, Function], exact: tuple[str, ...]
    ) -> Structure:
        """Linear functions.

        Parameters
        ----------
        weights : array_like, shape (n_values, n_features)
            Their weights.
        intercepts : array_like, shape (n_values,), or float
            Their values at zero.
        links, exact
            As above.

        Returns
        -------
        Structure
        """
        weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        offsets = np.broadcast_to(np.asarray(intercepts, dtype=np.float64), (len(weights),))
        return cls(KernelExpansion(Kernel("linear"), weights, np.eye(len(weights)), offsets), links, exact)

    @classmethod
    def pairs(
        cls,
        expansion: KernelExpansion,
        n_classes: int,
        sigmoids: tuple[NDArray, NDArray] | None = None,
        training: TrainingRows | None = None,
    ) -> Structure:
        """A machine with a function for each pair of classes, and exactly coupled probabilities if it has sigmoids.

        Parameters
        ----------
        expansion : KernelExpansion
            The pair functions, positive for the first class.
        n_classes : int
            How many classes.
        sigmoids : tuple of ndarray, optional
            Platt's `a` and `b`.
        training : TrainingRows, optional
            Which training spectra the vectors are.

        Returns
        -------
        Structure
            The decision value of a class is the sum over its pairs.
        """
        signs = pair_signs(n_classes)
        links: dict[str, Function] = {"decision": lambda F: anp.dot(F, signs), "pairwise": lambda F: F}
        exact: tuple[str, ...] = ("decision", "pairwise")
        if sigmoids is not None:
            a, b = sigmoids
            links["probability"] = lambda F: anp.exp(log_couple(pair_log_odds(F, a, b)))
            links["log_odds"] = lambda F: class_log_odds(pair_log_odds(F, a, b))
            if n_classes == 2:
                exact += ("log_odds",)
        return cls(expansion, links, exact, sigmoids, training=training)

    @property
    def is_product(self) -> bool:
        """Whether the kernel is a sum or a product over features."""
        return self.expansion.kernel.name in PRODUCT_KERNELS

    @property
    def width(self) -> int:
        """Kernel values an evaluation holds per spectrum."""
        return 0 if self.expansion.kernel.name == "linear" else len(self.expansion.support_vectors)

    @property
    def n_features(self) -> int:
        """Number of wavelengths."""
        return self.expansion.support_vectors.shape[1]

    def scaled(self, X: Any) -> Any:
        """Spectra as the kernel sees them, shape (n, n_features)."""
        for function in self.before:
            X = function(X)
        return X

    def values(self, X: Any) -> Any:
        """The values of the expansion, shape (n, n_values)."""
        return self.expansion(self.scaled(X))

    def outputs(self) -> dict[str, Function]:
        """The outputs of the model as functions of the spectra."""

        def output(link: Function) -> Function:
            return lambda X: link(self.values(X))

        return {name: output(link) for name, link in self.links.items()}

    def behind(self, functions: Sequence[Function]) -> Structure:
        """The same after something was done to the spectra, feature by feature.

        Parameters
        ----------
        functions : sequence of callable
            In the order the data flows.

        Returns
        -------
        Structure
        """
        return replace(self, before=(*functions, *self.before))

    def behind_affine(self, function: Function, n_features: int) -> Structure:
        """The same after an affine function of the spectra, where all of it is linear: so is the whole.

        Parameters
        ----------
        function : callable
            From (n, n_features) to what this takes, traceable by autograd.
        n_features : int
            Width of the spectra.

        Returns
        -------
        Structure
        """
        weights = self.expansion.weights
        pull_back, offset = make_vjp(function)(np.zeros((len(weights), n_features)))
        linear = Structure.linear(pull_back(weights), self.expansion(offset[:1])[0], self.links, self.exact)
        return replace(self, expansion=linear.expansion)

    @property
    def is_affine(self) -> bool:
        """Whether its values are linear in the spectra, up to a constant."""
        return self.expansion.kernel.name == "linear" and not self.before
