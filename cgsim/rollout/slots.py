"""Batches whose steps all have equally many edges, so that a GPU runs them without being asked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from cgsim.model.integrators.steps import Straight
from cgsim.model.noise.gaussian import DENSE_SOLVE_LIMIT
from cgsim.model.simulator import Simulator
from cgsim.model.state import State, centred
from cgsim.nn.graph.slots import MOST_BEADS, SlotTable
from cgsim.rollout.compiled import CompiledStepper, Stepper


class Slots:
    """Gives the batches of a roll-out their slots, each time they are built.

    Parameters
    ----------
    simulator
        What steps.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._slots = 0  # of a bead, the last time
        self._too_few = 0  # so many were
        self._is_left_out = False

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Inside, no batch has any."""
        self._is_left_out = True
        try:
            yield
        finally:
            self._is_left_out = False

    def were_too_few(self) -> None:
        """Make more the next time."""
        self._too_few = self._slots

    def of(self, states: Sequence[State]) -> list[State]:
        """The states, where it can be with equally many slots each, more than were too few."""
        if self._is_left_out or not all(map(self._can_have, states)):
            return list(states)
        tables = [self._table(state) for state in states]
        self._slots = slots = max(table.slots for table in tables)
        return [
            replace(state, slot_table=replace(table, slots=slots))
            for state, table in zip(states, tables, strict=True)
        ]

    def _can_have(self, state: State) -> bool:
        """Only free molecules of one size, whose noise is drawn by a dense factorisation."""
        return (
            state.fixed_graph is None
            and state.cell is None
            and state.layout.is_full
            and state.layout.width <= min(MOST_BEADS, DENSE_SOLVE_LIMIT)
            and self.simulator.steps is Straight
            and self.simulator.reference_edges is None  # a table holds one distance per pair
        )

    @torch.no_grad()
    def _table(self, state: State) -> SlotTable:
        local = centred(state.pos, state.layout).to(self.simulator.dtype)
        return SlotTable.of(
            local[:, -1],
            state.topology,
            state.layout,
            cutoff=self.simulator.cutoff,
            chirality=state.chirality,
            most_seen=self._too_few,
        )


def without_unused_slots(states: Sequence[State], steppers: Sequence[Stepper]) -> list[State]:
    """The states; those that are stepped operation by operation find all their edges."""
    return [
        state if isinstance(stepper, CompiledStepper) else replace(state, slot_table=None)
        for state, stepper in zip(states, steppers, strict=True)
    ]
