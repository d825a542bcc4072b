"""Reference data with OpenMM: genome-like polymers, in files that the rest of cgsim reads."""

from cgsim.md.generate import PolymerRun, generate_polymers
from cgsim.md.polymer import BEADS_PER_CHAIN, Chain, build_chain, sample_chains
from cgsim.md.system import ForceField, MergedChains

__all__ = [
    "BEADS_PER_CHAIN",
    "Chain",
    "ForceField",
    "MergedChains",
    "PolymerRun",
    "build_chain",
    "generate_polymers",
    "sample_chains",
]
