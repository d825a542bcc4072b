"""Dataclasses as plain dictionaries, and back with every field checked."""

from dataclasses import MISSING, asdict, fields
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain JSON-able dictionaries."""
    return asdict(config)


def from_dict(cls: type, values: dict[str, Any], *, where: str = "config") -> Any:
    """Rebuild a config dataclass from plain dictionaries.

    Raises
    ------
    ValueError
        Naming the unknown or missing key or the field of the wrong type, by its dotted path.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected a mapping of fields, got {type(values).__name__}")
    hints = get_type_hints(cls)
    known = {field.name for field in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(
            f"{where}: unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}"
        )
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
