"""Frames that are there twice: a restart that overlaps, a file given twice, nothing that moves."""

import warnings
from hashlib import blake2b

import numpy as np

from cgsim.config.checks import way_on

_FEWEST_ATOMS = 5  # fewer may come back to the digits of a file by chance


class Repeats:
    """Remembers a digest of every frame, eight bytes each."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}
        self._n_frames = 0

    def add(self, xyz: np.ndarray) -> None:
        """Look at the next frames ``[n_frames, n_atoms, 3]``, as the file has them.

        Raises
        ------
        ValueError
            Naming the frame, the one before that is the same to the last digit, and the likely
            cause.
        """
        for frame in xyz:
            digest = blake2b(np.ascontiguousarray(frame).data, digest_size=8).digest()
            is_still = len(self._seen) == 1 and self._n_frames > 1  # so far nothing has moved
            before = self._seen.setdefault(digest, self._n_frames)
            if xyz.shape[1] >= _FEWEST_ATOMS:
                if is_still and before == self._n_frames:
                    self._refuse(1, 0)
                if before != self._n_frames and len(self._seen) > 1:
                    self._refuse(self._n_frames, before)
            self._n_frames += 1

    def check(self) -> None:
        """Warn if nothing has moved: nothing is wrong, but there is nothing to be learnt."""
        if self._n_frames > 1 and len(self._seen) == 1:
            warnings.warn(
                f"all {self._n_frames} frames are the same to the last digit: nothing moves",
                stacklevel=4,
            )

    def _refuse(self, now: int, before: int) -> None:
        if before == now - 1:
            cause = "it was written twice"
        elif before == 0:
            cause = "the same run is there twice, or goes to and fro"
        else:
            cause = "a run that was gone on with overlaps, or is there twice: cut the overlap out"
        raise ValueError(
            f"frame {now}: all positions are those of frame {before}, to the last digit. Most "
            f"likely {cause}. {way_on('repeats')}"
        )
