"""The command `cgsim rollout`."""

from pathlib import Path

from cgsim.cli.named import takes
from cgsim.cli.reading import Reading
from cgsim.cluster.portions import RolloutCluster, is_shared


@takes("mapper", "network", "noise")
def command(  # noqa: PLR0913 (an argument for each option of the command)
    simulator: Path,
    start: list[Path],
    *,
    n_steps: int,
    output: Path,
    n_replicas: int = 1,
    every: int = 1,
    seed: int = 0,
    allow_other_mapping: bool = False,
    cluster: RolloutCluster = RolloutCluster(),  # noqa: B008
    reading: Reading = Reading(),  # noqa: B008
    parts: tuple[tuple[str, str], ...] = (),
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
        n_steps: Steps in all, those of a roll-out that is continued included.
        output: Folder to write to; ending in /*.dcd for DCD files.
        n_replicas: Independent roll-outs of every molecule.
        every: Steps between recorded frames.
        seed: Seed of starting frames and noise.
        allow_other_mapping: Take starts whose atoms became beads in another way than those of the
            training data.
        cluster: Who does the work.
        reading: What structure files leave open.
    """
    if is_to_be_shared(start, output, cluster):
        from cgsim.cluster.rollout import RolloutRun, roll_out

        run = RolloutRun(
            n_steps, n_replicas, every, seed, parts, reading.molecule, allow_other_mapping
        )
        result = roll_out(simulator, start, output, run, cluster=cluster)
    else:
        from cgsim.baselines.files import read_simulator_or_propagator
        from cgsim.hardware.devices import choose_device
        from cgsim.model.simulator import Simulator
        from cgsim.rollout.simulate import simulate
        from cgsim.rollout.starts import read_starts

        model = read_simulator_or_propagator(simulator)
        if isinstance(model, Simulator):
            model = model.to(choose_device(cluster.device))
        result = simulate(
            model,
            read_starts(start, model, load=reading.molecule),
            n_steps,
            n_replicas=n_replicas,
            seed=seed,
            every=every,
            output=output,
            allow_other_mapping=allow_other_mapping,
        )
    print(f"{len(result.files)} trajectories, {result.n_steps} steps in {result.seconds:.1f} s")
    for failure in result.failures:
        print(f"{failure.name}, replica {failure.replica}: stopped at step {failure.step}")


def is_to_be_shared(start: list[Path], output: Path, cluster: RolloutCluster) -> bool:
    """Whether workers roll out: if asked to, or for many molecules unless one process has begun.

    Raises
    ------
    ValueError
        If workers have begun the output and nobody asks for them now.
    """
    from cgsim.rollout.reporters import RESTART, output_folder
    from cgsim.rollout.starts import starts_by_name

    folder = output_folder(output)
    begun_alone = (folder / RESTART).exists()
    if cluster.is_asked_for or (not begun_alone and cluster.is_wanted(len(starts_by_name(start)))):
        return True
    if is_shared(folder):
        raise ValueError(
            f"{folder} holds a roll-out shared among workers: give --workers or --scheduler "
            "to go on with it, or choose another directory"
        )
    return False
