"""The command `cgsim md polymers`."""

from pathlib import Path
from typing import Literal

from cgsim.cluster.portions import Cluster
from cgsim.md.runs import PolymerRun


def command(
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
        run: The simulations, with times in ps (one ps is one tau).
        kind: Class of the sequences: I repeats a pattern of four units, II is random.
        size: Fine beads per chain: 60 (tiny), 120 (mini) or 900 (paper).
        n_chains: Number of different chains.
        sequence_seed: Seed of the sequences.
        cluster: Who does the work.
    """
    from cgsim.cli.md import generate_all
    from cgsim.md import generate_polymers, sample_chains

    chains = sample_chains(kind, size=size, n_chains=n_chains, seed=sequence_seed)
    generate_all(generate_polymers, chains, output, run, cluster=cluster)
