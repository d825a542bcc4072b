"""Reference data with OpenMM: polymers and peptides, in files that the rest of cgsim reads."""

from cgsim.md.files import write_chain
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_run import PeptideRun, generate_peptides
from cgsim.md.peptide_structure import build_peptide, read_peptide
from cgsim.md.peptide_system import MergedPeptides, PeptideForceField
from cgsim.md.polymer import BEADS_PER_CHAIN, Chain, build_chain, sample_chains
from cgsim.md.polymer_run import PolymerRun, generate_polymers
from cgsim.md.polymer_system import ForceField, MergedChains
from cgsim.md.steered import SteeredRun, build_helix, generate_steered

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
