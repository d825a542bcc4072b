"""Dataclasses as plain dictionaries, and back with every field checked."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain JSON-able dictionaries."""
    return asdict(config)


def as_config(cls: type[T], given: "T | Mapping[str, Any] | None", *, where: str) -> T:
    """A config as it is, or made of a mapping of some of its fields; the defaults of None.

    Raises
    ------
    ValueError
        If it is neither; see `from_dict` for what is wrong in a mapping.
    """
    if given is None:
        return cls()
    if isinstance(given, cls):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{where}: expected {cls.__name__}(...) or a mapping of its fields, got {given!r}"
        )
    made: T = from_dict(cls, dict(given), where=where)
    return made


def from_dict(cls: type, values: dict[str, Any], *, where: str = "config") -> Any:
    """Rebuild a config dataclass from plain dictionaries.

    Raises
    ------
    ValueError
        Naming all unknown keys, with the known ones that are like them, a missing key, or the field
        of the wrong type, by its dotted path.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected a mapping of fields, got {type(values).__name__}")
    hints = get_type_hints(cls)
    known = sorted(field.name for field in fields(cls))
    if unknown := [name for name in values if name not in known]:
        raise ValueError(f"{where}: {_unknown(unknown, known)}")
    missing = [
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    for name in missing:
        if name not in values:
            raise ValueError(f"{where}: missing key {name!r}")
    return cls(
        **{name: _coerce(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    )


def nearest(name: str, known: Sequence[str]) -> str | None:
    """What was meant by a name that is mistyped, if any of the known ones is like it."""
    return next(iter(get_close_matches(name, known, n=1)), None)


def _unknown(names: Sequence[Any], known: Sequence[str]) -> str:
    """Wrong keys in words."""
    keys = "key" if len(names) == 1 else "keys"
    said = f"unknown {keys} {', '.join(map(repr, names))}; known keys: {', '.join(known)}"
    meant = {name: nearest(str(name), known) for name in names}
    guesses = [f"{near!r} for {name!r}" for name, near in meant.items() if near]
    return f"{said}; did you mean {', '.join(guesses)}?" if guesses else said


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """Check one field against its type hint; nested dataclasses are rebuilt."""
    if get_origin(hint) in (UnionType, Union):
        options = [option for option in get_args(hint) if option is not type(None)]
        return None if value is None else _coerce(options[0], value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(f"{where}: expected one of {get_args(hint)}, got {value!r}")
        return value
    if hasattr(hint, "__dataclass_fields__"):
        return from_dict(hint, value, where=where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(hint) is dict:
        hint = dict
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
