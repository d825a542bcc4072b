"""The networks of a simulator, put together on the scales of their training data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cgsim.config import ModelConfig, SamplerConfig
from cgsim.data.augmentation import count_graphs, dropped
from cgsim.data.graphs import CGData
from cgsim.data.references import ReferenceEdges
from cgsim.data.scales import Scales
from cgsim.model.dynamics import Beads, Prediction
from cgsim.model.integrators import steps_class
from cgsim.model.networks import network_class
from cgsim.model.score.denoiser import Denoiser
from cgsim.model.score.sampler import Sampler
from cgsim.nn.graph.neighbours import BeadGraph, bead_graph


class NetworkStack(nn.Module):
    """Embedding, dynamics and score networks: all that is predicted of frames, in their units.

    Parameters
    ----------
    config
        Networks and sampler; networks by their names in `cgsim.model.networks`.
    atom_types
        Names of the atom types, in the order of their embedding.
    scales
        Scales of the training data; they fix the time step.

    Attributes
    ----------
    steps
        What displacements mean (see `cgsim.model.integrators`).

    Raises
    ------
    ValueError
        If the history holds no frame, a name is unknown, or the dynamics network has no latents for
        the score network.
    """

    def __init__(self, config: ModelConfig, *, atom_types: Sequence[str], scales: Scales) -> None:
        super().__init__()
        if config.history < 1:
            raise ValueError(f"history must be at least 1 frame, got {config.history}")
        self.config, self.atom_types, self.scales = config, tuple(atom_types), scales
        self.steps = steps_class(config.dynamics.steps)
        names, n_embedding = config.networks, config.embedding.n_channels
        # Any: networks of one's own have attributes of their own.
        self.embedding: Any = network_class("embedding", names.embedding)(
            len(self.atom_types), config.embedding
        )
        self.dynamics: Any = network_class("dynamics", names.dynamics)(
            config.dynamics,
            config.graph,
            history=config.history,
            n_embedding=n_embedding,
            chiral=scales.chiral,
        )
        self.score = self._score_network()

    def _score_network(self) -> Any:
        if self.config.score is None:
            return None
        irreps, names = self.dynamics.irreps, self.config.networks
        if irreps is None:
            raise ValueError(
                f"{names.dynamics} has no equivariant latents for a score network: set "
                "model.score to None (null on the command line)"
            )
        return network_class("score", names.score)(
            self.config.score,
            self.config.graph,
            latent_irreps=irreps,
            n_embedding=self.config.embedding.n_channels,
            whitening=self.steps.whitening,
            chiral=self.scales.chiral,
        )

    @property
    def sampler(self) -> SamplerConfig:
        """How steps are sampled; another one takes no training and may be set at any time."""
        return self.config.sampler

    @sampler.setter
    def sampler(self, sampler: SamplerConfig) -> None:
        self.config = replace(self.config, sampler=sampler)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the networks."""
        return next(self.parameters()).dtype

    @property
    def cutoff(self) -> float:
        """Cutoff of the bead graph, nm."""
        return self.config.graph.cutoff * self.scales.length_scale

    @property
    def reference_edges(self) -> ReferenceEdges | None:
        """How reference structures become edges; None where the networks know of none."""
        graph, length = self.config.graph, self.scales.length_scale
        if graph.n_references == 0:
            return None
        return ReferenceEdges(
            graph.n_references, graph.reference_cutoff * length, length, hop=graph.n_hops + 1
        )

    def predict(self, batch: CGData) -> Prediction:
        """Distribution over the reduced accelerations of a batch of windows, as they are."""
        pos = batch.pos.to(self.dtype)
        level = pos.new_zeros(len(pos))
        graph = self.graph_at(pos[:, -1], batch)
        return self.predict_at(
            pos, self.embed(batch), mass=batch.mass, noise_level=level, graph=graph
        )

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

    def graph_at(self, pos: Tensor, batch: CGData) -> BeadGraph:
        """The bead graph of a batch of windows at some positions [n, 3], nm."""
        return bead_graph(
            pos,
            cutoff=self.cutoff,
            topology=batch.topology,
            batch=batch.batch,
            n_graphs=count_graphs(batch),
            cell=batch.cell if "cell" in batch else None,
            chirality=batch.chirality,
        )

    def predict_at(
        self, pos: Tensor, embedding: Tensor, *, mass: Tensor, noise_level: Tensor, graph: BeadGraph
    ) -> Prediction:
        """Distribution over the reduced accelerations at past frames [n, k, 3], nm.

        Parameters
        ----------
        embedding : [n, n_channels]
            Of every bead.
        mass : [n]
            Da.
        noise_level : [n]
            Noise on the past frames, in root-mean-square displacements.
        """
        beads = Beads(
            embedding=embedding,
            steps=pos.diff(dim=1) / self.scales.step_scale,
            mass=mass.to(pos) / self.scales.mass_scale,
            noise_level=noise_level,
        )
        vector = graph.displacement(pos[:, -1]) / self.scales.length_scale
        prediction: Prediction = self.dynamics(beads, vector, graph=graph)
        return prediction

    def denoiser(self, pos: Tensor, prediction: Prediction, *, graph: BeadGraph) -> Denoiser | None:
        """The score network, if there is one, at the current frame [n, 3], nm."""
        if self.score is None:
            return None
        return Denoiser(
            self.score,
            Sampler(self.sampler),
            pos,
            prediction,
            graph,
            self.steps.at(pos, graph),
            self.steps.whitening.of(prediction.acceleration),
            self.scales,
        )

    @property
    def is_refined(self) -> bool:
        """Whether samples of the predicted Gaussian are refined in a roll-out."""
        return self.score is not None and self.sampler.n_evaluations > 0

    @property
    def n_draws(self) -> int:
        """Gaussian samples that a step takes."""
        return Sampler(self.sampler).n_draws if self.is_refined else 1
