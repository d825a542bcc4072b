"""From an MD trajectory to a report: the whole path, step by step, on one small polymer.

    python examples/own_trajectory.py

Replace `make_trajectories` by your own files: a topology and trajectories of the same molecule.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cgsim
from cgsim.evaluate.judge import Rows, judge_rollout
from cgsim.md import PolymerRun, generate_polymers, sample_chains


def make_trajectories(folder: Path, *, duration: float) -> tuple[Path, list[Path]]:
    """Run two independent simulations of one polymer; return its topology and trajectories."""
    (chain,) = sample_chains("II", size="tiny", n_chains=1, seed=1)
    files = generate_polymers([chain], folder, PolymerRun(duration=duration, n_replicas=2))
    return folder / f"{chain.name}.pdb", files


def main(arguments: Sequence[str] | None = None) -> None:
    """Map, check, train, roll out, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/own_trajectory"))
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes")
    options = parser.parse_args(arguments)
    folder: Path = options.output
    duration, n_steps = (100.0, 20) if options.smoke else (4000.0, 2000)

    topology, files = make_trajectories(folder / "md", duration=duration)
    molecule = cgsim.load_molecule(topology)
    mapping = cgsim.map_metis(molecule, atoms_per_bead=10)
    print(f"{molecule.n_atoms} atoms in {mapping.n_beads} beads: {mapping.bead_index.tolist()}")

    # One run to learn from; the other is kept aside, to know how well any simulator could do.
    first, second = [
        cgsim.map_to_folder(
            file, molecule, mapping, folder=folder / f"{file.stem}.cg", overwrite=True
        )
        for file in files
    ]

    training = cgsim.TrainingConfig(stride=3, n_steps=n_steps, steps_per_epoch=n_steps // 10)
    simulator = cgsim.fit([first], folder / "model", training=training)
    print(f"one step is {simulator.timestep:g} ps")

    n_rollout_steps = round(duration / simulator.timestep)
    rollout = cgsim.simulate(simulator, first, n_rollout_steps, output=folder / "rollout")
    print(f"{rollout.n_steps} steps in {rollout.seconds:.1f} s, failures: {rollout.failures}")

    rows = Rows(
        reference=cgsim.ensembles_of([first]),
        learned=cgsim.read_ensembles([folder / "rollout"]),
        yardsticks={"floor": cgsim.ensembles_of([second])},
    )
    judge_rollout(rows, folder, title="One polymer, learned from one run", run=folder / "model")
    print(f"report: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
