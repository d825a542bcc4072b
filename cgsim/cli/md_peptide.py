"""The command `cgsim md peptide`."""

from pathlib import Path

from cgsim.cluster.portions import Cluster
from cgsim.md.runs import PeptideRun


def command(
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
        run: The simulations, with times in ps.
        sequence: One-letter codes of L-amino acids; several sequences with commas between.
        pdb: PDB files of single chains, of which water and ions are left out and hydrogens placed
            anew.
        capped: Whether sequences stand between ACE and NME instead of having charged ends.
        cluster: Who does the work.
    """
    from cgsim.cli.md import generate_all
    from cgsim.md import build_peptide, generate_peptides, read_peptide

    sequences = [] if sequence is None else sequence.split(",")
    peptides = [build_peptide(letters.strip(), capped=capped) for letters in sequences]
    peptides += [read_peptide(file) for file in pdb or []]
    if not peptides:
        raise ValueError("give --sequence LETTERS or --pdb FILE")
    generate_all(generate_peptides, peptides, output, run, cluster=cluster)
