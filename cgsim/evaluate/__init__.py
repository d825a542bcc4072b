"""Judge a simulator by the trajectories it makes: observables, kinetics, scores, report.

Nothing here knows a model: any simulator can be judged, MD included. All names below are imported
on first use, so that the table of yardsticks, of which ``--help`` is made, costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cgsim.evaluate.ensemble import Ensemble
    from cgsim.evaluate.kinetics.msm import fit_clusters, metastable_states
    from cgsim.evaluate.kinetics.score import KineticsScore, score_kinetics
    from cgsim.evaluate.kinetics.tica import TicaModel, fit_tica
    from cgsim.evaluate.kinetics.validation import chapman_kolmogorov, implied_timescales
    from cgsim.evaluate.observables.contacts import Collisions, ContactMap
    from cgsim.evaluate.observables.distribution import Distribution
    from cgsim.evaluate.observables.drift import Drift
    from cgsim.evaluate.observables.frames import Frames
    from cgsim.evaluate.observables.observable import Metric, Observable
    from cgsim.evaluate.observables.relaxation import Relaxation
    from cgsim.evaluate.observables.scalar import Scalar
    from cgsim.evaluate.observables.table import OBSERVABLES, add_observable, metrics
    from cgsim.evaluate.scores.compare import compare
    from cgsim.evaluate.scores.comparison import Comparison, MoleculeScore, Score
    from cgsim.evaluate.scoring import Scoring
    from cgsim.evaluate.statistics.estimate import Estimate
    from cgsim.evaluate.yardsticks import YARDSTICKS, Yardstick

__all__ = [
    "OBSERVABLES",
    "YARDSTICKS",
    "Collisions",
    "Comparison",
    "ContactMap",
    "Distribution",
    "Drift",
    "Ensemble",
    "Estimate",
    "Frames",
    "KineticsScore",
    "Metric",
    "MoleculeScore",
    "Observable",
    "Relaxation",
    "Scalar",
    "Score",
    "Scoring",
    "TicaModel",
    "Yardstick",
    "add_observable",
    "chapman_kolmogorov",
    "compare",
    "fit_clusters",
    "fit_tica",
    "implied_timescales",
    "metastable_states",
    "metrics",
    "score_kinetics",
]

_HOME = {
    "Collisions": "observables.contacts",
    "Comparison": "scores.comparison",
    "ContactMap": "observables.contacts",
    "Distribution": "observables.distribution",
    "Drift": "observables.drift",
    "Ensemble": "ensemble",
    "Estimate": "statistics.estimate",
    "Frames": "observables.frames",
    "KineticsScore": "kinetics.score",
    "Metric": "observables.observable",
    "MoleculeScore": "scores.comparison",
    "OBSERVABLES": "observables.table",
    "Observable": "observables.observable",
    "Relaxation": "observables.relaxation",
    "Scalar": "observables.scalar",
    "Score": "scores.comparison",
    "Scoring": "scoring",
    "TicaModel": "kinetics.tica",
    "YARDSTICKS": "yardsticks",
    "Yardstick": "yardsticks",
    "add_observable": "observables.table",
    "chapman_kolmogorov": "kinetics.validation",
    "compare": "scores.compare",
    "fit_clusters": "kinetics.msm",
    "fit_tica": "kinetics.tica",
    "implied_timescales": "kinetics.validation",
    "metastable_states": "kinetics.msm",
    "metrics": "observables.table",
    "score_kinetics": "kinetics.score",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'cgsim.evaluate' has no attribute {name!r}")
    return getattr(import_module(f"cgsim.evaluate.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
