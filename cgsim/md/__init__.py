"""Reference data with OpenMM: polymers and peptides, in files that the rest of cgsim reads.

Names are imported on first use: the settings of a run are shown by commands that need no OpenMM.
"""

from typing import TYPE_CHECKING

from cgsim import on_first_use

if TYPE_CHECKING:
    from cgsim.md.files import write_chain
    from cgsim.md.folded import FoldedProtein, generate_folded, read_folded
    from cgsim.md.peptide_chain import Peptide
    from cgsim.md.peptide_run import generate_peptides
    from cgsim.md.peptide_structure import build_peptide, read_peptide
    from cgsim.md.peptide_system import MergedPeptides, PeptideForceField
    from cgsim.md.polymer import BEADS_PER_CHAIN, Chain, build_chain, sample_chains
    from cgsim.md.polymer_run import generate_polymers
    from cgsim.md.polymer_system import ForceField, MergedChains
    from cgsim.md.runs import FoldedRun, PeptideRun, PolymerRun, SteeredRun
    from cgsim.md.steered import build_helix, generate_steered

_HOME = {
    "BEADS_PER_CHAIN": "polymer",
    "Chain": "polymer",
    "FoldedProtein": "folded",
    "FoldedRun": "runs",
    "ForceField": "polymer_system",
    "MergedChains": "polymer_system",
    "MergedPeptides": "peptide_system",
    "Peptide": "peptide_chain",
    "PeptideForceField": "peptide_system",
    "PeptideRun": "runs",
    "PolymerRun": "runs",
    "SteeredRun": "runs",
    "build_chain": "polymer",
    "build_helix": "steered",
    "build_peptide": "peptide_structure",
    "generate_folded": "folded",
    "generate_peptides": "peptide_run",
    "generate_polymers": "polymer_run",
    "generate_steered": "steered",
    "read_folded": "folded",
    "read_peptide": "peptide_structure",
    "sample_chains": "polymer",
    "write_chain": "files",
}

__all__ = [
    "BEADS_PER_CHAIN",
    "Chain",
    "FoldedProtein",
    "FoldedRun",
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
    "generate_folded",
    "generate_peptides",
    "generate_polymers",
    "generate_steered",
    "read_folded",
    "read_peptide",
    "sample_chains",
    "write_chain",
]

__getattr__, __dir__ = on_first_use(__name__, _HOME)
