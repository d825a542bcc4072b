"""Which networks a simulator is made of: three tables by name, and networks of one's own.

A network is a class that inherits from `EmbeddingNetwork`, `DynamicsNetwork` or `ScoreNetwork`;
that says what it stands for. Files hold its name and its settings, and are read with it named
again: nothing is imported because a file says so.
"""

import inspect
from collections.abc import Sequence
from dataclasses import asdict, field, fields, make_dataclass, replace
from typing import Any

from cgsim.config import ModelConfig, NetworkNames
from cgsim.config.tables import add_row, named_row
from cgsim.io.records import from_dict
from cgsim.model.dynamics import Dynamics, DynamicsNetwork
from cgsim.model.embedding import EmbeddingNetwork, GraphEmbedding
from cgsim.model.score.network import Score, ScoreNetwork

Network = type[EmbeddingNetwork] | type[DynamicsNetwork] | type[ScoreNetwork]

EMBEDDINGS: dict[str, type[EmbeddingNetwork]] = {"GraphEmbedding": GraphEmbedding}
DYNAMICS: dict[str, type[DynamicsNetwork]] = {"Dynamics": Dynamics}
SCORES: dict[str, type[ScoreNetwork]] = {"Score": Score}

#: What a network stands for, by the field of `NetworkNames`: its table and its abstract class.
ROLES: dict[str, tuple[dict[str, Any], type[Any]]] = {
    "embedding": (EMBEDDINGS, EmbeddingNetwork),
    "dynamics": (DYNAMICS, DynamicsNetwork),
    "score": (SCORES, ScoreNetwork),
}


def role_of(network: type[Any]) -> str:
    """What a network stands for: ``embedding``, ``dynamics`` or ``score``.

    Raises
    ------
    ValueError
        If it is none of them, or its settings are not those of its role with more fields.
    """
    for role, (_, abstract) in ROLES.items():
        if inspect.isclass(network) and issubclass(network, abstract):
            settings: Any = network
            if not issubclass(settings.Config, abstract.Config):
                raise ValueError(
                    f"{network.__name__}.Config must inherit from {abstract.Config.__name__}"
                )
            return role
    kinds = ", ".join(abstract.__name__ for _, abstract in ROLES.values())
    raise ValueError(f"{network!r} is no network: a class that inherits from one of {kinds}")


def add_network(network: Network) -> str:
    """Make a network of one's own known by the name of its class, and return that.

    Raises
    ------
    ValueError
        If it is no network, or another one has this name.
    """
    role = role_of(network)
    add_row(ROLES[role][0], network.__name__, network, kind=f"{role} network")
    return network.__name__


def network_class(role: str, name: str) -> type[Any]:
    """The network of a role that has a name.

    Raises
    ------
    ValueError
        If there is none; says which there are, and how to name one.
    """
    row: type[Any] = named_row(ROLES[role][0], name, kind=f"{role} network", option="network")
    return row


def with_networks(model: ModelConfig, networks: Network | Sequence[Network] | None) -> ModelConfig:
    """A model of these networks in place of those of their roles; settings they share are kept.

    Raises
    ------
    ValueError
        If one is no network, or replaces a score network that the model does not have.
    """
    for network in _several(networks):
        role = role_of(network)
        settings = getattr(model, role)
        if settings is None:
            raise ValueError(f"{network.__name__}: the model has no score network, score is None")
        if not isinstance(settings, network.Config):
            shared = {field.name for field in fields(network.Config)}
            known = {name: value for name, value in vars(settings).items() if name in shared}
            settings = network.Config(**known)
        names = replace(model.networks, **{role: add_network(network)})
        changed: dict[str, Any] = {"networks": names, role: settings}
        model = replace(model, **changed)
    return model


def model_config_type(names: NetworkNames) -> type[ModelConfig]:
    """`ModelConfig` with the settings of these networks as types of its fields, for parsers."""
    entries: list[tuple[str, Any, Any]] = []
    for role in ("embedding", "dynamics"):
        config = network_class(role, getattr(names, role)).Config
        entries.append((role, config, field(default_factory=config)))
    score = network_class("score", names.score).Config
    entries.append(("score", score | None, field(default_factory=score)))
    entries.append(("networks", NetworkNames, field(default=names)))
    return make_dataclass("ModelConfig", entries, bases=(ModelConfig,), frozen=True)


def read_model_config(values: dict[str, Any], *, where: str = "model") -> ModelConfig:
    """A model from plain dictionaries, settings of networks of one's own included.

    Raises
    ------
    ValueError
        Naming the field at fault, or the network that is not known.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected a mapping of fields, got {type(values).__name__}")
    names = from_dict(NetworkNames, values.get("networks", {}), where=f"{where}.networks")
    typed = from_dict(model_config_type(names), values, where=where)
    return ModelConfig(**{entry.name: getattr(typed, entry.name) for entry in fields(ModelConfig)})


def check_networks(names: NetworkNames, networks: Network | Sequence[Network] | None) -> None:
    """Check that networks which a user names are those of a file, and make them known.

    Raises
    ------
    ValueError
        Naming one that the file does not hold.
    """
    for network in _several(networks):
        role = role_of(network)
        stored = asdict(names)[role]
        if stored != network.__name__:
            raise ValueError(f"its {role} network is {stored!r}, not {network.__name__!r}")
        add_network(network)


def _several(networks: Network | Sequence[Network] | None) -> Sequence[Network]:
    if networks is None:
        return ()
    return (networks,) if isinstance(networks, type) else networks
