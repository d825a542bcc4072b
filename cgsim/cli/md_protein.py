"""The command `cgsim md protein`."""

from pathlib import Path

from cgsim.cluster.portions import Cluster
from cgsim.md.runs import FoldedRun


def command(
    pdb: list[Path],
    *,
    output: Path,
    run: FoldedRun,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Make MD of folded proteins with OpenMM: a structure-based model of their C-alphas.

    Writes NAME.pdb, NAME-r0.xtc and NAME.json for every protein. Interrupt it at any time; the
    same command goes on. Such models are for trials: they know one fold, and no chemistry.

    Example: cgsim md protein 1ubq.pdb --output md --run.duration 16000 --run.n_replicas 2

    Args:
        pdb: PDB files, each of one protein chain without gaps.
        output: Folder to write to.
        run: The simulations, with times in ps.
        cluster: Who does the work.
    """
    from cgsim.cli.md import generate_all
    from cgsim.io import read_json
    from cgsim.md import generate_folded, read_folded

    proteins = [read_folded(file) for file in pdb]
    generate_all(generate_folded, proteins, output, run, cluster=cluster)
    for protein in proteins:
        about = read_json(output / f"{protein.name}.json")["provenance"]
        pace = about.get("chain_steps_per_second", 0.0) * run.timestep
        took = run.duration * run.n_replicas / pace if pace else 0.0
        print(
            f"{protein.name}: {protein.n_atoms} residues, {protein.contacts.shape[1]} native "
            f"contacts, {run.n_replicas} x {run.duration:g} ps at {pace:,.0f} ps/s ({took:,.0f} s)"
        )
