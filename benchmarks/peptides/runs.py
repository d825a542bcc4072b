"""The stages of the peptide benchmarks: MD, mapping, roll-outs; skipped when their result is there.

MD that is there and long enough is only read, so that a benchmark of its first part can run while
it grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

from benchmarks.polymers.runs import Data
from cgsim.config import PEPTIDES
from cgsim.evaluate import Ensemble
from cgsim.evaluate.sources import ensembles_of
from cgsim.io import load_molecule, read_json, read_sidecar, write_atomic_json
from cgsim.mapping import build_mapping
from cgsim.mapping.store import load_mapped, map_to_folder
from cgsim.mapping.trajectory import MappedTrajectory, split_by_time
from cgsim.md import PeptideRun, build_peptide, generate_peptides
from cgsim.md.files import recorded_md_speed
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate
from cgsim.units import PS_PER_NS

RESIDUES = "AFGLSV"
UNSEEN = ("SGL", "SGV", "SFV", "ALV", "GLV")
DEVELOPMENT = ("AVL", "VSF", "LAG", "FGV", "GLS")  # in neither panel nor test: settings are chosen
TRAIN = tuple(
    name
    for name in map("".join, product(RESIDUES, repeat=3))
    if name not in (*UNSEEN, *DEVELOPMENT)
)
MD = PeptideRun(duration=1.0, equilibration=200.0, temperature=350.0)  # the panel says how long
HELD_OUT = 0.1  # last part of the MD of every training peptide, to validate on


@dataclass(frozen=True)
class Panel:
    """Which peptides, how long their MD, and how their atoms become beads.

    Parameters
    ----------
    train_duration, unseen_duration
        MD of each peptide to learn from, and of each of the two runs of the others, ns.
    recipe
        Of the mapping.
    """

    train_duration: float
    unseen_duration: float
    recipe: dict[str, Any] = field(default_factory=PEPTIDES.mapping.copy)

    @property
    def options(self) -> str:
        """Of the command line."""
        return (
            f"--train-duration {self.train_duration:g} --unseen-duration {self.unseen_duration:g}"
        )

    def md(self, duration: float, *, n_replicas: int) -> PeptideRun:
        """MD of the panel, of so many ns."""
        return replace(MD, duration=PS_PER_NS * duration, n_replicas=n_replicas)


@dataclass(frozen=True)
class RolledOut:
    """Ensembles of a roll-out, one per molecule, and how it went.

    Parameters
    ----------
    ensembles
        Those of the molecules that lived long enough to be scored.
    seconds
        Wall-clock of all steps, compilation excluded.
    n_failures
        Replicas that exploded.
    """

    ensembles: list[Ensemble]
    seconds: float
    n_failures: int


def prepare(panel: Panel, folder: Path, others: Sequence[str]) -> Data:
    """The MD of the panel and of others in ``folder/md``, mapped; simulated where it is too short.

    The reference is the first run of each of the others, the floor is the second. Rigid motion,
    which no score here sees, is taken out.
    """
    train = _mapped(panel, TRAIN, panel.md(panel.train_duration, n_replicas=1), folder)
    new = _mapped(panel, others, panel.md(panel.unseen_duration, n_replicas=2), folder)
    early, late = split_by_time(train, fraction=HELD_OUT)
    return Data(early, late, reference=new[0::2], floor=new[1::2])


def _mapped(
    panel: Panel, names: Sequence[str], run: PeptideRun, folder: Path
) -> list[MappedTrajectory]:
    """Mapped MD, peptide by peptide, replica by replica, of the length of the run."""
    files = [
        folder / "md" / f"{name}-r{replica}.{run.format}"
        for name in names
        for replica in range(run.n_replicas)
    ]
    if any(n_frames_of(file) < run.n_frames for file in files):
        generate_peptides([build_peptide(name, name=name) for name in names], folder / "md", run)
    label = panel.recipe["method"]
    return [
        _map(file, panel.recipe, folder / f"mapped-{label}", run.n_frames).frames(0, run.n_frames)
        for file in files
    ]


def n_frames_of(file: Path) -> int:
    """Frames that the JSON beside a trajectory says are done; 0 where there is none."""
    if not file.exists():
        return 0
    return int(read_sidecar(file).get("n_frames", {}).get(file.name, 0))


def _map(file: Path, recipe: dict[str, Any], folder: Path, n_frames: int) -> MappedTrajectory:
    """A file mapped, again if it has grown and what was mapped is too short."""
    target = folder / f"{file.stem}.cg"
    if not (target.exists() and load_mapped(target).n_frames >= n_frames):
        molecule = load_molecule(file.with_name(f"{file.stem.rpartition('-')[0]}.pdb"))
        mapping = build_mapping(molecule, recipe)
        map_to_folder(file, molecule, mapping, folder=target, overwrite=True)
    return load_mapped(target)


def roll_out(
    simulator: Simulator,
    starts: Sequence[MappedTrajectory],
    duration: float,
    *,
    n_replicas: int,
    folder: Path,
) -> RolledOut:
    """Roll out molecules for ``duration`` ps in all, shared by their replicas; kept in a folder.

    Molecules of one number of beads make one batch, because only such can be compiled. What
    exploded is left out with all that it did before.
    """
    n_steps = max(1, round(duration / (n_replicas * simulator.timestep)))
    note = folder / "rollout.json"
    done = read_json(note) if note.exists() else {}
    ordered = sorted(starts, key=lambda start: start.n_beads)
    for n_beads, batch in groupby(ordered, key=lambda start: start.n_beads):
        key = f"beads-{n_beads}"
        if key in done:
            continue
        result = simulate(
            simulator, list(batch), n_steps, n_replicas=n_replicas, output=folder / key
        )
        stopped = [[own.name, own.replica] for own in result.failures]
        done[key] = {"seconds": result.seconds, "failures": stopped}
        write_atomic_json(note, done)
    return _read(starts, folder, done)


def _read(starts: Sequence[MappedTrajectory], folder: Path, done: dict[str, Any]) -> RolledOut:
    """The replicas that did not explode."""
    ensembles = []
    for start in starts:
        group = f"beads-{start.n_beads}"
        dead = {replica for name, replica in done[group]["failures"] if name == start.name}
        files = sorted((folder / group).glob(f"{start.name}-r*.xtc"), key=_replica_of)
        alive = [file for file in files if _replica_of(file) not in dead]
        if alive:
            structure = folder / group / f"{start.name}.psf"
            ensembles.append(Ensemble.from_files(alive, structure, name=start.name))
    return RolledOut(
        ensembles=ensembles,
        seconds=sum(own["seconds"] for own in done.values()),
        n_failures=sum(len(own["failures"]) for own in done.values()),
    )


def _replica_of(file: Path) -> int:
    return int(file.stem.rpartition("-r")[2])


def md_speed(folder: Path) -> float:
    """Simulated time per second of all peptides together, ps/s: the fastest run that was noted."""
    notes = sorted((folder / "md").glob("*.json"))
    return max(recorded_md_speed(note) for note in notes)


def joined(*runs: MappedTrajectory) -> Ensemble:
    """Runs of one molecule as replicas of one ensemble."""
    (ensemble,) = ensembles_of(runs)
    return ensemble
