"""The simulator: embedding + dynamics + score + integrator.

``loss(batch)`` trains it, ``step(state)`` runs it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cgsim.config import ModelConfig, ScoreConfig
from cgsim.data.augmentation import (
    UNPERTURBED,
    Perturbation,
    Windows,
    count_graphs,
    dropped,
    noisy_windows,
)
from cgsim.data.graphs import CGData
from cgsim.data.scales import Statistics, shared_frame_interval
from cgsim.data.windows import WindowDataset
from cgsim.io.display import shown
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.dynamics import Beads, Dynamics, Prediction
from cgsim.model.embedding import GraphEmbedding
from cgsim.model.facts import facts_of
from cgsim.model.integrators.bonds import STEPS, Straight
from cgsim.model.integrators.euler import acceleration_target, euler_step, velocity_from_history
from cgsim.model.score.denoiser import Denoiser
from cgsim.model.score.network import Score
from cgsim.model.score.sampler import Draw
from cgsim.model.score.whitening import FORMS
from cgsim.model.state import State, centred
from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.neighbours import BeadGraph, bead_graph
from cgsim.nn.graph.skin import SkinList, skin_width


class Simulator(nn.Module):
    """Embedding, dynamics and score networks with the scales of their training data.

    Parameters
    ----------
    config
        The architecture.
    atom_types
        Names of the atom types, in the order of their embedding.
    statistics
        Scales of the training data; they fix the time step.

    Attributes
    ----------
    recipe
        How the atoms of the training data became beads (see `cgsim.mapping.build_mapping`), where
        it is known: `cgsim.load_simulator` sets it.
    embedding_network, dynamics_network
        Classes of the networks, called as `GraphEmbedding` and `Dynamics` are: what a subclass
        (see `cgsim.baselines`) puts in their place.
    """

    recipe: dict[str, Any] | None = None
    embedding_network: ClassVar[type[Any]] = GraphEmbedding
    dynamics_network: ClassVar[type[Any]] = Dynamics

    def __init__(
        self, config: ModelConfig, *, atom_types: Sequence[str], statistics: Statistics
    ) -> None:
        super().__init__()
        if config.history < 1:
            raise ValueError(f"history must be at least 1 frame, got {config.history}")
        if config.dynamics.lmax < 1:
            raise ValueError(
                f"lmax must be at least 1, got {config.dynamics.lmax}: forces are vectors"
            )
        self.config, self.atom_types, self.statistics = config, tuple(atom_types), statistics
        self.embedding = self.embedding_network(len(self.atom_types), config.embedding)
        self.dynamics = self.dynamics_network(
            config.dynamics,
            config.graph,
            history=config.history,
            n_embedding=config.embedding.n_channels,
            chiral=statistics.chiral,
        )
        self.score = (
            None
            if config.score is None
            else Score(
                config.score,
                config.graph,
                latent_irreps=self.dynamics.irreps,
                n_embedding=config.embedding.n_channels,
                forms=FORMS[config.dynamics.steps],
                chiral=statistics.chiral,
            )
        )

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the networks."""
        return next(self.parameters()).dtype

    @property
    def timestep(self) -> float:
        """Delta, ps."""
        return self.statistics.timestep

    def windows(self, trajectories: Sequence[MappedTrajectory]) -> WindowDataset:
        """All windows of some trajectories, with this simulator's history, time step and types.

        Raises
        ------
        ValueError
            If a trajectory is too short, or holds an atom type never seen in training; if they
            differ in frame interval, or the time step is no whole multiple of it; if its steps are
            not for such a molecule (see `cgsim.model.integrators.bonds`).
        """
        for trajectory in trajectories:
            self._steps.check(trajectory)
        return WindowDataset(
            trajectories,
            atom_types=self.atom_types,
            history=self.config.history,
            stride=self.statistics.stride_at(shared_frame_interval(trajectories)),
            n_hops=self.config.graph.n_hops,
            n_bonds=self.config.embedding.n_layers,
        )

    def with_evaluations(self, n_evaluations: int) -> Self:
        """A simulator of the same weights with another number of score evaluations per step.

        Parameters
        ----------
        n_evaluations
            0 is no refinement: steps are samples of the predicted Gaussian.

        Raises
        ------
        ValueError
            If there is no score network, or the number is negative.
        """
        score = self._score_config
        if n_evaluations < 0:
            raise ValueError(f"n_evaluations must not be negative, got {n_evaluations}")
        return self._with_score(
            replace(score, n_evaluations=n_evaluations) if n_evaluations else None
        )

    def with_guidance(self, guidance: float, *, between: tuple[float, float] | None = None) -> Self:
        """A simulator of the same weights with another guidance (see `Denoiser`).

        Parameters
        ----------
        between
            Noise angles between which there is guidance; those of the configuration by default.

        Raises
        ------
        ValueError
            If there is no score network, it was never trained without being told of the present, or
            the first angle is not below the second.
        """
        score = replace(self._score_config, guidance=guidance)
        if between is not None:
            score = replace(score, guided_from=between[0], guided_to=between[1])
        return self._with_score(score)

    @property
    def _score_config(self) -> ScoreConfig:
        if self.config.score is None:
            raise ValueError("this simulator has no score network: config.score is None")
        return self.config.score

    def _with_score(self, score: ScoreConfig | None) -> Self:
        config = replace(self.config, score=score)
        other = type(self)(config, atom_types=self.atom_types, statistics=self.statistics)
        wanted = dict(other.named_parameters())
        weights = {name: value for name, value in self.named_parameters() if name in wanted}
        other.load_state_dict(weights, strict=False)
        other.recipe = self.recipe
        return other.to(next(self.parameters())).train(self.training)

    # ---------------------------------------------------------------- training

    def loss(
        self,
        batch: CGData,
        *,
        generator: torch.Generator | None = None,
        perturbation: Perturbation = UNPERTURBED,
    ) -> dict[str, Tensor]:
        """Negative log-likelihood and denoising score-matching loss of a batch of windows.

        Parameters
        ----------
        batch
            Windows (see `cgsim.data.graphs.CGData`).
        perturbation
            What is changed at random.

        Returns
        -------
        ``nll``: nats per degree of freedom of the reduced accelerations ``a Delta^2 / step_scale``
        (add ``log step_scale`` for nats of ``x_{t+1}`` in nm); ``score``: mean squared error of the
        denoiser in units of the predicted Gaussian, 1 for an untrained one on a well-calibrated
        Gaussian (absent without a score network).
        """
        drawn = self.draw(batch, generator=generator, perturbation=perturbation)
        return self.losses(*drawn)

    def draw(
        self, batch: CGData, *, generator: torch.Generator | None, perturbation: Perturbation
    ) -> tuple[Windows, Tensor, BeadGraph]:
        """What the `losses` of a batch are a function of; all that is random is drawn here."""
        windows = noisy_windows(
            batch,
            step_scale=self.statistics.step_scale,
            dtype=self.dtype,
            generator=generator,
            perturbation=perturbation,
            score=self.config.score,
        )
        embedding = self.embed(batch, generator, dropout=perturbation.embedding)
        graph = self._graph(windows.pos[:, -1], batch)
        steps = self._steps.at(windows.pos[:, -1], graph)
        return windows._replace(ahead=steps.straightened(windows.ahead)), embedding, graph

    def losses(self, windows: Windows, embedding: Tensor, graph: BeadGraph) -> dict[str, Tensor]:
        """`loss`, a pure function of tensors.

        Parameters
        ----------
        embedding : [n, n_channels]
            Of every bead.
        """
        pos = windows.pos
        prediction = self._predict(
            pos, embedding, mass=windows.mass, noise_level=windows.noise_level, graph=graph
        )
        target = self.reduced_acceleration(pos, windows.ahead)
        field, core = prediction.acceleration, windows.core
        log_prob = field.log_prob(target) if core is None else field.core_log_prob(target, core)
        losses = {"nll": -log_prob.sum() / windows.n_degrees}
        if (denoiser := self.denoiser(pos[:, -1], prediction, graph=graph)) is not None:
            losses["score"] = denoiser.loss(windows)
        return losses

    def reduced_acceleration(self, history: Tensor, ahead: Tensor) -> Tensor:
        """The training target ``a Delta^2 / step_scale`` [n, 3], dimensionless."""
        return acceleration_target(history, ahead, timestep=1.0) / self.statistics.step_scale

    def predict(self, batch: CGData) -> Prediction:
        """Distribution over the reduced accelerations of a batch of windows, as they are."""
        pos = batch.pos.to(self.dtype)
        level = pos.new_zeros(len(pos))
        graph = self._graph(pos[:, -1], batch)
        return self._predict(
            pos, self.embed(batch), mass=batch.mass, noise_level=level, graph=graph
        )

    # ---------------------------------------------------------------- networks

    def embed(
        self, batch: CGData, generator: torch.Generator | None = None, *, dropout: float = 0.0
    ) -> Tensor:
        """Embedding of every bead [n, n_channels], computed once per molecule."""
        rows = self.embedding(
            batch.atom_type,
            atom_edge_index=batch.atom_edge_index,
            atom_kind=batch.atom_kind,
            bead_index=batch.bead_index,
        )
        return dropped(rows, dropout, generator).index_select(0, batch.embedding_index)

    def _graph(self, pos: Tensor, batch: CGData) -> BeadGraph:
        return bead_graph(
            pos,
            cutoff=self.cutoff,
            topology=batch.topology,
            batch=batch.batch,
            n_graphs=count_graphs(batch),
            cell=batch.cell if "cell" in batch else None,
            chirality=batch.chirality,
        )

    @property
    def _steps(self) -> type[Straight]:
        return STEPS[self.config.dynamics.steps]

    @property
    def cutoff(self) -> float:
        """Cutoff of the bead graph, nm."""
        return self.config.graph.cutoff * self.statistics.length_scale

    def _predict(
        self, pos: Tensor, embedding: Tensor, *, mass: Tensor, noise_level: Tensor, graph: BeadGraph
    ) -> Prediction:
        beads = Beads(
            embedding=embedding,
            steps=pos.diff(dim=1) / self.statistics.step_scale,
            mass=mass.to(pos) / self.statistics.mass_scale,
            noise_level=noise_level,
        )
        vector = graph.displacement(pos[:, -1]) / self.statistics.length_scale
        return self.dynamics(beads, vector, graph=graph)

    @property
    def n_draws(self) -> int:
        """Gaussian samples that a step takes."""
        return 1 if self.score is None else self.score.refinement.n_draws

    def denoiser(self, pos: Tensor, prediction: Prediction, *, graph: BeadGraph) -> Denoiser | None:
        """The score network, if there is one, at the present [n, 3], nm."""
        if self.score is None:
            return None
        steps = self._steps.at(pos, graph)
        forms = FORMS[self.config.dynamics.steps].of(prediction.acceleration)
        return Denoiser(self.score, pos, prediction, graph, steps, forms, self.statistics)

    # ---------------------------------------------------------------- roll-out

    @torch.no_grad()
    def start(self, batch: CGData, generator: torch.Generator) -> State:
        """The state at the present frame of a batch of windows."""
        state = State(
            pos=batch.pos.double(),
            embedding=self.embed(batch),
            mass=batch.mass.to(self.dtype),
            chirality=batch.chirality,
            topology=batch.topology,
            layout=Layout.of(batch.batch, count_graphs(batch)),
            generator=generator,
            cell=batch.cell.double() if "cell" in batch else None,
        )
        counts = state.layout.counts
        if state.cell is not None or len(batch.edge_hop) < int((counts * (counts - 1)).sum()):
            return state
        local = centred(state.pos, state.layout).to(self.dtype)
        graph = state.search(local[:, -1], cutoff=self.cutoff)
        return replace(state, fixed_graph=graph)  # all pairs

    def _listed(self, state: State) -> State:
        """The state with a list of neighbours that holds, where a skin pays."""
        skin = skin_width(self.statistics.step_scale, cutoff=self.cutoff)
        if state.fixed_graph is not None or skin == 0:
            return state
        local = centred(state.pos, state.layout).to(self.dtype)
        if state.skin_list is not None and state.skin_list.holds_at(local[:, -1]):
            return state
        candidates = state.search(local[:, -1], cutoff=self.cutoff + skin)
        return replace(state, skin_list=SkinList(candidates, local[:, -1], self.cutoff, skin))

    @torch.no_grad()
    def step(self, state: State) -> State:
        """One time step: predict the accelerations, sample, refine, integrate."""
        state = self._listed(state)
        pos = self._next_pos(state.pos, lambda field: field.deviation(state.generator), state=state)
        return replace(state, pos=torch.cat([state.pos[:, 1:], pos[:, None]], dim=1))

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
        pos = self._next_pos(history, lambda field: field.deviation_of(next(rows)), state=state)
        return torch.cat([history[:, 1:], pos[:, None]], dim=1)

    def _next_pos(self, history: Tensor, deviation: Draw, *, state: State) -> Tensor:
        local = centred(history, state.layout).to(self.dtype)
        graph = state.graph_at(local[:, -1], cutoff=self.cutoff)
        level = local.new_zeros(len(local))
        prediction = self._predict(
            local, state.embedding, mass=state.mass, noise_level=level, graph=graph
        )
        denoiser = self.denoiser(local[:, -1], prediction, graph=graph)
        field = prediction.acceleration
        residual = deviation(field) if denoiser is None else denoiser.refined(deviation)
        reduced = field.mean + residual
        acceleration = reduced.double() * self.statistics.step_scale / self.timestep**2
        velocity = velocity_from_history(history, self.timestep)
        ahead, _ = euler_step(
            history[:, -1], velocity, acceleration=acceleration, timestep=self.timestep
        )
        return self._steps.at(history[:, -1], graph).bent(ahead)

    __repr__, _repr_html_ = shown(facts_of)
