"""The command `cgsim rollout`."""

from pathlib import Path

from cgsim.cluster.rollout import RolloutCluster, RolloutRun, roll_out


def rollout(
    simulator: Path,
    start: list[Path],
    *,
    n_steps: int,
    output: Path,
    n_replicas: int = 1,
    every: int = 1,
    seed: int = 0,
    cluster: RolloutCluster = RolloutCluster(),  # noqa: B008
) -> None:
    """Simulate molecules with a trained simulator.

    Writes NAME-rREPLICA.xtc with NAME.pdb and NAME.psf, in one folder per job if workers share
    them. The same command goes on where a killed one stopped, and with more steps it continues,
    exactly.

    Example: cgsim rollout model/simulator.safetensors mapped/a.cg --n_steps 10000 --output rollout

    Args:
        simulator: A stored simulator, the name of a packaged one: polymer-mini, or a file of
            `cgsim baseline`.
        start: Folders NAME.cg with frames to start from, or structure files (PDB, GRO, ...) with
            the atoms that the simulator was trained on.
        n_steps: Steps.
        output: Folder to write to; ending in /*.dcd for DCD files.
        n_replicas: Independent roll-outs of every molecule.
        every: Steps between recorded frames.
        seed: Seed of starting frames and noise.
        cluster: Who does the work.
    """
    run = RolloutRun(n_steps, n_replicas, every, seed)
    result = roll_out(simulator, start, output, run, cluster=cluster)
    print(f"{len(result.files)} trajectories, {result.n_steps} steps in {result.seconds:.1f} s")
    for failure in result.failures:
        print(f"{failure.name}, replica {failure.replica}: stopped at step {failure.step}")
