"""Stored simulators of older formats in terms of this one.

| format | what it did not know | |---|---| | 1 | products of the two ends of an edge | | 2 |
handedness of beads | | 3 | ideal distances | | 4 | a sampler apart from the score network; networks
by name; noise models as modules; scales by that name |
"""

import re
from typing import Any

from torch import Tensor

#: Settings of `ScoreConfig` in format 4 that are the sampler's, with their names there.
SAMPLER_SETTINGS = {
    "n_evaluations": "n_evaluations",
    "start_level": "sigma_max",
    "spacing": "rho",
    "farthest": "reject_beyond",
    "churn": "churn",
    "guidance": "guidance",
    "guided_from": "guided_from",
    "guided_to": "guided_to",
}

#: Settings that trials left behind, with the only value that still means something.
GONE = {
    "graph": {"n_octaves": 0},
    "dynamics": {"n_hidden": 0},
    "score": {"n_hidden": 0, "order": 1},
}

#: Subclasses of `Simulator` up to format 4, and the networks that they stood for.
NETWORKS_OF_CLASSES = {
    "Simulator": {},
    "PlainSimulator": {"dynamics": "PlainDynamics"},
    "CompositionSimulator": {"embedding": "CompositionEmbedding"},
}


def upgraded(
    header: dict[str, Any], weights: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the weights of a stored simulator as those of this format.

    Raises
    ------
    ValueError
        If it needs something that cgsim no longer has.
    """
    if header["format_version"] >= 5:
        return header, weights
    version, model, scales = (header[key] for key in ("format_version", "model", "statistics"))
    if not isinstance(model, dict) or not isinstance(scales, dict):
        return header | {"scales": scales}, weights  # who reads it says what is wrong
    graph = dict(model.get("graph") or {})
    if version < 2:
        graph["n_pair"] = 0
    if version < 4:
        graph["ideal_distance"] = False
    if version < 3:
        scales = scales | {"chiral": False}
    model = upgraded_model(model | {"graph": graph}, header.get("network", "Simulator"))
    return header | {"model": model, "scales": scales}, upgraded_weights(weights)


def upgraded_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights up to format 4 by the names that they have since."""
    renamed = {"bead_precision": "noise.bead", "pair_precision": "noise.pair"}
    pattern = re.compile(r"^dynamics\.(bead_precision|pair_precision)\.")
    return {
        pattern.sub(lambda match: f"dynamics.{renamed[match[1]]}.", name): value
        for name, value in weights.items()
    }


def upgraded_model(model: dict[str, Any], simulator_class: str = "Simulator") -> dict[str, Any]:
    """Settings of a model as up to format 4 in terms of this one; others stay as they are.

    Parameters
    ----------
    simulator_class
        Name of the class that was stored.

    Raises
    ------
    ValueError
        If it was made with an option that is gone, or a subclass of `Simulator` that is not known.
    """
    if simulator_class not in NETWORKS_OF_CLASSES:
        raise ValueError(
            f"made by {simulator_class}, a subclass of Simulator; networks of your own are named "
            "since cgsim 0.2 (see cgsim.model.networks): train it anew"
        )
    model = {
        part: _without_gone(part, dict(settings)) if isinstance(settings, dict) else settings
        for part, settings in model.items()
    }
    if NETWORKS_OF_CLASSES[simulator_class]:
        model["networks"] = NETWORKS_OF_CLASSES[simulator_class]
    score = model.get("score")
    if isinstance(score, dict) and "sampler" not in model:
        model["sampler"] = {
            new: score[old] for old, new in SAMPLER_SETTINGS.items() if old in score
        }
        kept = {key: value for key, value in score.items() if key not in SAMPLER_SETTINGS}
        if "spacing" in score:  # one number for both, as trained so sampled
            kept["rho"] = score["spacing"]
        if "present" in kept:
            kept["current_distances"] = kept.pop("present")
        model["score"] = kept
    return model


def _without_gone(part: str, settings: dict[str, Any]) -> dict[str, Any]:
    for name, expected in GONE.get(part, {}).items():
        if settings.pop(name, expected) != expected:
            raise ValueError(
                f"model.{part}.{name} is no longer an option of cgsim: use the version that made "
                "this, or train anew without it"
            )
    return settings
