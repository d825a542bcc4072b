"""What mapping a trajectory will take: memory by its size, time by its first chunk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cgsim.hardware.needs import Need, announce, check_fits, free_disk, free_memory
from cgsim.io.formats import n_frames_of
from cgsim.mapping import Mapping

# Of every position of a chunk: 185 to 200 measured with a cell, 130 without (1,000 to 30,000
# waters).
_BYTES_PER_POSITION = 200.0
_BYTES_PER_BEAD = 12  # of a frame, in single precision
_COPIES = 2  # chunks that are kept are joined at the end


def count_frames(files: Sequence[Path]) -> int | None:
    """Frames of all files; None where a format does not tell without reading all of it."""
    counts = [n_frames_of(file) for file in files]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def check_room(files: Sequence[Path], mapping: Mapping, *, folder: Path | None) -> None:
    """Refuse a mapped trajectory for which there is no room, where its frames can be counted.

    Parameters
    ----------
    folder
        Where it will be; None for memory.

    Raises
    ------
    MemoryError
        Naming the options that would fit.
    """
    one_frame = _BYTES_PER_POSITION * mapping.n_atoms
    check_fits("one frame", one_frame, free=free_memory(), options=["the solvent left out"])
    n_frames = count_frames(files) or 0
    n_bytes = float(_BYTES_PER_BEAD) * n_frames * mapping.n_beads
    fewer = ["fewer beads (more atoms in each)", "fewer frames", "the solvent left out"]
    if folder is not None:
        check_fits(f"{folder}", n_bytes, free=free_disk(folder), options=fewer, place="the disk")
        return
    to_folder = "cgsim.map_to_folder, which holds one chunk of frames only"
    options = [to_folder, *fewer]
    check_fits("the mapped trajectory", _COPIES * n_bytes, free=free_memory(), options=options)


@dataclass
class FirstChunk:
    """Times the first chunk of a mapping and says in one line what all will take.

    Nothing is said of a single chunk, which is done in seconds. Memory is right to a third, and an
    upper bound without a cell; time is right to a fifth where nothing else wants the machine.

    Parameters
    ----------
    files
        What is mapped.
    n_atoms, mapping
        Of it.
    """

    files: Sequence[Path]
    n_atoms: int
    mapping: Mapping
    _n_chunks: int = 0
    _n_frames: int = 0
    _began: float = field(default_factory=time.perf_counter)

    def chunk_is_read(self, n_frames: int) -> None:
        """Count the frames of a chunk; say the line when there is a second one."""
        self._n_chunks += 1
        if self._n_chunks == 2:
            self._announce(time.perf_counter() - self._began)
        self._n_frames += n_frames

    def _announce(self, seconds: float) -> None:
        total = count_frames(self.files)
        n_bytes = _BYTES_PER_POSITION * self._n_frames * self.n_atoms
        need = Need(n_bytes, None if total is None else seconds * total / self._n_frames)
        n_beads, n_bonds = self.mapping.n_beads, self.mapping.edge_index.shape[1]
        frames = "frames" if total is None else f"{total:,} frames"
        work = (
            f"{frames} of {self.n_atoms:,} atoms to {n_beads:,} beads, "
            f"{2 * n_bonds / n_beads:.1f} bonds per bead"
        )
        announce("map", work, need)
