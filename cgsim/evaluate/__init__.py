"""Judge a simulator by the trajectories it makes: observables, kinetics, scores, report.

Nothing here knows a model: any simulator can be judged, MD included.
"""

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.msm import fit_clusters, metastable_states
from cgsim.evaluate.kinetics.score import KineticsScore, score_kinetics
from cgsim.evaluate.kinetics.tica import TicaModel, fit_tica
from cgsim.evaluate.kinetics.validation import chapman_kolmogorov, implied_timescales
from cgsim.evaluate.scores.compare import compare
from cgsim.evaluate.scores.comparison import Comparison, MoleculeScore, Score, Scoring
from cgsim.evaluate.statistics.estimate import Estimate

__all__ = [
    "Comparison",
    "Ensemble",
    "Estimate",
    "KineticsScore",
    "MoleculeScore",
    "Score",
    "Scoring",
    "TicaModel",
    "chapman_kolmogorov",
    "compare",
    "fit_clusters",
    "fit_tica",
    "implied_timescales",
    "metastable_states",
    "score_kinetics",
]
