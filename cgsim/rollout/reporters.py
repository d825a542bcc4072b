"""Where the frames of a roll-out go: memory, or files that survive a kill."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cgsim.io import (
    append_frames,
    atomic_path,
    trajectory_size,
    truncate_trajectory,
    write_atomic_json,
)
from cgsim.io.files import RESTART
from cgsim.mapping.bead_mapping import plain_type
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.units import UNITS

FORMATS = (".xtc", ".dcd")
_BESIDE = (".json", ".pdb", ".psf")


@dataclass(frozen=True)
class Restart:
    """All that a roll-out needs to go on exactly.

    Attributes
    ----------
    step
        Steps done.
    pos : [n, k, 3]
        The last k frames, nm.
    generator
        State of the random numbers.
    failures
        Replicas that were stopped, as plain dictionaries.
    seconds
        Wall-clock time so far.
    settings
        Of the roll-out; a restart with others is refused.
    """

    step: int
    pos: Tensor
    generator: Tensor
    failures: list[dict[str, Any]]
    seconds: float
    settings: dict[str, int | str]


class Reporter(ABC):
    """Receives every recorded frame of the whole batch."""

    def __init__(self, systems: Sequence[MappedTrajectory], frame_interval: float) -> None:
        self.systems = [replace(system, frame_interval=frame_interval) for system in systems]
        self.frame_interval = frame_interval
        self.bounds = np.cumsum([0] + [system.n_beads for system in systems])
        self.frames: list[list[np.ndarray]] = [[] for _ in systems]

    def record(self, pos: Tensor, alive: Sequence[bool]) -> None:
        """Keep one frame [n, 3] of all systems that are alive."""
        frame = pos.cpu().numpy()
        for index, is_alive in enumerate(alive):
            if is_alive:
                self.frames[index].append(frame[self.bounds[index] : self.bounds[index + 1]])

    def restart(self, settings: dict[str, int | str]) -> Restart | None:
        """Where an earlier roll-out of the same settings stopped, if there is one."""
        return None

    @abstractmethod
    def flush(self, restart: Restart) -> None:
        """Put everything recorded, and the way to go on, in a safe place."""

    def trajectories(self) -> list[MappedTrajectory]:
        """What was kept in memory."""
        return []

    def files(self) -> list[Path]:
        """What was written."""
        return []


class MemoryReporter(Reporter):
    """Keeps all frames in memory."""

    def flush(self, restart: Restart) -> None:
        """Nothing to do."""

    def trajectories(self) -> list[MappedTrajectory]:
        """One trajectory [n_frames, n_beads, 3] per system, float32."""
        return [
            _with_frames(system, frames)
            for system, frames in zip(self.systems, self.frames, strict=True)
        ]


class FileReporter(Reporter):
    """Appends to one XTC or DCD file per system.

    ``restart.safetensors`` says where all of them are complete.
    """

    def __init__(
        self, systems: Sequence[MappedTrajectory], frame_interval: float, *, output: Path
    ) -> None:
        super().__init__(systems, frame_interval)
        extension = output.suffix if output.name.startswith("*") else ".xtc"
        if extension not in FORMATS or output.name.endswith(FORMATS) != output.name.startswith("*"):
            raise ValueError(f"{output}: give a directory, or DIRECTORY/*.dcd for DCD files")
        self.directory = output_folder(output)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.paths = [
            self.directory / f"{system.name}-r{replica}{extension}"
            for system, replica in numbered(systems)
        ]
        self.n_written = [0] * len(self.paths)
        self._sizes = dict.fromkeys((path.name for path in self.paths), 0)
        self._restart_path = self.directory / RESTART

    def flush(self, restart: Restart) -> None:
        """Append the recorded frames, then note the sizes of all files.

        Raises
        ------
        ValueError
            If another process has written to them meanwhile; nothing is added.
        """
        for path in self.paths:
            if trajectory_size(path) != self._sizes[path.name]:
                raise ValueError(
                    f"{path}: another process has written to it meanwhile; let that one finish, "
                    "then call this again"
                )
        for index, frames in enumerate(self.frames):
            if frames:
                times = (self.n_written[index] + 1 + np.arange(len(frames))) * self.frame_interval
                cell = self.systems[index].cell
                append_frames(
                    self.paths[index],
                    np.stack(frames),
                    time=times,
                    cell=None if cell is None else cell[-1],
                )
                self.n_written[index] += len(frames)
                frames.clear()
        self._save(restart)
        self._describe()

    def files(self) -> list[Path]:
        """One path per system that has frames."""
        return [path for path in self.paths if path.exists()]

    def restart(self, settings: dict[str, int | str]) -> Restart | None:
        """Read the restart file and cut off what was written after it.

        Raises
        ------
        ValueError
            If the directory holds another roll-out, or files without a readable restart file.
        """
        if not self._restart_path.exists():
            self._check_free()
            return None
        try:
            with safe_open(str(self._restart_path), framework="pt") as file:
                header: dict[str, Any] = json.loads(file.metadata()["restart"])
                restart = Restart(
                    pos=file.get_tensor("pos"),
                    generator=file.get_tensor("generator"),
                    **{key: header[key] for key in ("step", "failures", "seconds", "settings")},
                )
            sizes, self.n_written = header["sizes"], header["n_written"]
            # Roll-outs from before digests were noted have none.
            if header.pop("digest", None) not in (None, _digest(header, restart)):
                raise ValueError("it was damaged after it was written: its digest does not fit")
            if not restart.pos.isfinite().all():
                raise ValueError("its positions are not finite")
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._restart_path}: not a restart file of a roll-out ({error})"
            ) from error
        # Roll-outs from before samplers were noted go on with any.
        known = {"sampler": settings.get("sampler", "")} | restart.settings
        other = [key for key in settings if known.get(key) != settings[key]]
        other += [] if list(sizes) == [path.name for path in self.paths] else ["molecules"]
        if other:
            raise ValueError(
                f"{self.directory} holds a roll-out of other settings ({', '.join(other)}): choose "
                "another directory"
            )
        for path in self.paths:
            truncate_trajectory(path, sizes[path.name])
        self._sizes = sizes
        return restart

    def _check_free(self) -> None:
        names = dict.fromkeys(system.name for system in self.systems)
        beside = [self.directory / f"{name}{end}" for name in names for end in _BESIDE]
        for path in (*self.paths, *beside):
            if path.exists():
                raise ValueError(
                    f"{path} is there already, but no {self._restart_path.name}: choose another "
                    "directory"
                )

    def _save(self, restart: Restart) -> None:
        self._sizes = {path.name: trajectory_size(path) for path in self.paths}
        header = {
            "step": restart.step,
            "failures": restart.failures,
            "seconds": restart.seconds,
            "settings": restart.settings,
            "n_written": self.n_written,
            "sizes": self._sizes,
        }
        header["digest"] = _digest(header, restart)
        tensors = {"pos": restart.pos.contiguous(), "generator": restart.generator}
        with atomic_path(self._restart_path) as partial:
            partial.write_bytes(save(tensors, metadata={"restart": json.dumps(header)}))

    def _describe(self) -> None:
        """Structure files and a JSON beside the trajectories, once per molecule."""
        from cgsim.mapping import write_bead_structure  # here: frames in memory need no MDTraj

        for name, system in {system.name: system for system in self.systems}.items():
            if not (self.directory / f"{name}.json").exists():
                write_bead_structure(
                    self.directory / name,
                    system.bead_name,
                    bead_mass=system.bead_mass,
                    edge_index=system.edge_index,
                    xyz=system.pos[-1],
                )
                write_atomic_json(self.directory / f"{name}.json", self._about(system))

    def _about(self, system: MappedTrajectory) -> dict[str, Any]:
        """What a judge must know to compare it with MD of the same molecule only."""
        known = {} if system.temperature is None else {"temperature": system.temperature}
        return {
            "name": system.name,
            "units": dict(UNITS),
            "frame_interval": self.frame_interval,
            **known,
            "atoms": dict(sorted(Counter(map(plain_type, system.atom_type)).items())),
            "recipe": system.recipe,
            "cell": None if system.cell is None else system.cell[-1].tolist(),
        }


def _digest(header: dict[str, Any], restart: Restart) -> str:
    """SHA-256 of all that a restart file says."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for tensor in (restart.pos, restart.generator):
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def numbered(systems: Sequence[MappedTrajectory]) -> list[tuple[MappedTrajectory, int]]:
    """Each system with the number of its replica."""
    seen: dict[str, int] = {}
    numbered = []
    for system in systems:
        numbered.append((system, seen.get(system.name, 0)))
        seen[system.name] = seen.get(system.name, 0) + 1
    return numbered


def _with_frames(system: MappedTrajectory, frames: Sequence[np.ndarray]) -> MappedTrajectory:
    pos = np.asarray(frames, dtype=np.float32).reshape(-1, system.n_beads, 3)
    cell = None if system.cell is None else np.repeat(system.cell[-1:], len(frames), axis=0)
    return replace(system, pos=pos, cell=cell)


def output_folder(output: Path) -> Path:
    """The folder of an output, which is the folder itself or ``FOLDER/*.dcd``."""
    return output.parent if output.name.startswith("*") else output
