"""Where roll-outs start: a history of frames for every molecule and replica."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cgsim.config.checks import IN_TIME
from cgsim.data.graphs import CGData, SystemGraph, join
from cgsim.io.files import file_stem
from cgsim.mapping.reference import with_reference
from cgsim.mapping.store import (
    find_mapped_folders,
    load_mapped,
    load_mapped_folders,
    map_trajectory,
)
from cgsim.mapping.trajectory import MappedTrajectory, is_same_molecule
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator

if TYPE_CHECKING:  # what reads atoms is imported where it works: beads alone need no MDTraj
    from cgsim.io import Molecule


def map_structure(
    structure_file: str | Path, simulator: Simulator, *, molecule: "Molecule | None" = None
) -> MappedTrajectory:
    """Map one structure onto the beads of a simulator, to start a roll-out from it at rest.

    Parameters
    ----------
    structure_file
        Coordinates in any known format; the first frame counts. A cell around one molecule alone
        is left out.
    simulator
        A loaded simulator: it knows how the atoms of its training data became beads.
    molecule
        Atoms and bonds; by default those of ``structure_file`` (see `cgsim.load_molecule`).

    Returns
    -------
    MappedTrajectory
        One frame, named like the molecule.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file cannot be read, has no bonds or masses, or the simulator does not know its
        mapping.
    """
    from cgsim.io import load_molecule
    from cgsim.mapping import build_mapping

    if simulator.recipe is None:
        raise ValueError(
            "this simulator does not know how its atoms became beads (it was not loaded from a "
            "file, or saved without provenance): map the structure with cgsim.map_trajectory"
        )
    molecule = molecule or load_molecule(structure_file)
    mapping = build_mapping(molecule, simulator.recipe)
    interval = simulator.timestep  # of no account: models are no trajectory
    still = replace(mapping, recipe=mapping.recipe | {"rigid_motion": True})  # one frame is
    mapped = map_trajectory(structure_file, molecule, still, frame_interval=interval, allow=IN_TIME)
    mapped = replace(mapped.frames(0, 1), recipe=mapping.recipe)
    if molecule.component.max() == 0:
        mapped = replace(mapped, cell=None)  # of a crystal, or of the solvent that was around it
    return mapped


def history_of(simulator: Simulator | Propagator) -> int:
    """Frames that a step sees, the current one included."""
    return simulator.history if isinstance(simulator, Propagator) else simulator.config.history


def choose_starts(
    simulator: Simulator | Propagator,
    starts: Sequence[MappedTrajectory],
    *,
    n_replicas: int,
    seed: int,
) -> list[MappedTrajectory]:
    """One short trajectory (the history) per molecule and replica, replicas of a molecule in a row.

    Raises
    ------
    ValueError
        If there is nothing to start from, or two different molecules are of one name.
    """
    if not starts or any(trajectory.n_frames == 0 for trajectory in starts):
        raise ValueError("nothing to start from: every start needs at least one frame")
    random = np.random.default_rng(seed)
    chosen = []
    for name in dict.fromkeys(trajectory.name for trajectory in starts):
        candidates = [trajectory for trajectory in starts if trajectory.name == name]
        if not all(is_same_molecule(candidates[0], other) for other in candidates):
            raise ValueError(f"{name}: two different molecules are of this name; rename one")
        candidates = _with_references(simulator, candidates)
        for _ in range(n_replicas):
            chosen.append(_history(simulator, candidates[random.integers(len(candidates))], random))
    return chosen


def _with_references(
    simulator: Simulator | Propagator, starts: Sequence[MappedTrajectory]
) -> list[MappedTrajectory]:
    """Starts of one molecule with the same references: of training, its own, or where it starts.

    Those of training come first: what was learnt holds for them.
    """
    if isinstance(simulator, Propagator) or simulator.config.graph.n_references == 0:
        return list(starts)
    first = starts[0]
    trained = (own for own in simulator.references if own.bead_name == first.bead_name)
    known = next((own.pos for own in trained), first.reference)
    if known is None:
        known = np.asarray(first.pos[:1], dtype=np.float64)
        warnings.warn(
            f"{first.name}: no reference structure is known, its first frame is taken (map it "
            "with --reference to choose another)",
            stacklevel=4,
        )
    return [with_reference(own, known) for own in starts]


def _history(
    simulator: Simulator | Propagator, trajectory: MappedTrajectory, random: np.random.Generator
) -> MappedTrajectory:
    """The k frames, one step apart, up to a random one; one frame repeated if they are too few."""
    timestep, n_history = simulator.timestep, history_of(simulator)
    stride = round(timestep / trajectory.frame_interval)
    if stride < 1 or not np.isclose(stride * trajectory.frame_interval, timestep, rtol=1e-3):
        stride = trajectory.n_frames  # frames at other times than the steps give no velocities
    span = (n_history - 1) * stride
    if trajectory.n_frames > span:
        last = int(random.integers(span, trajectory.n_frames))
        rows = np.arange(last - span, last + 1, stride) if span else np.array([last])
    else:
        rows = np.full(n_history, int(random.integers(trajectory.n_frames)))
    cell = None if trajectory.cell is None else trajectory.cell[rows]
    return replace(
        trajectory,
        pos=trajectory.at(rows),
        cell=cell,
        drift=None,
        frame_interval=timestep,
    )


def start_batch(simulator: Simulator, systems: Sequence[MappedTrajectory]) -> CGData:
    """The histories of all systems as one batch; replicas share their atom graph."""
    repeated = [
        replace(system, pos=np.concatenate([system.pos, system.pos[-1:]])) for system in systems
    ]  # a window also holds a next frame, which a roll-out does not read
    names = [system.name for system in systems]
    graphs, counts, windows = [], [], []
    for name in dict.fromkeys(names):
        own = [system for system in repeated if system.name == name]
        graph = SystemGraph.build(
            own[0],
            atom_types=simulator.atom_types,
            n_hops=simulator.config.graph.n_hops,
            n_bonds=simulator.config.embedding.n_layers,
            references=simulator.reference_edges,
        )
        pos = torch.as_tensor(np.stack([system.pos for system in own])).double()
        cells = [system.cell[-1] for system in own if system.cell is not None]
        cell = torch.as_tensor(np.stack(cells)) if cells else None
        graphs.append(graph)
        counts.append(len(own))
        windows.append((pos, cell))
    return join(graphs, counts, windows)


def read_starts(
    paths: Sequence[Path],
    simulator: Simulator | Propagator,
    *,
    load: "Callable[[Path], Molecule] | None" = None,
) -> list[MappedTrajectory]:
    """Mapped trajectories and, mapped now as the data of a simulator were, structure files.

    Parameters
    ----------
    load
        Reads the molecule of a structure file; `cgsim.load_molecule` by default.

    Raises
    ------
    FileNotFoundError, ValueError
        If something cannot be read, or there are structure files for a propagator.
    """
    files = [path for path in paths if path.is_file()]
    mapped = load_mapped_folders([path for path in paths if not path.is_file()])
    if not isinstance(simulator, Propagator):
        return [
            *mapped,
            *(map_structure(path, simulator, molecule=load and load(path)) for path in files),
        ]
    if files:
        raise ValueError(
            f"{files[0]}: a propagator starts from frames of beads, folders NAME.cg of `cgsim map`"
        )
    return mapped


def starts_by_name(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """What `read_starts` would read, by molecule: trajectories of one name are one molecule.

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder is missing or no mapped trajectory.
    """
    starts: dict[str, list[Path]] = {}
    for path in find_mapped_folders([path for path in paths if not path.is_file()]):
        starts.setdefault(load_mapped(path).name, []).append(path)
    for path in paths:
        if path.is_file():
            starts.setdefault(file_stem(path), []).append(path)
    return starts


def all_bonds(systems: Sequence[MappedTrajectory]) -> tuple[Tensor, Tensor]:
    """Bead bonds of the whole batch [2, n_bonds] and the system of each."""
    offsets = np.cumsum([0] + [system.n_beads for system in systems])
    bonds = [system.edge_index + offset for system, offset in zip(systems, offsets, strict=False)]
    owner = [np.full(system.edge_index.shape[1], index) for index, system in enumerate(systems)]
    return torch.as_tensor(np.concatenate(bonds, axis=1)), torch.as_tensor(np.concatenate(owner))
