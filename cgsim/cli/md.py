"""The commands `cgsim md polymers` and `cgsim md peptide`."""

from pathlib import Path
from typing import Literal

from cgsim.cluster import Cluster
from cgsim.cluster.md import generate_shared
from cgsim.md import PeptideRun, PolymerRun, generate_polymers, sample_chains


def polymers(
    output: Path,
    *,
    run: PolymerRun,
    kind: Literal["I", "II"] = "I",
    size: Literal["tiny", "mini", "paper"] = "tiny",
    n_chains: int = 10,
    sequence_seed: int = 0,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Make reference MD of genome-like polymers with OpenMM.

    Writes NAME.pdb, NAME-r0.xtc and NAME.json for every chain. Interrupt it at any time; the same
    command goes on.

    Example: cgsim md polymers data/train --run.duration 2000 --n_chains 8

    Args:
        output: Folder to write to.
        run: Length, replicas and seed of the simulations; times in ps (one ps is one tau).
        kind: Class I repeats a pattern of four units, class II is a random sequence.
        size: 60 (tiny), 120 (mini) or 900 (paper) fine beads per chain.
        n_chains: Number of different chains.
        sequence_seed: Seed of the sequences.
        cluster: Who does the work.
    """
    chains = sample_chains(kind, size=size, n_chains=n_chains, seed=sequence_seed)
    generate_shared(generate_polymers, chains, output, run, cluster=cluster)


def peptide(
    output: Path,
    *,
    run: PeptideRun,
    sequence: str | None = None,
    pdb: list[Path] | None = None,
    capped: bool = True,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Make reference MD of peptides with OpenMM: ff14SBonlysc, implicit water, 4 fs.

    Writes NAME.pdb, NAME-r0.xtc and NAME.json for every peptide. Interrupt it at any time; the
    same command goes on.

    Example: cgsim md peptide data --sequence AAA,GAV --run.duration 10000 --run.n_replicas 4

    Args:
        output: Folder to write to.
        run: Length, replicas, temperature, solvent and seed of the simulations; times in ps.
        sequence: One-letter codes of L-amino acids; several sequences with commas between.
        pdb: PDB files of single chains; water and ions are left out, hydrogens placed anew.
        capped: Put sequences between ACE and NME; otherwise their ends are charged.
        cluster: Who does the work.
    """
    from cgsim.md import build_peptide, generate_peptides, read_peptide

    sequences = [] if sequence is None else sequence.split(",")
    peptides = [build_peptide(letters.strip(), capped=capped) for letters in sequences]
    peptides += [read_peptide(file) for file in pdb or []]
    if not peptides:
        raise ValueError("give --sequence LETTERS or --pdb FILE")
    generate_shared(generate_peptides, peptides, output, run, cluster=cluster)
