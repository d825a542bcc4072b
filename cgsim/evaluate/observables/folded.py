"""A folded molecule against its structure: native contacts, RMSD, RMSF of every bead."""

from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.observables.fold import native_fold
from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.observables.native import NativeContacts
from cgsim.evaluate.observables.observable import (
    Metric,
    Observable,
    Sample,
    Scores,
    with_errors,
)
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.scalar import Scalar
from cgsim.evaluate.observables.superposition import mean_structure, rmsd, superpose
from cgsim.evaluate.scoring import Scoring


@dataclass(frozen=True, eq=False)
class NativeStructure:
    """A structure, and what is measured of frames against it.

    Attributes
    ----------
    xyz
        [n_beads, 3], nm.
    contacts
        Its contacts.
    """

    xyz: np.ndarray
    contacts: NativeContacts

    def q(self, frames: Frames) -> np.ndarray:
        """Share of the contacts within 0.8 nm, [n_frames]."""
        return self.contacts.hard(frames.xyz)

    def q_soft(self, frames: Frames) -> np.ndarray:
        """Soft share of the contacts, [n_frames]."""
        return self.contacts.soft(frames.xyz)

    def rmsd(self, frames: Frames) -> np.ndarray:
        """After superposition, [n_frames] nm."""
        return rmsd(frames.xyz, self.xyz)


# Of no molecule: for the names of what is measured.
_EMPTY = NativeStructure(
    np.empty((0, 3)), NativeContacts(np.empty((2, 0), dtype=np.int64), np.empty(0))
)


def native_structure(reference: Profile) -> NativeStructure | None:
    """The structure that an ensemble names, else the mean of one that keeps a fold; else None."""
    ensemble = reference.ensemble
    xyz = ensemble.native
    if xyz is None:
        if native_fold(reference) is None:
            return None
        xyz = mean_structure(reference.sampled().xyz)
    return NativeStructure(xyz, NativeContacts.of(xyz, ensemble.edge_index))


def bead_fluctuations(profile: Profile, structure: np.ndarray) -> np.ndarray:
    """RMSF of each bead over all replicas, superposed on a structure, [n_beads] nm."""
    pieces = [(replica, 0, len(xyz)) for replica, xyz in enumerate(profile.ensemble.xyz)]
    sums = _moments(profile, pieces, structure)
    return _fluctuations(np.ones((1, len(pieces))), *sums)[0]


@dataclass(frozen=True)
class Folded(Observable):
    """Native contacts Q (hard and soft), RMSD and RMSF of molecules with a structure.

    Molecules without one, such as polymers, have none of these scores. Those of a molecule are, for
    NAME of ``q``, ``q_soft`` and ``rmsd``, as of `Scalar`; ``r_rmsf`` over beads, ``rmsf_ratio`` of
    the means, and ``rmsf`` and ``rmsf_reference``, means over beads.
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Errors of Q and RMSD, correlation and ratio of RMSF."""
        errors = tuple(
            metric for own in _scalars(_EMPTY) for metric in own.metrics if metric.kind == "error"
        )
        return (
            *errors,
            Metric(
                "r_rmsf",
                "correlation of RMSF over beads",
                "",
                "correlation",
                "Pearson correlation, over beads, of the root mean square fluctuations about the "
                "mean after superposition; mean over molecules.",
                ("r_rmsf",),
                _mean,
            ),
            Metric(
                "rmsf_ratio",
                "ratio of mean RMSF",
                "",
                "ratio",
                "RMSF over that of the reference, means over beads; median over molecules.",
                ("rmsf_ratio",),
                _median,
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """Means of both, and distances of the distributions."""
        found = {name: head for own in _scalars(_EMPTY) for name, head in own.columns.items()}
        return found | {"r_rmsf": "r of RMSF", "rmsf_ratio": "RMSF ratio"}

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """Nothing for a molecule without a structure."""
        structure = native_structure(reference.profile)
        if structure is None:
            return {}
        scores: Scores = {}
        for own in _scalars(structure):
            scores |= own.score(reference, other, scoring)
        return scores | _score_fluctuations(reference, other, structure)


def _scalars(structure: NativeStructure) -> tuple[Scalar, ...]:
    """Numbers per frame against a structure."""
    near = "share of the contacts of the structure that are there"
    return (
        Scalar(
            "q",
            "Q",
            measure=structure.q,
            definition=f"Q is the {near}: pairs of beads four bonds or more apart and within "
            "0.8 nm in it.",
        ),
        Scalar(
            "q_soft",
            "soft Q",
            measure=structure.q_soft,
            definition=f"Soft Q is the {near}, each counted smoothly up to 1.2 times its distance.",
        ),
        Scalar(
            "rmsd",
            "RMSD",
            "nm",
            measure=structure.rmsd,
            definition="RMSD from the structure, after superposition.",
        ),
    )


def _score_fluctuations(reference: Sample, other: Sample, structure: NativeStructure) -> Scores:
    both = (reference, other)
    blocks = [own.blocks(structure.rmsd) for own in both]
    sums = [
        _moments(own.profile, cut.pieces, structure.xyz)
        for own, cut in zip(both, blocks, strict=True)
    ]
    exact, drawn = (
        _compare(*(_fluctuations(weights, *own) for own, weights in zip(sums, ways, strict=True)))
        for ways in ([cut.once for cut in blocks], [cut.weights for cut in blocks])
    )
    return with_errors(exact, drawn, inflation=max(cut.inflation for cut in blocks))


def _moments(
    profile: Profile, pieces: list[tuple[int, int, int]], structure: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of superposed positions about the structure, over each block.

    Frames [n_blocks], sums [n_blocks, n_beads, 3] and sums of squares [n_blocks, n_beads].
    """
    centred = structure - structure.mean(axis=0)
    found = []
    for replica, start, stop in pieces:
        apart = superpose(profile.ensemble.xyz[replica][start:stop], centred) - centred
        found.append((len(apart), apart.sum(axis=0), (apart**2).sum(axis=(0, 2))))
    counts, first, second = zip(*found, strict=True)
    return np.array(counts, dtype=np.float64), np.array(first), np.array(second)


def _fluctuations(
    weights: np.ndarray, n_frames: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """RMSF [n, n_beads] for n weightings of the blocks."""
    total = (weights @ n_frames)[:, None]
    mean = np.einsum("wb,bic->wic", weights, first) / total[:, :, None]
    square = weights @ second / total
    fluctuations: np.ndarray = np.sqrt(np.clip(square - (mean**2).sum(axis=-1), 0, None))
    return fluctuations


def _compare(expected: np.ndarray, found: np.ndarray) -> dict[str, np.ndarray]:
    """Scores [n] of RMSF [n, n_beads] each."""
    first, second = (own - own.mean(axis=1, keepdims=True) for own in (expected, found))
    size = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (first * second).sum(axis=1) / size
        ratio = found.mean(axis=1) / expected.mean(axis=1)
    return {
        "r_rmsf": correlation,
        "rmsf": found.mean(axis=1),
        "rmsf_reference": expected.mean(axis=1),
        "rmsf_ratio": ratio,
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _median(values: np.ndarray) -> float:
    return float(np.median(values))
