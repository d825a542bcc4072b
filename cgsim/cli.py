"""The command line: parse, call, nothing else."""

import sys
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from cgsim.cluster import Cluster
from cgsim.cluster.md import generate_shared
from cgsim.cluster.rollout import RolloutCluster, RolloutRun, roll_out
from cgsim.config import FinetuningConfig, Hardware, ModelConfig, TrainingConfig
from cgsim.md import PeptideRun, PolymerRun, generate_polymers, sample_chains
from cgsim.parser import Parser
from cgsim.pulling import pull_helix
from cgsim.quickstart import MODEL, TRAINING, QuickstartConfig
from cgsim.restore import restore_atoms
from cgsim.version import __version__

EXIT_BAD_INPUT = 1
EXIT_INTERRUPTED = 130


def polymers(
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
        run: Length, replicas and seed of the simulations; times in ps (one ps is one tau).
        kind: Class I repeats a pattern of four units, class II is a random sequence.
        size: 60 (tiny), 120 (mini) or 900 (paper) fine beads per chain.
        n_chains: Number of different chains.
        sequence_seed: Seed of the sequences.
        cluster: Who does the work.
    """
    chains = sample_chains(kind, size=size, n_chains=n_chains, seed=sequence_seed)
    generate_shared(generate_polymers, chains, output, run, cluster=cluster)


def peptide(
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
        run: Length, replicas, temperature, solvent and seed of the simulations; times in ps.
        sequence: One-letter codes of L-amino acids; several sequences with commas between.
        pdb: PDB files of single chains; water and ions are left out, hydrogens placed anew.
        capped: Put sequences between ACE and NME; otherwise their ends are charged.
        cluster: Who does the work.
    """
    from cgsim.md import build_peptide, generate_peptides, read_peptide

    sequences = [] if sequence is None else sequence.split(",")
    peptides = [build_peptide(letters.strip(), capped=capped) for letters in sequences]
    peptides += [read_peptide(file) for file in pdb or []]
    if not peptides:
        raise ValueError("give --sequence LETTERS or --pdb FILE")
    generate_shared(generate_peptides, peptides, output, run, cluster=cluster)


def map_(
    topology: Path,
    trajectories: list[Path],
    *,
    output: Path,
    method: Literal["metis", "residues", "calpha", "backbone-sidechain", "atoms", "user"] = "metis",
    atoms_per_bead: float = 10.0,
    assignment: Path | None = None,
    frame_interval: float | None = None,
    without_rigid_motion: bool = False,
) -> None:
    """Map atoms to beads: one folder NAME.cg per trajectory.

    Each folder holds the bead positions (pos.npy, memory-mapped later), the static graph
    (system.json) and the beads as beads.pdb and beads.psf, which VMD and MDTraj open.

    Example: cgsim map protein.pdb run1.xtc run2.xtc --output mapped --method residues

    Args:
        topology: Any topology that MDTraj reads (PDB, PSF, PRMTOP, GRO, ...), with bonds or
            standard residues.
        trajectories: Trajectory files of this molecule, each an independent run.
        output: Folder for the NAME.cg folders.
        method: METIS clusters of the bond graph, residues at their centres of mass, residues at
            their C-alpha, backbone and side chain of each residue, single atoms, or your own
            assignment.
        atoms_per_bead: For metis.
        assignment: For user: a JSON file of the bead of each atom, or of the atoms of each bead.
        frame_interval: Time between frames, ps; only for formats that store no times (DCD).
        without_rigid_motion: Superpose every frame on the one before, so that diffusion and
            tumbling of one small free molecule are not learnt.
    """
    from cgsim.io import load_molecule
    from cgsim.mapping import build_mapping, map_user
    from cgsim.store import map_to_folder

    molecule = load_molecule(topology)
    if method == "user":
        if assignment is None:
            raise ValueError("--method user needs --assignment FILE.json")
        mapping = map_user(molecule, assignment)
    else:
        recipe: dict[str, Any] = {"method": method}
        mapping = build_mapping(
            molecule, recipe | {"atoms_per_bead": atoms_per_bead} if method == "metis" else recipe
        )
    if without_rigid_motion:
        mapping = mapping.without_rigid_motion()
    for file in trajectories:
        folder = output / f"{file.stem}.cg"
        mapped = map_to_folder(
            file, molecule, mapping, folder=folder, frame_interval=frame_interval
        )
        print(
            f"{folder}: {mapped.n_frames} frames of {mapped.n_beads} beads, "
            f"{mapped.frame_interval:g} ps apart"
        )


def train(
    data: list[Path],
    *,
    output: Path,
    validation: list[Path] | None = None,
    model: ModelConfig = ModelConfig(),  # noqa: B008
    training: TrainingConfig = TrainingConfig(),  # noqa: B008
    hardware: Hardware = Hardware(),  # noqa: B008
) -> None:
    """Train a simulator on mapped trajectories.

    Writes OUTPUT/simulator.safetensors, metrics.csv and TensorBoard logs. Interrupt it at any
    time; the same command goes on where it stopped.

    Example: cgsim train mapped/*.cg --output model --training.stride 5 --training.n_steps 5000

    Args:
        data: Folders NAME.cg of `cgsim map`, or folders of such folders.
        output: Training directory.
        validation: Folders of other molecules; by default the last part of every trajectory is
            held out.
        model: Architecture.
        training: Steps, stride, learning rate.
        hardware: Accelerator and number of devices.
    """
    from cgsim.checkpoint import SIMULATOR_FILE
    from cgsim.store import load_mapped_folders
    from cgsim.training import fit

    held_out = None if validation is None else load_mapped_folders(validation)
    fit(
        load_mapped_folders(data),
        output,
        model=model,
        training=training,
        validation=held_out,
        hardware=hardware,
    )
    print(f"simulator: {output / SIMULATOR_FILE}")


def finetune(
    simulator: Path,
    data: list[Path],
    *,
    output: Path,
    topology: Path | None = None,
    replay: list[Path] | None = None,
    validation: list[Path] | None = None,
    finetuning: FinetuningConfig = FinetuningConfig(),  # noqa: B008
    hardware: Hardware = Hardware(),  # noqa: B008
) -> None:
    """Fine-tune a simulator on new trajectories, in minutes.

    Writes OUTPUT/simulator.safetensors, and what was learnt and forgotten as finetuning.json. The
    weights kept are the best on held-out data, the old ones included. Interrupt it at any time;
    the same command goes on where it stopped.

    Example: cgsim finetune model/simulator.safetensors new.cg --output tuned --replay mapped

    Args:
        simulator: A stored simulator, or the name of a packaged one: polymer-mini.
        data: Folders NAME.cg of `cgsim map`, or trajectory files, which are mapped as the data of
            the simulator were.
        output: Directory to write to.
        topology: Of the trajectory files.
        replay: Folders NAME.cg of old data, mixed in against forgetting.
        validation: Folders NAME.cg to stop by; by default the last part of every new trajectory.
        finetuning: Steps, learning rate, patience.
        hardware: Accelerator and number of devices.
    """
    from cgsim.arguments import read_trajectories
    from cgsim.checkpoint import SIMULATOR_FILE
    from cgsim.finetuning import finetune as tune
    from cgsim.finetuning import load_report, print_report
    from cgsim.store import load_mapped_folders

    tune(
        simulator,
        read_trajectories(data, simulator, topology=topology),
        output,
        finetuning=finetuning,
        replay=None if replay is None else load_mapped_folders(replay),
        validation=None if validation is None else load_mapped_folders(validation),
        hardware=hardware,
    )
    print_report(load_report(output))
    print(f"simulator: {output / SIMULATOR_FILE}")


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
        simulator: A stored simulator, or the name of a packaged one: polymer-mini.
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


def evaluate(
    reference: list[Path],
    learned: list[Path],
    *,
    output: Path | None = None,
    floor: list[Path] | None = None,
    md_equal_time: list[Path] | None = None,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Score roll-outs against reference MD: a table, and its numbers as JSON.

    Example: cgsim evaluate mapped/test rollout --output scores.json

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        output: JSON file of all scores.
        floor: A second, independent MD run of the same molecules.
        md_equal_time: MD as long as the wall-clock of the roll-out allows.
        cluster: Who does the work.
    """
    from cgsim.cluster.scores import RowPaths, score_into
    from cgsim.judgement import print_scores

    paths = RowPaths(reference, learned, floor, md_equal_time)
    print_scores(score_into(paths, output, cluster=cluster))


def report(
    reference: list[Path],
    learned: list[Path],
    *,
    output: Path,
    floor: list[Path] | None = None,
    md_equal_time: list[Path] | None = None,
    run: Path | None = None,
    title: str = "A learned simulator against molecular dynamics",
) -> None:
    """Score roll-outs against reference MD in a self-contained report page with a 3-D player.

    Example: cgsim report mapped/test rollout --output report --run model

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        output: Folder for report.html and metrics.json.
        floor: A second, independent MD run of the same molecules.
        md_equal_time: MD as long as the wall-clock of the roll-out allows.
        run: Training directory, for the loss curve.
        title: Headline of the page.
    """
    from cgsim.arguments import read_rows
    from cgsim.judgement import judge_rollout

    judge_rollout(read_rows(reference, learned, floor, md_equal_time), output, title=title, run=run)
    print(f"report: {output / 'report.html'}")


def quickstart(
    *,
    output: Path | None = None,
    pretrained: bool = False,
    sizes: QuickstartConfig = QuickstartConfig(),  # noqa: B008
    model: ModelConfig = MODEL,
    training: TrainingConfig = TRAINING,
) -> None:
    """Make data, train, roll out polymers never seen, report: about five minutes on two cores.

    Interrupt it at any time; the same command goes on.

    Example: cgsim quickstart --output quickstart

    Args:
        output: Folder to write to, `quickstart` or `quickstart/pretrained` unless given; look at
            report.html.
        pretrained: Use the packaged weights instead of training: about one minute. The options
            below are of the training and do not go with it.
        sizes: Number and length of the reference trajectories.
        model: Architecture.
        training: Steps, stride, learning rate.
    """
    from cgsim.quickstart import quickstart as run
    from cgsim.quickstart import quickstart_pretrained

    if not pretrained:
        run(output or "quickstart", sizes=sizes, model=model, training=training)
    elif (sizes, model, training) == (QuickstartConfig(), MODEL, TRAINING):
        quickstart_pretrained(output or "quickstart/pretrained")
    else:
        raise ValueError("--pretrained trains nothing: leave out --sizes, --model and --training")


COMMANDS: dict[str, Any] = {
    "md": {
        "polymers": polymers,
        "peptide": peptide,
        "steered": pull_helix,
        "_help": "Make reference MD with OpenMM.",
    },
    "map": map_,
    "train": train,
    "finetune": finetune,
    "rollout": rollout,
    "backmap": restore_atoms,
    "evaluate": evaluate,
    "report": report,
    "quickstart": quickstart,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    0: done; 1: bad input, said in one line; 2: wrong usage (from the parser); 130: interrupted.
    """
    try:
        auto_cli(COMMANDS, args=arguments, parser_class=Parser, version=__version__, prog="cgsim")
    except (ValueError, OSError, ArithmeticError) as error:
        print(f"cgsim: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("cgsim: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0
