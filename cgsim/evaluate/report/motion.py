"""Sections of the report on how one molecule moves: its memory and its slow motions."""

from dataclasses import replace
from html import escape

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.msm import fit_clusters
from cgsim.evaluate.kinetics.tica import TicaModel, fit_tica
from cgsim.evaluate.kinetics.validation import ImpliedTimescales, implied_timescales
from cgsim.evaluate.observables.correlations import measure_memory
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.problems import Problem, attempt
from cgsim.evaluate.report import markup, plots
from cgsim.evaluate.statistics.autocorrelation import max_lags

#: Frames times beads that are looked at: longer trajectories are cut.
MOST_POSITIONS = 500_000
FEWEST_FRAMES = 20  # of the longest replica
SHORTEST_REPLICA = 3  # frames; of shorter ones there is no motion
MAX_LAGS = 200
N_CLUSTERS = 50
N_TIMESCALES = 2
_LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_LONGEST_LAG = 1 / 20  # of the shortest replica

_MEMORY = (
    "The correlation of velocities and positions of the beads, in the frame of the centre of mass, "
    "over time, and the kurtosis of the displacements of each bead in one frame. Dashed: without "
    "memory, and Gaussian. Velocities are those from one common frame to the next."
)
_SLOW = (
    "The slowest motions of the reference by time-lagged independent component analysis (TICA) of "
    "the distances between beads, and how long they take by Markov models of {n} clusters: flat "
    "where such a model holds, unresolved in the shaded part."
)


def memory_section(
    reference: Ensemble, learned: Ensemble, problems: list[Problem] | None = None
) -> str:
    """Autocorrelations and kurtosis of both; what was wrong, if they cannot be had.

    Parameters
    ----------
    problems
        What was wrong is added.
    """
    problems = [] if problems is None else problems
    figure = attempt("Memory", lambda: _memory(reference, learned), problems)
    if figure is None:
        return markup.section("Memory", "", markup.absent(problems[-1].sentence))
    return markup.section("Memory", _MEMORY, figure)


def _memory(reference: Ensemble, learned: Ensemble) -> str:
    first, second = (
        measure_memory(own, n_lags=min(MAX_LAGS, max_lags(own.xyz)))
        for own in comparable(reference, learned)
    )
    return markup.plot(
        plots.plot_memory(first, second),
        f"{reference.name}; bands and bars are one standard error.",
        alt="Autocorrelation of velocities and positions, kurtosis of displacements",
        css_class="wide",
    )


def slow_motion_section(
    reference: Ensemble, learned: Ensemble, problems: list[Problem] | None = None
) -> str:
    """Free energy over two TICA components, implied timescales; or why they cannot be had.

    Parameters
    ----------
    problems
        What was wrong is added.
    """
    heading, problems = "Slow motions", [] if problems is None else problems
    fitted = attempt(heading, lambda: _fit(reference, learned), problems)
    if fitted is None:
        return markup.section(heading, "", markup.absent(problems[-1].sentence))
    makers = {
        "Free energy over the slowest components": lambda: _surface(*fitted),
        "Implied timescales": lambda: _implied(*fitted),
    }
    made = {what: attempt(what, make, problems) for what, make in makers.items()}
    if not any(made.values()):
        return markup.section(heading, "", markup.absent(problems[-1].sentence))
    why = {problem.what: problem.sentence for problem in problems}
    figures = "".join(
        figure or f"<p>{escape(what)} cannot be had: {escape(why[what])}.</p>"
        for what, figure in made.items()
    )
    text = _SLOW.format(n=N_CLUSTERS)
    return markup.section(heading, text, f'<div class="pair">{figures}</div>')


def _fit(reference: Ensemble, learned: Ensemble) -> tuple[TicaModel, Ensemble, Ensemble]:
    if reference.n_beads < 2:
        raise ValueError(f"{reference.name} is one bead, which has no distances")
    first, second = comparable(reference, learned)
    return fit_tica(first, lag_time=_tica_lag(first)), first, second


def _surface(tica: TicaModel, first: Ensemble, second: Ensemble) -> str:
    if first.n_beads == 2:
        raise ValueError("two beads have one distance, which is no surface")
    return markup.plot(
        plots.plot_free_energy(tica, first, second),
        f"Free energy over the two slowest components, fitted with a lag of {tica.lag_time:g} ps.",
        alt="Free energy over TICA components",
    )


def _implied(tica: TicaModel, first: Ensemble, second: Ensemble) -> str:
    return markup.plot(
        plots.plot_implied_timescales(*_timescales(tica, first, second)),
        "Implied timescales; circles the slowest. Bars are one standard error.",
        alt="Implied timescales",
    )


def comparable(reference: Ensemble, learned: Ensemble) -> tuple[Ensemble, Ensemble]:
    """Both at the longer of their frame intervals, and not longer than can be looked at.

    Raises
    ------
    ValueError
        If one interval is no multiple of the other, or frames are too few.
    """
    interval = max(reference.frame_interval, learned.frame_interval)
    first, second = (_at_interval(own, interval) for own in (reference, learned))
    return first, second


def _at_interval(ensemble: Ensemble, interval: float) -> Ensemble:
    step = interval / ensemble.frame_interval
    if abs(step - round(step)) > 1e-6 * step:
        raise ValueError(
            f"{ensemble.name}: frames {ensemble.frame_interval:g} ps apart cannot be compared with "
            f"frames {interval:g} ps apart"
        )
    n_frames = max(len(replica) for replica in ensemble.xyz) // round(step)
    if n_frames < FEWEST_FRAMES:
        raise ValueError(
            f"{ensemble.name}: {n_frames} frames {interval:g} ps apart are too few, it takes "
            f"{FEWEST_FRAMES}"
        )
    n_most = max(FEWEST_FRAMES, MOST_POSITIONS // (ensemble.n_beads * ensemble.n_replicas))
    cut = [replica[:: round(step)][:n_most] for replica in ensemble.xyz]
    xyz = tuple(replica for replica in cut if len(replica) >= SHORTEST_REPLICA)
    return replace(ensemble, xyz=xyz, frame_interval=interval, cells=None, drift=None)


def _tica_lag(reference: Ensemble) -> float:
    """Half of the relaxation time of Rg², at least one frame."""
    time = Profile(reference).rg_squared.relaxation_time
    n_frames = time / (2 * reference.frame_interval) if np.isfinite(time) else 1
    return max(1, round(n_frames)) * reference.frame_interval


def _timescales(
    tica: TicaModel, reference: Ensemble, learned: Ensemble
) -> tuple[ImpliedTimescales, ImpliedTimescales]:
    """Of both, at lag times from one frame to a twentieth of the shortest replica."""
    clusters = fit_clusters(tica, reference, n_clusters=N_CLUSTERS)
    shortest = min(len(xyz) for own in (reference, learned) for xyz in own.xyz)
    lags = [lag for lag in _LAGS if lag <= shortest * _LONGEST_LAG] or [1]
    lag_times = [lag * reference.frame_interval for lag in lags]
    first, second = (
        implied_timescales(clusters, own, lag_times=lag_times, n_timescales=N_TIMESCALES)
        for own in (reference, learned)
    )
    return first, second
