"""Frames that are there twice: a restart that overlaps, a file given twice, nothing that moves."""

from hashlib import blake2b

import numpy as np

from cgsim.config.checks import way_on

_FEWEST_ATOMS = 5  # fewer may come back to the digits of a file by chance


class Repeats:
    """Remembers a digest of every frame, eight bytes each."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}
        self._n_frames = 0

    def check(self, xyz: np.ndarray) -> None:
        """Look at the next frames ``[n_frames, n_atoms, 3]``, as the file has them.

        Raises
        ------
        ValueError
            Naming the frame, the one before that is the same to the last digit, and the likely
            cause.
        """
        for frame in xyz if xyz.shape[1] >= _FEWEST_ATOMS else ():
            digest = blake2b(np.ascontiguousarray(frame).data, digest_size=8).digest()
            before = self._seen.setdefault(digest, self._n_frames)
            if before != self._n_frames:
                self._refuse(before)
            self._n_frames += 1

    def _refuse(self, before: int) -> None:
        now = self._n_frames
        if before == 0 and now == 1:
            cause = "nothing moves: the frames of a structure are no trajectory"
        elif before == now - 1:
            cause = "it was written twice, or nothing moves"
        elif before == 0:
            cause = "the same run is there twice, or goes to and fro"
        else:
            cause = "a run that was gone on with overlaps, or is there twice: cut the overlap out"
        raise ValueError(
            f"frame {now}: all positions are those of frame {before}, to the last digit. Most "
            f"likely {cause}. {way_on('repeats')}"
        )
