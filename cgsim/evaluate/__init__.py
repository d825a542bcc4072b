"""Judge a simulator by the trajectories it makes: observables, kinetics, scores, report.

Nothing here knows a model: any simulator can be judged, MD included.
"""

from cgsim.evaluate.compare import compare
from cgsim.evaluate.comparison import Comparison, Estimate, MoleculeScore, Score, Scoring
from cgsim.evaluate.ensemble import Ensemble

__all__ = [
    "Comparison",
    "Ensemble",
    "Estimate",
    "MoleculeScore",
    "Score",
    "Scoring",
    "compare",
]
