"""Reference data with OpenMM: polymers and peptides, in files that the rest of cgsim reads."""

from cgsim.md.files import write_chain
from cgsim.md.generate import PolymerRun, generate_polymers
from cgsim.md.peptide import PeptideRun, generate_peptides
from cgsim.md.peptide_structure import Peptide, build_peptide, read_peptide
from cgsim.md.peptide_system import MergedPeptides, PeptideForceField
from cgsim.md.polymer import BEADS_PER_CHAIN, Chain, build_chain, sample_chains
from cgsim.md.steered import SteeredRun, build_helix, generate_steered
from cgsim.md.system import ForceField, MergedChains

__all__ = [
    "BEADS_PER_CHAIN",
    "Chain",
    "ForceField",
    "MergedChains",
    "MergedPeptides",
    "Peptide",
    "PeptideForceField",
    "PeptideRun",
    "PolymerRun",
    "SteeredRun",
    "build_chain",
    "build_helix",
    "build_peptide",
    "generate_peptides",
    "generate_polymers",
    "generate_steered",
    "read_peptide",
    "sample_chains",
    "write_chain",
]
