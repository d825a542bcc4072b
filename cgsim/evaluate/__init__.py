"""Judge a simulator by the trajectories it makes: observables, kinetics, scores, report.

Nothing here knows a model: any simulator can be judged, MD included.
"""

from cgsim.evaluate.compare import compare
from cgsim.evaluate.comparison import Comparison, Estimate, MoleculeScore, Score, Scoring
from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics_score import KineticsScore, score_kinetics
from cgsim.evaluate.msm import fit_clusters, metastable_states
from cgsim.evaluate.msm_validation import chapman_kolmogorov, implied_timescales
from cgsim.evaluate.tica import TicaModel, fit_tica

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
