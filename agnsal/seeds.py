"""One way to take a random state: whatever users give becomes a whole number, which a result can keep."""

from __future__ import annotations

import numpy as np

from agnsal.errors import AgnsalError

#: What `random_state` may be, wherever there is one.
Seed = int | np.integer | np.random.RandomState | np.random.Generator | None

_SEEDS = 2**31 - 1


def seed_of(random_state: Seed) -> int:
    """Turn any random state into a seed that makes the same draws again.

    A seed can be written with a result, which a generator cannot; so a map is repeatable however it was drawn.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None
        A whole number is the seed itself. Of the others one is drawn: a generator given twice gives two. None draws
        from numpy's global state, as in scikit-learn.

    Returns
    -------
    int

    Raises
    ------
    AgnsalError
        If it is none of these, or a negative number.

    Examples
    --------
    >>> seed_of(3), seed_of(np.random.default_rng(0)) == seed_of(np.random.default_rng(0))
    (3, True)
    """
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(_SEEDS))
    if random_state is None:
        return int(np.random.randint(_SEEDS))  # noqa: NPY002 (what np.random.seed has set is respected)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(_SEEDS))
    if not isinstance(random_state, int | np.integer) or not 0 <= random_state < 2**32:
        raise AgnsalError(
            f"random_state must be a whole number from 0 to 2**32 - 1, a RandomState, a Generator or None, "
            f"got {random_state!r}."
        )
    return int(random_state)
