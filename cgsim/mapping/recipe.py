"""The table of mappers, and mappings made again from their recipe."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cgsim.config.tables import add_row, import_part, named_row
from cgsim.mapping.assignment import map_index
from cgsim.mapping.bead_mapping import Mapping, map_atoms, map_residues
from cgsim.mapping.metis import map_metis
from cgsim.mapping.protein import map_backbone_sidechain, map_calpha

if TYPE_CHECKING:
    from cgsim.io import Molecule

Mapper = Callable[..., Mapping]

_OF_ALL = frozenset(("own_types", "rigid_motion"))  # of trajectories, whatever the mapper

# The help of `cgsim map` reads names and signatures here, so these modules load nothing heavy:
# MDTraj not at all, SciPy where it is used.
MAPPERS: dict[str, Mapper] = {
    "metis": map_metis,
    "residues": map_residues,
    "calpha": map_calpha,
    "backbone-sidechain": map_backbone_sidechain,
    "atoms": map_atoms,
    "user": map_index,
}
"""Mappers by the name that recipes and ``cgsim map --method`` call them.

A mapper is a function of a molecule and of parameters that JSON can hold, which are read from its
signature. A new one is a row: ``MAPPERS["mine"] = map_mine``.
"""


def build_mapping(molecule: "Molecule", recipe: dict[str, Any]) -> Mapping:
    """Make the mapping of a recipe, as stored in `Mapping.recipe` and in checkpoints.

    Parameters
    ----------
    molecule
        What to map.
    recipe
        The ``"method"``, a name in `MAPPERS`, and its parameters, those with a default if wanted:
        ``{"method": "metis", "atoms_per_bead": 10}``, ``{"method": "residues"}``,
        ``{"method": "calpha"}``, ``{"method": "backbone-sidechain"}``, ``{"method": "atoms"}`` or
        ``{"method": "user", "bead_index": [...]}``; the last one fits only molecules with as many
        atoms. With ``"rigid_motion": False``: `Mapping.without_rigid_motion`; with
        ``"own_types": True``: `Mapping.with_own_types`.

    Returns
    -------
    Mapping
        Its recipe holds the name of the mapper and all parameters.

    Raises
    ------
    ValueError
        If the method is unknown, or its parameters are wrong or do not fit to the molecule.
    """
    if _OF_ALL & set(recipe):
        rest = {key: value for key, value in recipe.items() if key not in _OF_ALL}
        plain = build_mapping(molecule, rest)
        if recipe.get("own_types", False):
            plain = plain.with_own_types()
        return plain if recipe.get("rigid_motion", True) else plain.without_rigid_motion()
    method = recipe.get("method")
    if not isinstance(method, str):
        raise ValueError(f"unknown mapping method {method!r}; known are {', '.join(MAPPERS)}")
    mapper = named_row(MAPPERS, method, kind="mapper", option="mapper")
    given = {key: value for key, value in recipe.items() if key != "method"}
    parameters = _complete(method, given)
    mapping = mapper(molecule, **parameters)
    if not isinstance(mapping, Mapping):
        raise ValueError(
            f"the mapper {method!r} must return a Mapping, as cgsim.map_user(molecule, beads) "
            f"does, not a {type(mapping).__name__}"
        )
    if mapping.recipe.get("method") == method:
        return mapping
    # Made by way of another mapper, whose recipe would be found in files instead.
    kept = {name: value for name, value in mapping.recipe.items() if name in _OF_ALL}
    return replace(mapping, recipe={"method": method, **parameters, **kept})


def parameters_of(mapper: Mapper) -> dict[str, inspect.Parameter]:
    """What a mapper takes besides the molecule, its first argument, by name."""
    return dict(list(inspect.signature(mapper).parameters.items())[1:])


def add_mapper(path: str) -> str:
    """Give a mapper that a user names as ``package.module:function`` a row of `MAPPERS`.

    Returns
    -------
    str
        Its name in the table: that which its module gave it there, else that of the function.

    Raises
    ------
    ValueError
        If there is no such module or function, or the name is another mapper's.
    """
    mapper = import_part(path)
    if not callable(mapper):
        raise ValueError(f"{path}: a mapper is a function of a molecule, not {mapper!r}")
    for name, known in MAPPERS.items():
        if known is mapper:
            return name
    name = mapper.__name__
    add_row(MAPPERS, name, mapper, kind="mapper")
    return str(name)


def _complete(method: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a mapper with the defaults of those not given."""
    known = parameters_of(MAPPERS[method])
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            takes = f"it takes {', '.join(known) or 'none'}"
            hint = f"did you mean {near[0]!r}?" if near else takes
            raise ValueError(f"the mapping method {method!r} has no parameter {name!r}: {hint}")
    for name, parameter in known.items():
        if name not in given and parameter.default is parameter.empty:
            raise ValueError(f"the mapping method {method!r} needs {name!r}")
    return {name: given.get(name, parameter.default) for name, parameter in known.items()}
