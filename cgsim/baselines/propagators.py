"""The propagators to compare with, by name, fitted to trajectories."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.recurrent import RecurrentConfig, fit_recurrent
from cgsim.baselines.regression import (
    independent_frames,
    parted,
    persistence,
    random_walk,
    vector_autoregression,
    window_rows,
)
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator

Regression = Callable[..., LinearPropagator]  # (history, next_pos, *, timestep)


class Fit(Protocol):
    """Fits a propagator to trajectories."""

    def __call__(
        self, trajectories: Sequence[MappedTrajectory], *, stride: int, history: int, seed: int
    ) -> Propagator:
        """A propagator that steps over ``stride`` frames and sees ``history`` of them."""


class Kind(NamedTuple):
    """A row of `PROPAGATORS`.

    Attributes
    ----------
    fit
        What fits it.
    history
        Frames that it sees unless another number is asked for.
    """

    fit: Fit
    history: int


def fit_propagator(
    kind: str,
    trajectories: Sequence[MappedTrajectory],
    *,
    stride: int,
    history: int | None = None,
    seed: int = 0,
) -> Propagator:
    """Fit a propagator to trajectories, to be rolled out by `cgsim.simulate`.

    Parameters
    ----------
    kind
        One of `PROPAGATORS`: ``persistence``, ``random-walk``, ``independent``, ``var`` or
        ``lstm``.
    trajectories
        Of one molecule or several. All but ``lstm`` take bead i of one for bead i of all.
    stride
        Frames per step.
    history
        Frames that ``var`` (5 by default) and ``lstm`` (10) see.
    seed
        Of the training of ``lstm``; the others are exact.

    Raises
    ------
    ValueError
        If there is no such kind; if the trajectories differ in frame interval or, where it counts,
        in their number of beads, are too short or do not move.
    """
    if kind not in PROPAGATORS:
        raise ValueError(f"no propagator {kind!r}; there are {', '.join(PROPAGATORS)}")
    fit, usual = PROPAGATORS[kind]
    frames = usual if history is None else history
    if frames < 1 or stride < 1:
        raise ValueError(f"history and stride must be at least 1, got {frames} and {stride}")
    return fit(trajectories, stride=stride, history=frames, seed=seed)


def fit_linear(
    regression: Regression, trajectories: Sequence[MappedTrajectory], *, stride: int, history: int
) -> LinearPropagator:
    """Fit a regression to windows that start a step apart.

    Parameters
    ----------
    regression
        Of `cgsim.baselines.regression`.
    stride
        Frames per step.
    history
        Frames that it sees.

    Raises
    ------
    ValueError
        As `fit_propagator`.
    """
    sizes = sorted({own.n_beads for own in trajectories})
    if len(sizes) > 1:
        raise ValueError(
            f"a linear propagator needs molecules of one size, bead i of one is bead i of all; got "
            f"{sizes} beads"
        )
    scales = measure(trajectories, stride=stride)
    windows = [_windows(own, n_history=history, stride=stride) for own in trajectories]
    past, following = (np.concatenate(parts) for parts in zip(*windows, strict=True))
    fitted = regression(past, following, timestep=scales.timestep)
    return replace(fitted, length_scale=scales.length_scale)


def _windows(
    trajectory: MappedTrajectory, *, n_history: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows that start a step apart: those between share most of their frames with them."""
    try:
        rows = window_rows(trajectory.n_frames, n_history=n_history, stride=stride)
    except ValueError as error:
        raise ValueError(f"{trajectory.name}: {error}") from error
    return parted(trajectory.at(rows[::stride], current=-2))


def _linear(regression: Regression) -> Fit:
    """A regression as a row of the table."""

    def fit(
        trajectories: Sequence[MappedTrajectory], *, stride: int, history: int, seed: int
    ) -> Propagator:
        return fit_linear(regression, trajectories, stride=stride, history=history)

    return fit


def _lstm(
    trajectories: Sequence[MappedTrajectory], *, stride: int, history: int, seed: int
) -> Propagator:
    return fit_recurrent(trajectories, RecurrentConfig(history=history), stride=stride, seed=seed)


PROPAGATORS: dict[str, Kind] = {
    "persistence": Kind(_linear(persistence), 1),
    "random-walk": Kind(_linear(random_walk), 1),
    "independent": Kind(_linear(independent_frames), 1),
    "var": Kind(_linear(vector_autoregression), 5),
    "lstm": Kind(_lstm, RecurrentConfig.history),
}
