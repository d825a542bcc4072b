"""Reference trajectories of polymers: the simulations, and the files around them."""

from collections.abc import Sequence
from pathlib import Path

from cgsim.md.files import check_names, write_chain_files
from cgsim.md.polymer import Chain, initial_coordinates
from cgsim.md.polymer_system import ForceField, MergedChains
from cgsim.md.runs import PolymerRun
from cgsim.md.schedule import Method, run_replicas


def generate_polymers(
    chains: Sequence[Chain], directory: str | Path, run: PolymerRun
) -> list[Path]:
    """Simulate every chain and write trajectories that ``cgsim`` and MDTraj can read.

    Per chain: ``<name>.pdb`` (bonds as CONECT), ``<name>-r<replica>.xtc`` or ``.dcd`` (unwrapped,
    no cell) and ``<name>.json`` (units, frame interval, masses, temperature, parameters, seed,
    speed, versions). Frame i is at time (i + 1) x frame_interval after equilibration.

    Finished replicas are skipped, interrupted ones resumed, and a longer ``duration`` extends what
    is there. Chains run merged, side by side on the CPU cores. Ctrl-C stops after the chunks
    at work, with everything simulated so far on disk.

    Returns
    -------
    list of Path
        The trajectory files, chain by chain, replica by replica.

    Raises
    ------
    ValueError
        Two chains of one name, or a directory that holds data made with other settings.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    directory = Path(directory)
    check_names([chain.name for chain in chains])
    for chain in chains:
        write_chain_files(
            chain,
            directory,
            frame_interval=run.frame_interval,
            settings={"equilibration": run.equilibration, "seed": run.seed, "format": run.format},
        )
    method: Method[Chain] = Method(
        label="polymer MD",
        merge=lambda merged, platform: MergedChains(merged, ForceField(), platform=platform),
        initial_coordinates=lambda chain, seed: initial_coordinates(chain, seed=seed),
    )
    return run_replicas(chains, directory, run, method)
