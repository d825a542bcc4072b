"""What a roll-out watches over: replicas that explode are put back, noted and stopped.

On a GPU the host runs ahead of the device, and asking for a number makes it wait. So whether a
replica is bad is decided on the device at every step, and read only now and then (see `Looks`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.rollout.starts import all_bonds

LONGEST_BOND = 10.0  # mean bond lengths: a bead bond beyond this is an explosion
FARTHEST = 1e5  # nm from the origin: an explosion as well, and more than an XTC file should hold
STEPS_UNSEEN = 100  # of a GPU between two looks at what happened
FIRST_STEPS = 25  # that are looked at one by one: what is wrong from the start shows, and how fast
WAITING_BYTES = 2**28  # of frames on a GPU that wait for a look

REASON = (
    f"a position is not finite or beyond {FARTHEST:g} nm, or a bead bond exceeds "
    f"{LONGEST_BOND:g} mean bond lengths"
)


def runs_ahead(device: torch.device) -> bool:
    """Whether the host waits where it asks a device for a number."""
    return device.type == "cuda"


class Guard:
    """Decides which replicas are bad, without asking the device.

    Parameters
    ----------
    systems
        All of the roll-out.
    length_scale
        Mean length of the bead bonds, nm.
    device
        Where positions are.
    """

    def __init__(
        self, systems: Sequence[MappedTrajectory], *, length_scale: float, device: torch.device
    ) -> None:
        self.limit = LONGEST_BOND * length_scale
        self.is_deferred = runs_ahead(device)
        bonds, bond_system = all_bonds(systems)
        counts = torch.tensor([system.n_beads for system in systems])
        self.system = torch.repeat_interleave(counts).to(device)
        (self.first, self.second), self.bond_system = bonds.to(device), bond_system.to(device)
        self._bad_since = torch.zeros(len(systems), dtype=torch.int64, device=device)

    def bad_systems(self, pos: Tensor) -> Tensor:
        """Which are bad [n_systems], at positions [n, 3], nm."""
        lost = ~(pos.abs() < FARTHEST).all(dim=1)
        bond = pos.index_select(0, self.first) - pos.index_select(0, self.second)
        torn = ~(bond.norm(dim=1) < self.limit)
        total = torch.zeros_like(self._bad_since)
        total = total.index_add(0, self.system, lost.long())
        return total.index_add(0, self.bond_system, torn.long()) > 0

    def put_back(self, pos: Tensor, safe: Tensor, *, step: int) -> Tensor:
        """The history [n, k, 3] after a step, of bad systems that of ``safe``.

        Where nothing runs ahead it is the same tensor if all is well.
        """
        bad = self.bad_systems(pos[:, -1])
        if not self.is_deferred and not bool(bad.any()):
            return pos
        is_first = bad & (self._bad_since == 0)
        self._bad_since = torch.where(is_first, step, self._bad_since)
        return torch.where(bad[self.system][:, None, None], safe, pos)

    def is_stopped(self, index: int, step: int) -> None:
        """Note that a system was bad already in the roll-out that is continued."""
        self._bad_since[index] = step

    def bad_since(self) -> list[int]:
        """First bad step of every system, counted from 1, 0 of those that are well; waits."""
        found: list[int] = self._bad_since.tolist()
        return found


class Looks:
    """When a roll-out looks at what has happened: at every step, on a GPU more rarely.

    Parameters
    ----------
    is_deferred
        Whether looking makes the host wait.
    first
        Steps done before.
    n_beads
        Of the whole roll-out.
    """

    def __init__(self, first: int, *, is_deferred: bool, n_beads: int) -> None:
        self.first, self.is_deferred = first, is_deferred
        self.most_waiting = max(1, WAITING_BYTES // (24 * n_beads))

    def is_due(self, step: int, n_waiting: int) -> bool:
        """Whether it is time after a step, with so many frames not yet on the host."""
        return (
            not self.is_deferred
            or step - self.first <= FIRST_STEPS
            or step % STEPS_UNSEEN == 0
            or n_waiting >= self.most_waiting
        )
