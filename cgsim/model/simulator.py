"""The simulator: embedding + dynamics + score + integrator.

``loss(batch)`` trains it, ``step(state)`` runs it.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from cgsim.config import SamplerConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation
from cgsim.data.graphs import CGData
from cgsim.data.scales import shared_frame_interval
from cgsim.data.windows import WindowDataset
from cgsim.io.display import Facts, comma_list, duration, shown
from cgsim.mapping.bead_mapping import recipe_text
from cgsim.mapping.reference import Reference
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.loss import draw, losses
from cgsim.model.stack import NetworkStack
from cgsim.model.state import State
from cgsim.model.step import advanced, listed, next_pos, start


class Simulator(NetworkStack):
    """Networks with the scales of their training data, to be trained and rolled out.

    Parameters, attributes and errors as of `cgsim.model.stack.NetworkStack`.

    Attributes
    ----------
    recipe
        How the atoms of the training data became beads (see `cgsim.mapping.build_mapping`), where
        it is known: `cgsim.load_simulator` sets it.
    temperature
        Of the training data, K, where it is known, likewise.
    references
        Reference structures of the molecules of the training data, where they had some.
    """

    recipe: dict[str, Any] | None = None
    temperature: float | None = None
    references: tuple[Reference, ...] = ()

    @property
    def timestep(self) -> float:
        """Delta, ps."""
        return self.scales.timestep

    def windows(self, trajectories: Sequence[MappedTrajectory]) -> WindowDataset:
        """All windows of some trajectories, with this simulator's history, time step and types.

        Raises
        ------
        ValueError
            If a trajectory is too short, or holds an atom type never seen in training; if they
            differ in frame interval, or the time step is no whole multiple of it; if its steps are
            not for such a molecule (see `cgsim.model.integrators`).
        """
        for trajectory in trajectories:
            self.steps.check(trajectory)
        trajectories = [self.referred(trajectory) for trajectory in trajectories]
        return WindowDataset(
            trajectories,
            atom_types=self.atom_types,
            history=self.config.history,
            stride=self.scales.stride_at(shared_frame_interval(trajectories)),
            n_hops=self.config.graph.n_hops,
            n_bonds=self.config.embedding.n_layers,
            references=self.reference_edges,
        )

    def referred(self, trajectory: MappedTrajectory) -> MappedTrajectory:
        """A trajectory with its own reference structures, else with those known of its molecule."""
        if trajectory.reference is not None or self.reference_edges is None:
            return trajectory
        own = (known for known in self.references if known.bead_name == trajectory.bead_name)
        known = next(own, None)
        return trajectory if known is None else replace(trajectory, reference=known.pos)

    def loss(
        self,
        batch: CGData,
        *,
        generator: torch.Generator | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> dict[str, Tensor]:
        """Negative log-likelihood and denoising score-matching loss of a batch of windows.

        Parameters
        ----------
        batch
            Windows (see `cgsim.data.graphs.CGData`).
        augmentation
            What is changed at random.

        Returns
        -------
        ``nll``: nats per degree of freedom of the reduced accelerations ``a Delta^2 / step_scale``
        (add ``log step_scale`` for nats of ``x_{t+1}`` in nm); ``score``: mean squared error of the
        denoiser in units of the predicted Gaussian, 1 for an untrained one on a well-calibrated
        Gaussian (absent without a score network).
        """
        drawn = draw(self, batch, generator=generator, augmentation=augmentation)
        return losses(self, *drawn)

    def sampled_by(self, sampler: SamplerConfig) -> Self:
        """The same simulator with another sampler: the networks are shared, not copied.

        Raises
        ------
        ValueError
            If the score network was not trained for it.
        """
        other = copy(self)
        other.sampler = sampler
        return other

    @torch.no_grad()
    def start(self, batch: CGData, generator: torch.Generator) -> State:
        """The state at the current frame of a batch of windows."""
        return start(self, batch, generator)

    @torch.no_grad()
    def step(self, state: State) -> State:
        """One time step (see `cgsim.model.step`)."""
        state = listed(self, state)
        pos = next_pos(self, state.pos, lambda field: field.deviation(state.generator), state=state)
        return replace(state, pos=advanced(state.pos, pos))

    @torch.no_grad()
    def history_after(self, history: Tensor, noise: Tensor, *, state: State) -> Tensor:
        """The frames after one step from others than those of a state, a pure function of tensors.

        Parameters
        ----------
        history : [n, k, 3]
            In place of ``state.pos``.
        noise : [n_draws, n, 3]
            Standard normal numbers, all that is random: `step` draws the same for systems that are
            small enough for a dense factorisation.

        Returns
        -------
        [n, k, 3], nm.
        """
        rows = iter(noise)
        pos = next_pos(self, history, lambda field: field.deviation_of(next(rows)), state=state)
        return advanced(history, pos)

    def _facts(self) -> Facts:
        scales, dynamics, sampler = self.scales, self.config.dynamics, self.sampler
        guided = "" if sampler.guidance == 1 else f", guidance {sampler.guidance:g}"
        weights = list(self.parameters())
        return {
            "time step": f"{duration(scales.timestep)}, from {self.config.history} frames",
            "networks": comma_list(type(network).__name__ for network in self.children()),
            "steps": f"{dynamics.steps}, with {dynamics.noise} noise",
            "sampler": f"{sampler.n_evaluations} evaluations{guided}" if self.is_refined else None,
            "beads": f"{scales.mass_scale:.4g} Da, bonds of {scales.length_scale:.3g} nm (means)",
            "mapping": None if self.recipe is None else recipe_text(self.recipe),
            "references": self.config.graph.n_references or None,
            "atom types": comma_list(self.atom_types, most=16),
            "parameters": f"{sum(weight.numel() for weight in weights):,}",
            "device": f"{weights[0].device}, {str(self.dtype).removeprefix('torch.')}",
        }

    __repr__, _repr_html_ = shown(_facts)
