"""TNG files are checked before their library reads them."""

import hashlib
import struct
from pathlib import Path

import pytest

from cgsim.io.tng import check_tng


def _block(number: int, name: bytes, contents: bytes, *, order: str, has_hash: bool) -> bytes:
    digest = hashlib.md5(contents).digest() if has_hash else bytes(16)
    tail = name + b"\0" + struct.pack(f"{order}q", 8)
    return (
        struct.pack(f"{order}qqq16s", 40 + len(tail), len(contents), number, digest)
        + tail
        + contents
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_blocks_are_checked(tmp_path: Path, order: str) -> None:
    path = tmp_path / "run.tng"
    first = _block(0, b"GENERAL INFO", b"some text" * 9, order=order, has_hash=True)
    second = _block(1, b"MOLECULES", b"more text" * 9, order=order, has_hash=False)
    path.write_bytes(first + second)
    check_tng(path)
    for content, said in {
        first + second[:-3]: "block 1 is cut off",
        first + second[:20]: "block 1 is cut off",
        first.replace(b"some", b"same", 1) + second: "block 0 is corrupt .its MD5",
        first + bytes(60): "block 1 is corrupt",
        b"no trajectory" * 9: "block 0 is corrupt or this is no TNG file",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"run.tng: {said}"):
            check_tng(path)
