"""Trajectories that are text, frame by frame, compressed or not, whole or cut off."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from cgsim.io.compressed import open_text
from cgsim.io.frames import Cells, Frames, TruncatedError, frames_of_vectors

_FAR = 3.0  # times the extent of all atoms


class TextFile:
    """Lines of a text file; `EOFError` where one is wanted and there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_first = True  # no frame was read yet
        self._file = open_text(path)
        self._last = ""
        self._waiting: str | None = None  # a line that was looked at

    def __enter__(self) -> "TextFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def peek(self) -> str | None:
        """Return the next line without taking it; None at the end."""
        if self._waiting is None:
            self._waiting = self._read()
        return self._waiting or None

    def line(self) -> str:
        """Take the next line."""
        line = self.peek()
        if line is None:
            raise EOFError
        self._waiting = None
        self._last = line
        return line

    def ends_inside_a_line(self) -> bool:
        """Whether nothing follows the last line taken, and it has no end."""
        return not self._last.endswith("\n")

    def lines(self, n: int) -> list[str]:
        """Take the next `n` lines; the last of the file must not end inside a number.

        A last line without an end is whole if it has as many decimals as all others. Where these
        differ it cannot be told: then it counts as whole in the first frame, which may be all.
        """
        lines = [self.line() for _ in range(n)]
        if lines and not lines[-1].endswith("\n"):
            others = {_n_decimals(line) for line in lines[:-1]}
            is_whole = _n_decimals(lines[-1]) in others if len(others) == 1 else self.is_first
            if not is_whole:
                raise EOFError
        return lines

    def skip_blank(self) -> bool:
        """Go to the next line that is not blank; False if there is none."""
        while (line := self.peek()) is not None and not line.strip():
            self.line()
        return line is not None

    def _read(self) -> str:
        try:
            return self._file.readline()
        except EOFError:
            raise
        except (OSError, zlib.error) as error:
            raise ValueError(f"{self.path}: cannot be read: {error}") from error


@dataclass(frozen=True)
class TextFrame:
    """One frame of a text trajectory.

    Parameters
    ----------
    xyz
        ``[n_atoms, 3]`` nm.
    vectors
        ``[3, 3]`` nm, if the file tells the cell vectors.
    lengths_and_angles
        ``[6]`` nm and degrees, if it tells these.
    time
        See `cgsim.io.frames.Frames`.
    """

    xyz: np.ndarray
    vectors: np.ndarray | None = None
    lengths_and_angles: np.ndarray | None = None
    time: float | None = None
    order: int | None = None
    """A hash of the names of the atoms, where the file has some: the same in all frames."""
    raw: tuple[float, ...] | None = None
    """Numbers of the cell as they stand in the file, if they are not those above."""


ReadFrame = Callable[[TextFile, int], TextFrame | None]
"""Reads the next frame, of so many atoms; None after the last."""


def read_text(path: Path, read_frame: ReadFrame, n_atoms: int, chunk: int) -> Iterator[Frames]:
    """Yield the frames of a text trajectory, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends inside one.
    ValueError
        Naming the frame that cannot be read.
    """
    frames: list[TextFrame] = []
    n_read = 0
    order: int | None = None
    with TextFile(path) as file:
        while True:
            try:
                frame = read_frame(file, n_atoms)
            except EOFError:
                yield from _joined(frames)
                raise TruncatedError(path, n_read) from None
            except (ValueError, IndexError, OverflowError) as error:
                yield from _joined(frames)
                if n_read and file.ends_inside_a_line():
                    raise TruncatedError(path, n_read) from error
                said = str(error).removeprefix(f"{path}: ")
                raise ValueError(f"{path}: frame {n_read} cannot be read: {said}") from error
            if frame is None:
                break
            if n_read and frame.order != order:
                yield from _joined(frames)
                raise ValueError(
                    f"{path}: the atoms of frame {n_read} have other names than those of frame 0, "
                    "or are in another order: all frames must have the same"
                )
            order = frame.order
            n_read += 1
            file.is_first = False
            if frames and not _are_alike(frames[-1], frame):
                yield from _joined(frames)
                frames = []
            frames.append(frame)
            if len(frames) == chunk:
                yield from _joined(frames)
                frames = []
    yield from _joined(frames)


def read_columns(lines: Sequence[str], columns: Sequence[int]) -> np.ndarray:
    """Read numbers ``[n_lines, n_columns]`` out of lines of words."""
    if not lines:
        return np.empty((0, len(columns)))
    numbers = np.loadtxt(lines, usecols=columns, ndmin=2, comments=None, dtype=np.float64)
    if len(numbers) != len(lines):
        raise ValueError("a line of an atom is blank")
    return numbers


def read_fixed(fields: Sequence[str], width: int) -> np.ndarray:
    """Read numbers out of strings that are rows of fields of `width` characters each."""
    joined = "".join(fields).encode("latin-1")
    if len(joined) % width:
        raise ValueError(f"columns of {width} characters are not complete")
    return np.frombuffer(joined, dtype=f"S{width}").astype(np.float64)


def free_axes_far(
    vectors: np.ndarray, is_periodic: np.ndarray, xyz: np.ndarray
) -> np.ndarray | None:
    """Return a cell that has no image nearby along the axes that are not periodic.

    Parameters
    ----------
    vectors
        ``[3, 3]`` nm.
    is_periodic
        ``[3]``; without a periodic axis there is no cell.
    xyz
        ``[n_atoms, 3]`` nm.
    """
    if not is_periodic.any():
        return None
    if is_periodic.all():
        return vectors
    far = np.array(vectors)
    normals = np.linalg.svd(vectors[is_periodic])[2][is_periodic.sum() :]
    extent = np.ptp(xyz @ normals.T, axis=0)
    far[~is_periodic] = normals * (_FAR * np.maximum(extent, 1.0))[:, None]
    return far


def first_times(path: Path, read_frame: ReadFrame, n_atoms: int) -> np.ndarray | None:
    """Return the times of the first two frames ``[n <= 2]``, or None where they have none."""
    times: list[float] = []
    with TextFile(path) as file:
        try:
            while len(times) < 2 and (frame := read_frame(file, n_atoms)) is not None:
                if frame.time is None:
                    return None
                times.append(frame.time)
        except (EOFError, ValueError, IndexError, OverflowError):
            pass  # said when the frames are read
    return np.array(times)


def _joined(frames: Sequence[TextFrame]) -> Iterator[Frames]:
    """One object for frames with the same parts; none for none."""
    if not frames:
        return
    xyz = np.stack([frame.xyz for frame in frames]).astype(np.float32)
    times = [frame.time for frame in frames if frame.time is not None]
    time = np.array(times) if times else None
    vectors = [frame.vectors for frame in frames if frame.vectors is not None]
    cells = [f.lengths_and_angles for f in frames if f.lengths_and_angles is not None]
    raws = [frame.raw for frame in frames if frame.raw is not None]
    if vectors and raws:
        raw = np.array(raws)
        yield frames_of_vectors(xyz, np.stack(vectors), time=time, raw=raw, meaning="as stored")
    elif vectors:
        yield frames_of_vectors(xyz, np.stack(vectors), time=time)
    elif cells:
        raw = np.stack(cells)
        meaning = "a, b, c in nm and alpha, beta, gamma in degrees"
        yield Frames(xyz, time, Cells(raw[:, :3], raw[:, 3:], raw, meaning))
    else:
        yield Frames(xyz, time)


def _are_alike(one: TextFrame, other: TextFrame) -> bool:
    fields = ("vectors", "lengths_and_angles", "time", "raw")
    return all((getattr(one, f) is None) == (getattr(other, f) is None) for f in fields)


def _n_decimals(line: str) -> int:
    words = line.split()
    return len(words[-1].partition(".")[2]) if words else 0
