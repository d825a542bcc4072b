"""What a roll-out watches over: replicas that explode are put back, noted and stopped.

On a GPU the host runs ahead of the device, and asking for a number makes it wait. So whether a
replica is bad is decided on the device at every step, and read only now and then (see `Watch`).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cgsim.hardware import devices
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
        self.is_deferred = devices.runs_ahead(device)
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
        self._bad_since = self._bad_since.clone()
        self._bad_since[index] = step

    def state(self) -> Tensor:
        """All that it has noted."""
        return self._bad_since

    def put_state(self, state: Tensor) -> None:
        """Forget what was noted since then."""
        self._bad_since = state

    def bad_since(self) -> list[int]:
        """First bad step of every system, counted from 1, 0 of those that are well; waits."""
        found: list[int] = self._bad_since.tolist()
        return found


class Random(Protocol):
    """Random numbers that can be drawn again."""

    def get_state(self) -> Tensor:
        """Where they are."""

    def set_state(self, state: Tensor) -> object:
        """Go on from there."""


class Moving(Protocol):
    """What moves the systems, step by step: see `cgsim.rollout.batches.Batches`."""

    pos: Tensor

    @property
    def generator(self) -> Random:
        """Source of all randomness."""

    def step(self) -> Tensor:
        """One time step of all systems; the positions [n, k, 3] after it."""

    def put(self, pos: Tensor) -> None:
        """Go on from other positions."""

    @property
    def by_slots(self) -> bool:
        """Whether a step may lack edges, and then gives no numbers."""

    def exactly(self) -> AbstractContextManager[None]:
        """Inside, no step does."""

    def add_slots(self) -> None:
        """Have more from the next step on."""


@dataclass(frozen=True)
class _Seen:
    """All that is needed to take the steps since a look once more."""

    step: int
    pos: Tensor
    random: Tensor
    bad_since: Tensor


class Watch:
    """Takes steps, and looks at what has happened: at every one, on a GPU more rarely.

    Parameters
    ----------
    guard
        Of all systems.
    moving
        What steps.
    first
        Steps done before.
    every
        Steps between two recorded frames.
    safe
        Where systems that are bad are put [n, k, 3].
    """

    def __init__(
        self, guard: Guard, moving: Moving, *, first: int, every: int, safe: Tensor
    ) -> None:
        self.guard, self.moving, self.every, self.safe = guard, moving, every, safe
        self.first = self.step = first
        self.most_waiting = max(1, WAITING_BYTES // (24 * len(safe)))
        self._waiting: list[tuple[int, Tensor]] = []  # step and frame that no look has seen
        self._seen = self._now()

    def advance(self) -> None:
        """One step; what becomes bad is put back."""
        self.step += 1
        pos = self.moving.step()
        guarded = self.guard.put_back(pos, self.safe, step=self.step)
        if guarded is not pos:
            self.moving.put(guarded)
        if self.step % self.every == 0:
            self._waiting.append((self.step, guarded[:, -1].contiguous()))

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return (
            not self.guard.is_deferred
            or self.step - self.first <= FIRST_STEPS
            or self.step % STEPS_UNSEEN == 0
            or len(self._waiting) >= self.most_waiting
        )

    def look(self) -> tuple[list[int], list[tuple[int, Tensor]]]:
        """The first bad step of every system, 0 of those that are well; frames since the last look.

        Where steps may have lacked edges and something is bad that was not, they are taken again.
        """
        bad_since = self.guard.bad_since()
        if self.guard.is_deferred and self.moving.by_slots:
            if bad_since != self._seen.bad_since.tolist():
                lost, bad_since = bad_since, self._again()
                if bad_since != lost:  # for want of slots
                    self.moving.add_slots()
            self._seen = self._now()
        steps = [step for step, _ in self._waiting]
        frames = torch.stack([frame for _, frame in self._waiting]).cpu() if steps else ()
        self._waiting.clear()
        return bad_since, list(zip(steps, frames, strict=True))

    def _now(self) -> _Seen:
        random = self.moving.generator.get_state() if self.guard.is_deferred else torch.empty(0)
        return _Seen(self.step, self.moving.pos, random, self.guard.state())

    def _again(self) -> list[int]:
        """The steps since the last look once more, all edges included; `Guard.bad_since` then."""
        last = self.step
        self._waiting.clear()
        with self.moving.exactly():
            self.step = self._seen.step
            self.moving.generator.set_state(self._seen.random)
            self.moving.put(self._seen.pos)
            self.guard.put_state(self._seen.bad_since)
            while self.step < last:
                self.advance()
        return self.guard.bad_since()
