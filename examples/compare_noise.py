"""Independent against graph-correlated noise: the same data, the same training, two simulators.

    python examples/compare_noise.py

Prints the scores of both. Neither has a score network, so that the difference is the noise alone.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cgsim
from cgsim.config import DynamicsConfig, ModelConfig, TrainingConfig
from cgsim.evaluate.judge import Rows, print_scores, score
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import PolymerRun, generate_polymers, sample_chains

MODELS = {
    "independent": ModelConfig(dynamics=DynamicsConfig(noise="independent"), score=None),
    "correlated": ModelConfig(dynamics=DynamicsConfig(noise="correlated"), score=None),
}


def mapped_md(folder: Path, *, n_chains: int, duration: float) -> list[MappedTrajectory]:
    """Simulate some polymers, one run each, and map them onto beads of ten."""
    chains = sample_chains("I", size="tiny", n_chains=n_chains, seed=0)
    files = generate_polymers(chains, folder, PolymerRun(duration=duration))
    molecules = [cgsim.load_molecule(folder / f"{chain.name}.pdb") for chain in chains]
    return [
        cgsim.map_trajectory(file, molecule, cgsim.map_metis(molecule, atoms_per_bead=10))
        for file, molecule in zip(files, molecules, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and roll out with either noise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/compare_noise"))
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes")
    options = parser.parse_args(arguments)
    n_chains, duration, n_steps = (2, 100.0, 10) if options.smoke else (8, 2000.0, 1000)

    md = mapped_md(options.output / "md", n_chains=n_chains, duration=duration)
    training = TrainingConfig(stride=3, n_steps=n_steps)
    for noise, model in MODELS.items():
        simulator = cgsim.fit(md, options.output / noise, model=model, training=training)
        rollout = cgsim.simulate(simulator, md, round(duration / simulator.timestep))
        print(f"\n{noise} noise, {len(rollout.failures)} of {len(md)} roll-outs failed")
        learned = cgsim.ensembles_of(rollout.trajectories, failures=rollout.failures)
        print_scores(score(Rows(cgsim.ensembles_of(md), learned)))


if __name__ == "__main__":
    main()
