"""The JSON that cgsim puts into the header of a safetensors file. No pickle is ever read."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

HEADER = "cgsim"  # key of the JSON among the metadata of the file


def read_file_header(path: str | Path) -> dict[str, Any]:
    """Read what a safetensors file says of itself; empty where cgsim did not write it.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it is truncated, no safetensors file, or its JSON is damaged.
    """
    path = Path(path)
    if not path.is_file():
        within = sorted(path.glob("*.safetensors"))  # of a folder
        hint = f", but a folder; take {within[0]}" if within else ""
        raise FileNotFoundError(f"{path}: no such checkpoint{hint}")
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: truncated, or not a safetensors file ({error}); cgsim reads no "
            "pickles (.pt, .ckpt)"
        ) from error
    try:
        header = json.loads(metadata.get(HEADER, "{}"))
    except ValueError as error:
        raise ValueError(f"{path}: its header is damaged ({error})") from error
    return header if isinstance(header, dict) else {}
