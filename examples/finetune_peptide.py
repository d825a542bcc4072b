"""A peptide that a simulator has never seen: a little MD of it, fine-tuning, roll-outs.

    python examples/finetune_peptide.py

Makes 900 ps of MD of a capped tripeptide: the first 300 ps to learn from, the rest to compare with.
The packaged simulator of peptides is asked twice, as it is and fine-tuned. Replace `make_md` by
your own trajectory.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cgsim
from cgsim.config import FinetuningConfig
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import PeptideRun, build_peptide, generate_peptides
from cgsim.model.checkpoint import find_checkpoint
from cgsim.training.finetune import load_report, print_report

SEQUENCE = "GAV"
SCORES = ("js_rg", "js_bond", "js_pair")


def make_md(folder: Path, checkpoint: Path, run: PeptideRun) -> MappedTrajectory:
    """Simulate the peptide, on the beads of a simulator."""
    (file,) = generate_peptides([build_peptide(SEQUENCE, name=SEQUENCE)], folder, run)
    molecule = cgsim.load_molecule(folder / f"{SEQUENCE}.pdb")
    recipe = cgsim.load_simulator(checkpoint).recipe
    if recipe is None:
        raise ValueError(f"{checkpoint} does not say how its atoms became beads")
    return cgsim.map_trajectory(file, molecule, cgsim.build_mapping(molecule, recipe))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate a little, fine-tune, roll out, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/finetune_peptide"))
    parser.add_argument("--simulator", default="peptides", help="a packaged one, or a file")
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes")
    options = parser.parse_args(arguments)
    folder, checkpoint = options.output, find_checkpoint(options.simulator)
    run = PeptideRun(duration=900.0, equilibration=50.0, temperature=350.0)  # as it was trained
    n_learnt, config = 300, FinetuningConfig(n_steps=200)
    if options.smoke:
        run = replace(run, duration=150.0, equilibration=2.0)
        n_learnt, config = (
            100,
            FinetuningConfig(n_steps=2, batch_size=4, steps_per_epoch=1, validation_fraction=0.45),
        )

    md = make_md(folder / "md", checkpoint, run)
    learnt, rest = md.frames(0, n_learnt), md.frames(n_learnt, md.n_frames)
    tuned = cgsim.finetune(checkpoint, [learnt], folder / "tuned", finetuning=config)
    print_report(load_report(folder / "tuned"))

    reference = cgsim.ensembles_of([rest])
    print(f"Jensen-Shannon distances to {rest.n_frames:g} ps of MD that nothing was learnt from:")
    n_steps = max(1, round(rest.n_frames * rest.frame_interval / tuned.timestep))
    for label, simulator in (("as it is", cgsim.load_simulator(checkpoint)), ("fine-tuned", tuned)):
        rollout = cgsim.simulate(simulator, learnt, n_steps, n_replicas=16)
        scores = cgsim.compare(reference, cgsim.ensembles_of(rollout.trajectories)).learned.summary
        print(f"{label:12}", *(f"{name} {scores[name].value:.3f}" for name in SCORES))


if __name__ == "__main__":
    main()
