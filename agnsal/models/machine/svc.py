"""A support vector classifier whose class probabilities are smooth, exact and differentiable."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from joblib import cpu_count
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.svm import SVC, NuSVC
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from agnsal.errors import AgnsalError, AgnsalWarning, one_of
from agnsal.models.machine.file import pack_parameters, unpack_parameters
from agnsal.models.machine.kernels import KERNEL_NAMES, Kernel, KernelExpansion
from agnsal.models.machine.landmarks import (
    Candidates,
    LandmarkFeatures,
    PrimalTrainer,
    fill_features,
    room_for,
)
from agnsal.models.machine.prediction import CoupledPrediction
from agnsal.models.machine.training import (
    PairTrainer,
    Sigmoids,
    enough_memory,
    gram_matrix,
    memory_plan,
    one_core_each,
    pair_sigmoids,
)
from agnsal.models.validation import spectra_and_labels, weighted_variance
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.grid import GRID_ARRAYS
from agnsal.spectra.origin import ORIGIN_HEADER, Origin
from agnsal.spectra.sample import SpectralSample
from agnsal.store import Array, Stored, pack_labels, unpack_labels

Block = tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64]]  # spectra, labels, weights

#: Kernel values, or differences between them, that no machine can learn from.
_DEAD = 1e-9

#: Seconds of training that are worth a warning.
_LONG = 20.0


class ProbabilisticSVC(Stored, CoupledPrediction, ClassifierMixin, BaseEstimator):
    """One-vs-one support vector machine with out-of-fold Platt sigmoids and exact pairwise coupling.

    Its probabilities are as good as those of ``SVC(probability=True)``, which scikit-learn removes in 1.11, but they
    are smooth functions of the spectrum: every pair of classes has a sigmoid fitted to cross-validated decision
    values (Lin, Lin & Weng 2007), and the pair probabilities are coupled by the exact minimum of the second criterion
    of Wu, Lin & Weng (2004).

    Parameters
    ----------
    kernel : {"rbf", "linear", "poly", "sigmoid"}
        The kernel.
    C : float
        Penalty of the margin.
    gamma : {"scale", "auto"} or float
        Kernel coefficient; ``"scale"`` is ``1 / (n_features * X.var())``.
    degree : int
        Degree of the polynomial kernel.
    coef0 : float
        Offset of the polynomial and sigmoid kernels.
    class_weight : dict, "balanced" or None
        Factors on `C` by class label. They weigh the sigmoids too: the probabilities are those of a population with
        class frequencies changed by these factors ("balanced": equal frequencies).
    cv : int, splitter or iterable of (train, test)
        Folds for the sigmoids; a whole number means shuffled stratified folds.
    random_state : int, RandomState, Generator or None
        Seeds the shuffling of the folds.
    predict_by : {"probability", "votes"}
        Whether `predict` takes the most probable class, so that what is explained is what is predicted, or libsvm's
        vote of the pairs.
    coupling : {"exact", "libsvm"}
        How `predict_proba` couples the pairs: the exact minimum, or libsvm's iteration, which stops early and is kept
        for comparison. What is differentiated is always the exact one.
    nu : float, optional
        If given, a `NuSVC` with this bound on the fraction of margin errors; `C` is then not used.
    tol : float
        Stopping tolerance of libsvm.
    max_memory : float
        MiB allowed for the kernel matrix shared by folds and final fit, and the parts of it that are trained on. If
        they do not fit, fewer threads are used; if the matrix alone does not fit (above about 10,000 spectra), libsvm
        evaluates kernel rows itself, with a cache of this size, and decision values are evaluated in blocks: the same
        machine, more slowly.
    n_jobs : int or None
        Threads that train folds at the same time; None or -1 is one per core (at most 6). The result depends
        on it within the rounding of BLAS only.
    n_landmarks : int, optional
        Train on any number of spectra, with the squared hinge in the primal: the decision functions are kernel
        expansions over this many landmarks, training spectra drawn at random, so that
        prediction costs no more however many there were, and gradients and Shapley values stay exact. A linear kernel
        needs no landmarks: it is trained in the primal as it is, with one weight vector a pair in place of support
        vectors. 300 to 1,000 are usual; docs/landmarks.md compares. Not with `nu`.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Class labels, sorted.
    support_ : ndarray of int, shape (n_support,)
        Rows of the training data that are support vectors, or landmarks; -1 for a weight vector.
    n_support_ : ndarray of int, shape (n_classes,)
        How many of each class.
    n_training_ : int
        How many spectra it was fitted to.
    support_ids_ : ndarray of str, shape (n_support,), or None
        Names of the support vectors, if it was fitted to a sample.
    pair_functions_ : KernelExpansion
        The decision functions of all pairs; its parts are also `kernel_`, `support_vectors_`, `pair_coefficients_` and
        `pair_intercepts_`.
    sigmoid_a_, sigmoid_b_ : ndarray, shape (n_pairs,)
        ``P(first class of the pair) = 1 / (1 + exp(a f + b))``.
    training_mean_ : ndarray, shape (n_features,), or None
        Mean training spectrum, the default baseline of attributions; None if imported from a fitted `SVC`.
    learnt_from_ : Origin or None
        Grid, unit and normalisation of the sample it was fitted to; None for an array.

    Notes
    -----
    The decision value of a class of more than two is the sum over its pairs; its maximum is not always the most
    probable class, because the sum also counts pairs of classes that are out of the question.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 3])
    >>> y = np.repeat(["type 1", "type 2"], 20)
    >>> machine = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, y)
    >>> machine.predict(X[[0, 30]])
    array(['type 1', 'type 2'], dtype='<U6')
    >>> machine.predict_proba(X).shape
    (40, 2)
    """

    classes_: NDArray[Any]
    n_training_: int
    support_ids_: NDArray[Any] | None
    training_mean_: NDArray[np.float64] | None
    learnt_from_: Origin | None

    def __init__(
        self,
        kernel: str = "rbf",
        C: float = 1.0,
        gamma: str | float = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        class_weight: dict[Any, float] | str | None = None,
        cv: Any = 5,
        random_state: Seed = None,
        *,
        predict_by: Literal["probability", "votes"] = "probability",
        coupling: Literal["exact", "libsvm"] = "exact",
        nu: float | None = None,
        tol: float = 1e-3,
        max_memory: float = 2048.0,
        n_jobs: int | None = None,
        n_landmarks: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.class_weight = class_weight
        self.cv = cv
        self.random_state = random_state
        self.predict_by = predict_by
        self.coupling = coupling
        self.nu = nu
        self.tol = tol
        self.max_memory = max_memory
        self.n_jobs = n_jobs
        self.n_landmarks = n_landmarks

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> ProbabilisticSVC:
        """Train the machine and its sigmoids.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Training spectra, finite, without unit or mask. The grid, unit and normalisation of a sample are remembered,
            and samples that differ are refused from then on.
        y : array, shape (n,), optional
            Class labels, at least two different ones; by default those of the sample.
        sample_weight : array, shape (n,), optional
            Factors on `C` by row, used for the sigmoids too; zero leaves a row out.

        Returns
        -------
        ProbabilisticSVC
            Itself.

        Raises
        ------
        AgnsalError
            For units, masks, a single class, or a class with a single member.
        """
        self._check_choices()
        ids = X.ids if isinstance(X, SpectralSample) else None
        origin, (X, y) = Origin.of(X), spectra_and_labels(X, y)
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", ensure_min_samples=2)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        kept = weight > 0
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise AgnsalError(
                f"y has one class only ({self.classes_.tolist()}); a classifier needs at least two classes."
            )
        if (np.bincount(codes, weights=weight) == 0).any():
            raise AgnsalError(
                "a class has no member of positive sample_weight; leave its rows out, or give them weight."
            )
        if self.n_landmarks is not None:
            return self._fit_landmarks([(X, y, weight)], origin)
        class_weight = compute_class_weight(self.class_weight, classes=self.classes_, y=y[kept])
        kernel = self._resolve_kernel(X, weight)
        fits, n_threads = memory_plan(len(X), self._n_threads(len(X)), self.max_memory)
        folds = list(self._folds(X, codes, kept))
        with one_core_each(n_threads):
            trainer = PairTrainer(
                X,
                codes,
                kernel,
                gram_matrix(kernel, X, n_threads) if fits else None,
                weight=weight,
                class_weight=dict(enumerate(class_weight)),
                C=self.C,
                nu=self.nu,
                tol=self.tol,
                max_memory=self.max_memory / n_threads,
            )
            if not fits:
                self._warn_of_time(trainer.expected_seconds(folds, n_threads), len(X))
            machine, rows, values = trainer.fit_with_folds(folds, n_threads)
        self._take_sigmoids(trainer.sigmoids(rows, values))
        self._warn_of_dead_kernel(X, kernel)
        self.support_, self.n_training_ = machine.support, len(X)
        self.support_ids_ = None if ids is None else ids[machine.support].astype(str)
        self.n_support_ = np.bincount(codes[machine.support], minlength=self.classes_.size)
        self.pair_functions_ = KernelExpansion(kernel, X[machine.support], machine.coefficients, machine.intercepts)
        self.training_mean_, self.learnt_from_ = weight @ X / weight.sum(), origin
        return self

    def fit_blocks(self, blocks: Iterable[Any]) -> ProbabilisticSVC:
        """Train on more spectra than memory holds, with `n_landmarks` (a linear kernel needs none).

        Parameters
        ----------
        blocks : iterable
            Samples with labels, or pairs of spectra and labels, all on one grid. They are read twice: a list, or an
            object whose iteration can begin anew, not a generator.

        Returns
        -------
        ProbabilisticSVC
            Itself. What is learnt does not depend on how the spectra are cut into blocks (within the rounding of BLAS).

        Raises
        ------
        AgnsalError
            As `fit`; if the blocks can be read only once, or differ in grid, unit or normalisation.

        Notes
        -----
        Held in memory: a block, the landmarks, and a few numbers a spectrum. The
        features of all spectra go to a temporary file if they take more than `max_memory`.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(60, 60, 0, seed=0).normalize()
        >>> machine = ProbabilisticSVC("rbf", gamma=0.003, n_landmarks=20, random_state=0)
        >>> machine.fit_blocks([sample[:50], sample[50:]]).support_vectors_.shape
        (20, 1000)
        """
        self._check_choices()
        if iter(blocks) is blocks:
            raise AgnsalError(
                "the blocks are read twice and came as an iterator, which can be read once; give a list, or an object "
                "that begins anew."
            )
        again = _Blocks(self, blocks)
        return self._fit_landmarks(again, again.origin)

    def _fit_landmarks(self, blocks: Iterable[Block], origin: Origin | None) -> ProbabilisticSVC:
        """Train in the primal; the blocks are gone through twice."""
        if self.nu is not None:
            raise AgnsalError("nu bounds margin errors of a machine in the dual; leave it out with n_landmarks.")
        if self.n_landmarks is None and self.kernel != "linear":
            raise AgnsalError("training on blocks needs n_landmarks, for instance n_landmarks=500.")
        if self.n_landmarks is not None and self.n_landmarks < 1:
            raise AgnsalError(f"n_landmarks must be at least 1, got {self.n_landmarks}.")
        n_landmarks = 1 if self.kernel == "linear" else int(self.n_landmarks or 1)
        random = np.random.RandomState(seed_of(self.random_state))
        seen = Candidates(n_landmarks, random)
        for X, y, weight in blocks:
            seen.add(X, y, weight)
        y, weight = np.concatenate(seen.labels), np.concatenate(seen.weights)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise AgnsalError(
                f"y has one class only ({self.classes_.tolist()}); a classifier needs at least two classes."
            )
        kept = weight > 0
        class_weight = compute_class_weight(self.class_weight, classes=self.classes_, y=y[kept])
        landmarks, rows = seen.chosen()
        kernel = self._kernel(seen.variance, landmarks.shape[1])
        features = None if kernel.name == "linear" else LandmarkFeatures.of(kernel, landmarks)
        n_features = landmarks.shape[1] if features is None else features.n_features
        with room_for(len(y), n_features, self.max_memory) as Z:
            start = 0
            for X, _, _ in blocks:
                fill_features(features, X, Z, start)
                start += len(X)
            if start != len(y):
                raise AgnsalError(f"the blocks held {len(y)} spectra at first and {start} when they were read again.")
            trainer = PrimalTrainer(Z, codes, weight * class_weight[codes], self.C)
            solved, tested, values = trainer.fit_with_folds(list(self._folds(Z, codes, kept)))
        self._take_sigmoids(pair_sigmoids(codes[tested], values, trainer.weight[tested], self.classes_.size))
        if features is None:
            rows, landmarks = np.full(solved.shape[1], -1), np.ascontiguousarray(solved[:-1].T)
            coefficients = np.eye(len(landmarks))
        else:
            self._warn_of_dead_kernel(landmarks, kernel)
            coefficients = features.whitening @ solved[:-1]
        self.n_training_, self.support_ids_ = len(y), None
        self.support_, self.pair_functions_ = rows, KernelExpansion(kernel, landmarks, coefficients, solved[-1].copy())
        self.n_support_ = np.bincount(codes[rows[rows >= 0]], minlength=self.classes_.size)
        self.training_mean_, self.learnt_from_ = seen.mean, origin
        return self

    def _take_sigmoids(self, sigmoids: Sigmoids) -> None:
        self.sigmoid_a_, self.sigmoid_b_ = sigmoids.a, sigmoids.b
        if sigmoids.against.any():
            warnings.warn(
                f"nothing shows that the machine separates {', '.join(sigmoids.named(self.classes_))}: on spectra it "
                "was not trained on its decision values run against the labels. Probabilities of such a pair stay near "
                "1/2, on the side of its decision value. More spectra or a larger C may help; compare with shuffled "
                "labels before believing any map.",
                AgnsalWarning,
                stacklevel=3,
            )

    def _warn_of_time(self, seconds: float, n: int) -> None:
        """Say beforehand that training will take long."""
        if seconds < _LONG:
            return
        warnings.warn(
            f"the kernel matrix of {n} spectra does not fit max_memory={self.max_memory:g} MiB, so libsvm evaluates "
            f"kernel rows itself: at a guess {_duration(seconds)}, or a few times that. n_landmarks=500 trains on any "
            f"number of spectra in little time and memory; max_memory={enough_memory(n)}, if the computer has as much, "
            "holds the matrix.",
            AgnsalWarning,
            stacklevel=3,
        )

    def _warn_of_dead_kernel(self, X: NDArray[np.float64], kernel: Kernel) -> None:
        """Warn where the kernel sees no difference between spectra, or nothing but differences."""
        some = X[:: max(1, len(X) // 50)]
        values = kernel(some, some)[~np.eye(len(some), dtype=bool)]
        low, high = float(values.min()), float(values.max())
        nothing_alike = kernel.name == "rbf" and high < _DEAD
        all_alike = kernel.name != "linear" and high - low <= _DEAD * max(abs(high), abs(low))
        if nothing_alike or all_alike:
            warnings.warn(
                f"the {kernel.name} kernel is dead: its values between different training spectra are {low:.2g} to "
                f"{high:.2g} (gamma = {kernel.gamma:.3g}), so that the machine gives one answer to whatever it has not "
                'seen, with a gradient of 0. Normalise or scale the spectra, or use gamma="scale".',
                AgnsalWarning,
                stacklevel=3,
            )

    def _check_choices(self) -> None:
        for name, choices in (("predict_by", ("probability", "votes")), ("coupling", ("exact", "libsvm"))):
            one_of(name, getattr(self, name), choices)

    def _resolve_kernel(self, X: NDArray[Any], weight: NDArray[Any]) -> Kernel:
        needed = self.gamma == "scale" and self.kernel != "linear"
        return self._kernel(weighted_variance(X, weight) if needed else 1.0, X.shape[1])

    def _kernel(self, variance: float, n_features: int) -> Kernel:
        """The kernel with its numbers, given the variance of all values."""
        gamma = self.gamma
        if isinstance(gamma, str):
            if gamma not in ("scale", "auto"):
                raise AgnsalError(f"gamma must be 'scale', 'auto' or a number, got {gamma!r}.")
            variance = variance if gamma == "scale" and self.kernel != "linear" else 1.0
            gamma = 1.0 / (n_features * variance) if variance > 0 else 1.0
        if gamma < 0:
            raise AgnsalError(f"gamma must not be negative, got {gamma}.")
        return Kernel(self.kernel, gamma=float(gamma), coef0=float(self.coef0), degree=self.degree)

    def _n_threads(self, n: int) -> int:
        """Threads for the folds: below a few hundred rows starting them costs more than it gains."""
        if self.n_jobs is not None and (self.n_jobs == 0 or self.n_jobs < -1):
            raise AgnsalError(f"n_jobs must be a positive number, -1 or None, got {self.n_jobs}.")
        if self.n_jobs is None and n < 500:
            return 1
        return min(cpu_count() if self.n_jobs in (None, -1) else self.n_jobs, 6)

    def _folds(
        self, X: NDArray[Any], codes: NDArray[Any], kept: NDArray[Any]
    ) -> Iterable[tuple[NDArray[Any], NDArray[Any]]]:
        if not isinstance(self.cv, int | np.integer):
            return check_cv(self.cv, codes, classifier=True).split(X, codes)
        members = np.bincount(codes[kept])
        fewest, rarest = int(members.min()), self.classes_.tolist()[members.argmin()]
        if self.cv < 2:
            raise AgnsalError(f"cv must be at least 2 folds, got {self.cv}.")
        if fewest < 2:
            raise AgnsalError(
                f"class {rarest!r} has 1 member; the sigmoids need at least 2 of each class. "
                "Add members, merge the class with another or leave it out."
            )
        if fewest < self.cv:
            warnings.warn(
                f"class {rarest!r} has {fewest} members: {fewest} folds are used instead of {self.cv}.",
                AgnsalWarning,
                stacklevel=3,
            )
        rows = np.flatnonzero(kept)
        splitter = StratifiedKFold(min(int(self.cv), fewest), shuffle=True, random_state=seed_of(self.random_state))
        return ((rows[train], rows[test]) for train, test in splitter.split(rows, codes[rows]))

    @classmethod
    def from_svc(
        cls,
        machine: SVC | NuSVC,
        coupling: Literal["exact", "libsvm"] = "exact",
        *,
        predict_by: Literal["probability", "votes"] = "probability",
    ) -> ProbabilisticSVC:
        """Import a fitted ``SVC(probability=True)`` or ``NuSVC(probability=True)``.

        Parameters
        ----------
        machine : SVC or NuSVC
            Fitted with probabilities.
        coupling : {"exact", "libsvm"}
            The exact coupling, or the iteration that reproduces its `predict_proba`.
        predict_by : {"probability", "votes"}
            libsvm itself predicts by votes.

        Returns
        -------
        ProbabilisticSVC
            `training_mean_` is None: a fitted `SVC` does not remember it.

        Raises
        ------
        AgnsalError
            If the machine is not fitted, has no probabilities, or has a kernel that is not one of the four.
        """
        from agnsal.models.machine.libsvm import import_svc

        return import_svc(cls, machine, coupling=coupling, predict_by=predict_by)

    _arrays: ClassVar = {
        "classes_": Array("labels", "class"),
        "support_": Array("whole", "vector"),
        "support_ids_": Array("text", "vector", optional=True),
        "n_support_": Array("whole", "class"),
        "support_vectors_": Array("real", "vector bin"),
        "pair_coefficients_": Array("real", "vector pair"),
        "pair_intercepts_": Array("real", "pair"),
        "sigmoid_a_": Array("real", "pair"),
        "sigmoid_b_": Array("real", "pair"),
        "training_mean_": Array("real", "bin", optional=True),
        **GRID_ARRAYS,
    }
    _header: ClassVar = {
        "parameters": dict,
        "kernel": {"name": frozenset(KERNEL_NAMES), "gamma": float, "coef0": float, "degree": float},
        "object_labels": bool,
        "n_training": int,
        "feature_names_in": [str],
        "learnt_from": (ORIGIN_HEADER, None),
    }

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        check_is_fitted(self)
        edges, origin = ({}, None) if self.learnt_from_ is None else self.learnt_from_.pack()
        kept = (name for name in self._arrays if name != "classes_" and name not in GRID_ARRAYS)
        arrays = {name: getattr(self, name) for name in kept if getattr(self, name) is not None}
        arrays["classes_"], objects = pack_labels(self.classes_)
        header = {
            "parameters": pack_parameters(self.get_params(deep=False)),
            "kernel": {name: getattr(self.kernel_, name) for name in self._header["kernel"]},
            "object_labels": objects,
            "n_training": self.n_training_,
            "feature_names_in": [str(name) for name in getattr(self, "feature_names_in_", [])],
        }
        return arrays | edges, header | {"learnt_from": origin}

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> ProbabilisticSVC:
        machine = cls(**unpack_parameters(header["parameters"]))
        machine.classes_ = unpack_labels(arrays["classes_"], header["object_labels"])
        machine.training_mean_, machine.support_ids_ = arrays.get("training_mean_"), arrays.get("support_ids_")
        machine.n_training_ = header["n_training"]
        machine.learnt_from_ = Origin.unpack(arrays, header["learnt_from"])
        for name in ("support_", "n_support_", "sigmoid_a_", "sigmoid_b_"):
            setattr(machine, name, arrays[name])
        vectors, coefficients, intercepts = (
            arrays[name] for name in ("support_vectors_", "pair_coefficients_", "pair_intercepts_")
        )
        machine.pair_functions_ = KernelExpansion(Kernel(**header["kernel"]), vectors, coefficients, intercepts)
        machine.n_features_in_ = vectors.shape[1]
        names, n_classes = header["feature_names_in"], len(machine.classes_)
        if names:
            machine.feature_names_in_ = np.array(names, dtype=object)
        if n_classes < 2 or len(np.unique(arrays["classes_"])) < n_classes:
            raise AgnsalError(f"{machine.classes_.tolist()!r:.200} are no classes")
        if len(intercepts) != n_classes * (n_classes - 1) // 2 or len(names) not in (0, vectors.shape[1]):
            raise AgnsalError("the arrays do not fit together")
        return machine


class _Blocks:
    """Blocks of a user, checked each time they are gone through."""

    def __init__(self, machine: ProbabilisticSVC, blocks: Iterable[Any]) -> None:
        self._machine, self._blocks, self._seen = machine, blocks, False
        self.origin: Origin | None = None
        for block in blocks:
            self.origin = Origin.of(block[0] if isinstance(block, tuple) else block)
            break

    def __iter__(self) -> Iterator[Block]:
        for number, block in enumerate(self._blocks):
            given = block if isinstance(block, tuple) else (block, None)
            if self.origin is not None and isinstance(given[0], SpectralSample):
                self.origin.check(given[0], "the first block of spectra is such that their")
            X, y = spectra_and_labels(*given)
            first = number == 0 and not self._seen
            X, y = validate_data(self._machine, X, y, dtype=np.float64, order="C", reset=first)
            check_classification_targets(y)
            yield X, y, np.ones(len(X))
        self._seen = True


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
