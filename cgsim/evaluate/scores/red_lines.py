"""Red lines: what no simulator may do, whatever its scores are.

A new red line is one row of `RED_LINES`; headline, report, table and JSON follow. All limits are
made of the reference alone, wide enough that MD of the same molecule does not cross them by chance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from cgsim.evaluate.observables.fold import Fold, native_fold
from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.problems import Problem, attempt
from cgsim.evaluate.scores.crossing import Crossing

#: Share of the frames of a replica beyond a limit that counts, unless it ends there.
LEAST_SHARE = 1e-3
#: A bond is broken when its length, relative to its mean in MD, is further from 1 than twice
#: the furthest of MD, this many standard deviations, and half the mean.
BOND_SPREADS = 8.0
LEAST_STRETCH = 0.5
#: Of fewer frames of MD than this the ranges of bonds and distances are not known: beads are not
#: looked at, and a bond may be as long as a roll-out lets it be.
FEWEST_FRAMES = 20
_UNKNOWN_STRETCH = 9.0
#: Beads collide nearer than this share of the closest that any come in MD.
COLLISION_SHARE = 0.75
_CHANCE = 1e-3  # that a second MD run has as many collisions
_RANK = 10  # of the closest frames of MD, of which the limit is made
#: Further from the centre of the molecule than this many times the furthest of MD: exploded.
EXPLOSION = 100.0
_STILL = 1e-6  # relative change of distances that is none


@dataclass(frozen=True)
class RedLine:
    """Something that no simulator may do.

    Parameters
    ----------
    name
        Key in the table and in the JSON.
    says
        What happened, after "the molecule", in the past tense.
    definition
        One sentence for the report.
    find
        The replicas of the second ensemble that cross it; the first is the reference.
    """

    name: str
    says: str
    definition: str
    find: Callable[[Profile, Profile], list[Crossing]]


def find_crossings(reference: Profile, other: Profile, problems: list[Problem]) -> list[Crossing]:
    """All red lines that an ensemble crosses, in the order of the table.

    Parameters
    ----------
    problems
        Those that could not be looked for are added.
    """
    found: list[Crossing] = []
    for row in RED_LINES.values():
        what = f"{other.ensemble.name}: red line {row.name!r}"
        found += attempt(what, partial(row.find, reference, other), problems) or []
    return found


def _stopped(reference: Profile, other: Profile) -> list[Crossing]:
    name = other.ensemble.name
    return [
        Crossing("stopped", name, stop.replica, step=stop.step, note=stop.reason)
        for stop in other.ensemble.origin.stops
    ]


def _exploded(reference: Profile, other: Profile) -> list[Crossing]:
    limit = EXPLOSION * max(
        _values(reference, _extent, replica).max() for replica in _all(reference)
    )
    if limit == 0 or reference.ensemble.n_frames < 2:
        return []  # one bead has no extent, and one frame tells no range
    return _beyond("exploded", other, _extent, limit)


def _broken(reference: Profile, other: Profile) -> list[Crossing]:
    mean = _mean_bonds(reference)
    if mean.size == 0 or not (mean > 0).all():
        return []

    def stretch(frames: Frames) -> np.ndarray:
        return (frames.bond_lengths / mean).max(axis=1)

    relative = np.concatenate(
        [(own.bond_lengths / mean).ravel() for k in _all(reference) for own in reference.chunks(k)]
    )
    above = max(2 * (relative.max() - 1), BOND_SPREADS * relative.std(), LEAST_STRETCH)
    if reference.ensemble.n_frames < FEWEST_FRAMES:
        above = _UNKNOWN_STRETCH
    return _beyond("broken_bonds", other, stretch, 1 + float(above))


def _collided(reference: Profile, other: Profile) -> list[Crossing]:
    if reference.pairs.shape[1] == 0 or reference.ensemble.n_frames < FEWEST_FRAMES:
        return []
    nearest = np.sort(np.concatenate([_values(reference, _closest, k) for k in _all(reference)]))
    if not nearest[0] > 0:
        return []
    limit, needed = collision_limit(nearest, other.ensemble.n_frames)
    found = _beyond("collisions", other, _closest, limit, below=True)
    n_frames = sum(round((own.share or 0) * len(other.ensemble.xyz[own.replica])) for own in found)
    return found if n_frames >= needed else []


def collision_limit(nearest: np.ndarray, n_frames: int) -> tuple[float, int]:
    """Distance, nm, that is too near, and in how many of ``n_frames`` frames it is no chance.

    Beads without a hard core come nearer the longer one looks, and the closest frames of MD are
    then far apart from each other: so is the limit from the closest.

    Parameters
    ----------
    nearest : [n]
        Closest distance in each frame of MD, ascending, nm.
    """
    closest = float(nearest[0])
    limit = closest * min(COLLISION_SHARE, closest / float(nearest[min(_RANK, len(nearest)) - 1]))
    return limit, _frames_by_chance(limit / closest, n_frames / len(nearest))


def _frames_by_chance(share: float, length: float) -> int:
    """Frames beyond the limit that MD itself has with a chance of less than `_CHANCE`.

    Where beads may overlap, distances near zero have a density of r². So the frames nearer than
    ``share`` times the closest of n frames are a Poisson number whose mean ``share³ length`` has an
    exponential distribution: k or more of them are as likely as ``(q / (1 + q))^k``.
    """
    mean = share**3 * length
    return max(1, math.ceil(math.log(_CHANCE) / math.log(mean / (1 + mean))))


def _unfolded(reference: Profile, other: Profile) -> list[Crossing]:
    fold = native_fold(reference)
    if fold is None:
        return []
    found = _beyond("lost_fold", other, fold.kept, fold.least, below=True)
    # A fold that is lost for an instant is not lost.
    return [own for own in found if _ends_unfolded(fold, other, own)]


def _ends_unfolded(fold: Fold, other: Profile, crossing: Crossing) -> bool:
    kept = _values(other, fold.kept, crossing.replica)
    n_last = max(1, len(kept) // 10)
    return bool(kept[-n_last:].mean() < fold.least) or (crossing.share or 0) > 0.1


def _stood_still(reference: Profile, other: Profile) -> list[Crossing]:
    if reference.ensemble.n_beads < 2 or all(_is_still(reference, k) for k in _all(reference)):
        return []
    name = other.ensemble.name
    return [
        Crossing("still", name, replica, frame=0, time=0.0, share=1.0)
        for replica in _all(other)
        if len(other.ensemble.xyz[replica]) > 2 and _is_still(other, replica)
    ]


def _is_still(profile: Profile, replica: int) -> bool:
    """Whether no distance between beads ever changes."""
    first = next(iter(profile.chunks(replica, 0, 1)))
    known = np.concatenate([first.bond_lengths[:1], first.pair_distances[:1]], axis=1)
    # Two frames settle it for all that moves.
    for frames in chain(profile.chunks(replica, 0, 2), profile.chunks(replica)):
        now = np.concatenate([frames.bond_lengths, frames.pair_distances], axis=1)
        if (np.abs(now - known) > _STILL * known + 1e-9).any():
            return False
    return True


def _all(profile: Profile) -> range:
    return range(profile.ensemble.n_replicas)


def _values(profile: Profile, measure: Callable[[Frames], np.ndarray], replica: int) -> np.ndarray:
    """A number per frame of a replica, [n_frames]."""
    return np.concatenate([measure(frames) for frames in profile.chunks(replica)])


def _closest(frames: Frames) -> np.ndarray:
    """Smallest distance of beads without a common bond, [n_frames] nm."""
    smallest: np.ndarray = frames.pair_distances.min(axis=1)
    return smallest


def _extent(frames: Frames) -> np.ndarray:
    """Largest distance of a bead from the middle of all, [n_frames] nm."""
    xyz = frames.xyz.astype(np.float64)
    away = np.linalg.norm(xyz - xyz.mean(axis=1, keepdims=True), axis=-1)
    largest: np.ndarray = away.max(axis=1)
    return largest


def _mean_bonds(profile: Profile) -> np.ndarray:
    """Mean length of every bond, [n_bonds] nm."""
    sums = [own.bond_lengths.sum(axis=0) for k in _all(profile) for own in profile.chunks(k)]
    return np.sum(sums, axis=0) / profile.ensemble.n_frames


def _beyond(
    red_line: str,
    other: Profile,
    measure: Callable[[Frames], np.ndarray],
    limit: float,
    *,
    below: bool = False,
) -> list[Crossing]:
    """The replicas that are beyond a limit for more than `LEAST_SHARE` or in their last frame."""
    found = []
    for replica in _all(other):
        values = _values(other, measure, replica)
        bad = ~(values >= limit if below else values <= limit)  # NaN is beyond any limit
        if bad.mean() > LEAST_SHARE or bad[-1]:
            frame = int(bad.argmax())
            found.append(
                Crossing(
                    red_line,
                    other.ensemble.name,
                    replica,
                    frame=frame,
                    time=frame * other.ensemble.frame_interval,
                    value=float(values.min() if below else values.max()),
                    limit=float(limit),
                    share=float(bad.mean()),
                )
            )
    return found


_ROWS = (
    RedLine(
        "broken_bonds",
        "fell apart",
        "A bond is longer, in units of its mean length in MD, than 1 plus twice the largest excess "
        f"of MD, {BOND_SPREADS:g} standard deviations, or {LEAST_STRETCH:g}, whichever is most.",
        _broken,
    ),
    RedLine(
        "exploded",
        "exploded",
        f"A bead is further from the middle than {EXPLOSION:g} times the furthest of MD.",
        _exploded,
    ),
    RedLine(
        "stopped",
        "left the physical range and was stopped",
        "The roll-out noted that it stopped a replica.",
        _stopped,
    ),
    RedLine(
        "collisions",
        "collapsed into itself, with beads nearer than they come in MD,",
        f"Beads that share no bond are nearer than {COLLISION_SHARE:g} times the closest of MD, "
        "more often than chance would have it.",
        _collided,
    ),
    RedLine(
        "overlap",
        "put beads of different molecules nearer than they come in MD,",
        f"Beads of different molecules are nearer than {COLLISION_SHARE:g} times the closest of "
        "MD, by minimum image.",
        lambda reference, other: [],  # of boxes alone: see `cgsim.evaluate.scores.box`
    ),
    RedLine(
        "lost_fold",
        "lost its fold, which MD keeps,",
        "Less than half of the contacts are left that make up the fold of the reference, at the "
        "end or in a tenth of the frames; only of references that are structured and stay so.",
        _unfolded,
    ),
    RedLine(
        "still",
        "stood still",
        "No distance between beads changes, where those of MD do.",
        _stood_still,
    ),
)

#: By name; of several that are crossed, the headline tells the first.
RED_LINES: dict[str, RedLine] = {row.name: row for row in _ROWS}
