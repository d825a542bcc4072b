"""Parts of one's own, named by the user as ``package.module:Thing``, put into their tables."""

from collections.abc import Callable

from cgsim.config.tables import add_row, import_part
from cgsim.mapping import add_mapper
from cgsim.model.networks import add_network
from cgsim.model.noise import NOISES, Noise

#: A kind of part and what names it: ``("noise", "my_package.my_module:MyNoise")``.
NamedPart = tuple[str, str]


def use_network(path: str) -> str:
    """Make a network known; its name is that of its class (see `cgsim.model.networks`).

    Raises
    ------
    ValueError
        If there is no such module or class, it is no network, or its name is another's.
    """
    return add_network(import_part(path))


def use_noise(path: str) -> str:
    """Make a noise model known; its name is that of its class (see `cgsim.model.noise.NOISES`).

    Raises
    ------
    ValueError
        If there is no such module or class, it is no noise model, or its name is another's.
    """
    noise = import_part(path)
    if not (isinstance(noise, type) and issubclass(noise, Noise)):
        raise ValueError(f"{path} is no noise model: a class that inherits from cgsim's Noise")
    add_row(NOISES, noise.__name__, noise, kind="noise model")
    return noise.__name__


#: Every kind that a command may take, and what makes such a part known.
KINDS: dict[str, Callable[[str], str]] = {
    "mapper": add_mapper,
    "network": use_network,
    "noise": use_noise,
}


def use_part(kind: str, path: str) -> str:
    """Make a part known to this process, and return its name in the table of its kind.

    Raises
    ------
    ValueError
        As of the functions of `KINDS`.
    """
    return KINDS[kind](path)
