"""What trajectories of atoms are checked for, and what a user lets pass."""

from collections.abc import Iterable
from difflib import get_close_matches

CHECKS = {
    "bonds": "bonds longer than a chemical bond can be, or far beyond the others",
    "spread": "beads whose atoms are far apart, atoms at one place or on periodic images of others",
    "jumps": "molecules that change their periodic image, runs that were joined",
    "repeats": "frames that are there twice",
    "interval": "frames too close or too far apart in time for how far atoms move",
}
"""Name and meaning of every check (see `cgsim.mapping.sanity`)."""

IN_TIME = ("jumps", "repeats", "interval")
"""Checks of what follows in time, which models of a structure do not."""

Allowed = str | Iterable[str]
"""Names of checks that are left out, or one string of them with commas."""


def allowed(given: Allowed) -> frozenset[str]:
    """Names of checks that are left out.

    Raises
    ------
    ValueError
        If there is no such check.
    """
    words = given.split(",") if isinstance(given, str) else given
    names = [word.strip() for word in words]
    for name in filter(None, names):
        if name not in CHECKS:
            near = get_close_matches(name, CHECKS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(CHECKS)}"
            raise ValueError(f"allow: there is no check {name!r}; {hint}")
    return frozenset(filter(None, names))


def way_on(check: str) -> str:
    """How a check is left out, the last sentence of its message."""
    return f'If this is meant, allow it: allow=["{check}"] (--allow {check})'
