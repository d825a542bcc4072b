"""NOISE: Gaussians over the accelerations of all beads, and the networks that give them."""

from cgsim.config.tables import named_row
from cgsim.model.noise.correlated import CorrelatedNoise
from cgsim.model.noise.elastic import ElasticNoise
from cgsim.model.noise.gaussian import GaussianField, Noise
from cgsim.model.noise.independent import IndependentNoise

#: By their names in `cgsim.config.DynamicsConfig`; a noise model of your own is one more row.
NOISES: dict[str, type[Noise]] = {
    "independent": IndependentNoise,
    "correlated": CorrelatedNoise,
    "elastic": ElasticNoise,
}


def noise_class(name: str) -> type[Noise]:
    """The noise model of a name.

    Raises
    ------
    ValueError
        If there is none; says which there are, and how to add one.
    """
    return named_row(NOISES, name, kind="noise model", option="noise")


__all__ = ["NOISES", "GaussianField", "Noise", "noise_class"]
