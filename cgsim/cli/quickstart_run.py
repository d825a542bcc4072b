"""The whole path in one call: make data, map, train, roll out unseen polymers, judge, report.

Or, with packaged weights, the second half of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cgsim.cli.quickstart_config import MODEL, TRAINING, PretrainedConfig, QuickstartConfig
from cgsim.config import ModelConfig, TrainingConfig
from cgsim.evaluate import Comparison
from cgsim.evaluate.ensemble import first_part
from cgsim.evaluate.judge import Rows, judge_rollout
from cgsim.evaluate.sources import ensembles_of, read_ensembles
from cgsim.evaluate.yardsticks import equal_time
from cgsim.io import load_molecule
from cgsim.mapping import build_mapping
from cgsim.mapping.store import map_trajectory
from cgsim.mapping.trajectory import MappedTrajectory, split_by_molecule
from cgsim.md import Chain, ForceField, PolymerRun, generate_polymers, sample_chains
from cgsim.md.files import recorded_md_speed
from cgsim.model.checkpoint import load_pretrained, load_provenance, pretrained_file
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import roll_out_beside
from cgsim.version import __version__


def run_quickstart(
    directory: str | Path = "quickstart",
    *,
    sizes: QuickstartConfig | None = None,
    model: ModelConfig = MODEL,
    training: TrainingConfig = TRAINING,
) -> Comparison:
    """Train a simulator in front of you and see how it does on polymers it has never seen.

    A stage whose result is there already is skipped, and one that was interrupted goes on.

    Parameters
    ----------
    directory
        Where everything is written; look at ``report.html``.
    sizes, model, training
        Sizes of the data, architecture and training.

    Returns
    -------
    The scores of the learned simulator, of a second MD run, and of MD of the wall-clock of the
    roll-out.
    """
    from cgsim.training.fit import fit  # Lightning takes seconds to import

    directory, sizes = Path(directory), sizes or QuickstartConfig()
    say = Console().rule
    recipe = {"method": "metis", "atoms_per_bead": sizes.atoms_per_bead}
    say(f"1/4  molecular dynamics of {sizes.n_train} polymers to learn from")
    train = _map_md(
        directory / "md",
        sample_chains("I", size="tiny", n_chains=sizes.n_train, seed=sizes.seed),
        PolymerRun(duration=sizes.train_duration, seed=sizes.seed),
        recipe=recipe,
    )
    say("2/4  training")
    learn_from, validate_on = split_by_molecule(train, fraction=0.125, seed=sizes.seed)
    training = replace(training, seed=sizes.seed)
    simulator = fit(
        learn_from, directory / "model", model=model, training=training, validation=validate_on
    )
    say(f"3/4  molecular dynamics of {sizes.n_test} other polymers to compare with")
    test = _map_md(
        directory / "md",
        sample_chains("II", size="tiny", n_chains=sizes.n_test, seed=sizes.seed),
        PolymerRun(duration=sizes.test_duration, n_replicas=2, seed=sizes.seed),
        recipe=recipe,
    )
    say(f"4/4  roll-out of these {sizes.n_test} unseen polymers, {simulator.timestep:g} ps a step")
    return _judge(
        simulator,
        test,
        directory,
        sizes=sizes,
        provenance={"command": "cgsim quickstart", "training": asdict(training)},
        run=directory / "model",
    )


def quickstart_pretrained(
    directory: str | Path = "quickstart/pretrained", *, sizes: PretrainedConfig | None = None
) -> Comparison:
    """Roll out packaged weights on polymers they have never seen and set them beside MD.

    What is there already is skipped, and what was interrupted goes on.

    Parameters
    ----------
    directory
        Where everything is written; look at ``report.html``.
    sizes
        Which weights, and the sizes of the test.

    Returns
    -------
    Comparison
        Scores as of `run_quickstart`.

    Raises
    ------
    ValueError
        If there are no such weights, or the directory holds MD of other settings.
    """
    directory, sizes = Path(directory), sizes or PretrainedConfig()
    say = Console().rule
    simulator = load_pretrained(sizes.weights)
    provenance = load_provenance(pretrained_file(sizes.weights))
    say(f"1/2  molecular dynamics of {sizes.n_test} polymers to compare with")
    test = _map_md(
        directory / "md",
        sample_chains("II", size=sizes.size, n_chains=sizes.n_test, seed=sizes.seed),
        PolymerRun(
            duration=sizes.test_duration,
            equilibration=sizes.equilibration,
            n_replicas=2,
            seed=sizes.seed,
        ),
        recipe=provenance.recipe,
    )
    say(f"2/2  roll-out of these {sizes.n_test} unseen polymers, {simulator.timestep:g} ps a step")
    return _judge(
        simulator,
        test,
        directory,
        sizes=sizes,
        provenance={
            "command": "cgsim quickstart --pretrained",
            "weights": provenance.data.get("command", "made by an unknown command"),
            "training": provenance.training,
        },
    )


def _map_md(
    folder: Path, chains: Sequence[Chain], run: PolymerRun, *, recipe: dict[str, Any]
) -> list[MappedTrajectory]:
    """Simulate polymers and map them: chain by chain, replica by replica."""
    files = generate_polymers(chains, folder, run)
    molecules = [load_molecule(folder / f"{chain.name}.pdb") for chain in chains]
    return [
        map_trajectory(file, molecule, build_mapping(molecule, recipe))
        for file, molecule in zip(
            files, [m for m in molecules for _ in range(run.n_replicas)], strict=True
        )
    ]


def _judge(
    simulator: Simulator,
    test: Sequence[MappedTrajectory],
    directory: Path,
    *,
    sizes: QuickstartConfig | PretrainedConfig,
    provenance: dict[str, Any],
    run: Path | None = None,
) -> Comparison:
    """Roll out beside the first of two MD runs of each chain, score, and write the report."""
    rollout = roll_out_beside(
        simulator, test[0::2], sizes.test_duration, seed=sizes.seed, output=directory / "rollout"
    )
    floor = ensembles_of(test[1::2])
    speed = recorded_md_speed(directory / "md" / f"{test[0].name}.json")
    affordable = equal_time(rollout.seconds, speed=speed, n_molecules=sizes.n_test)
    comparison = judge_rollout(
        Rows(
            reference=ensembles_of(test[0::2]),
            learned=read_ensembles([directory / "rollout"]),
            yardsticks={
                "floor": floor,
                "md_equal_time": [first_part(ensemble, affordable) for ensemble in floor],
            },
        ),
        directory,
        title="A learned simulator of polymers it has never seen",
        lead=_lead(simulator, test[0::2]),
        run=run,
        provenance={
            "cgsim": __version__,
            **provenance,
            "sizes": asdict(sizes),
            "model": asdict(simulator.config),
            "scales": simulator.scales.to_dict(),
            "roll-out": {
                "seconds": round(rollout.seconds, 1),
                "steps": rollout.n_steps,
                "failures": len(rollout.failures),
                "MD of each chain in that time, ps": round(affordable, 1),
            },
        },
    )
    Console().print(f"report: {directory / 'report.html'}")
    return comparison


def _lead(simulator: Simulator, test: Sequence[MappedTrajectory]) -> str:
    chain = test[0]
    return (
        f"Trained on polymers of repeated patterns (class I), then asked for {len(test)} polymers "
        f"of random sequence (class II) that it had never seen. Each has {len(chain.atom_type)} "
        f"monomers in {chain.n_beads} beads. One step moves the beads by {simulator.timestep:g} ps "
        f"(tau): {simulator.timestep / ForceField().timestep:,.0f} steps of MD."
    )
