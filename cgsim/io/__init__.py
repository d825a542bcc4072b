"""Files in and out: molecules, trajectories and periodic cells. The only place of file formats.

`load_molecule` reads atoms and bonds; `iter_frames` streams a trajectory of any size and
`Unwrapper` makes it whole and continuous; `append_frames` writes one that survives a kill.

All names are imported on first use: MDTraj is needed by what reads or writes molecules and
trajectories, not by who trains on mapped ones or keeps a roll-out in memory.
"""

from typing import TYPE_CHECKING

from cgsim import on_first_use

if TYPE_CHECKING:
    from cgsim.io.files import (
        atomic_path,
        read_json,
        read_sidecar,
        write_atomic_json,
        write_atomic_text,
    )
    from cgsim.io.molecule import Molecule
    from cgsim.io.periodic import Unwrapper, minimum_image, unwrap
    from cgsim.io.psf import write_psf
    from cgsim.io.reading import (
        common_frame_interval,
        iter_frames,
        read_frame_interval,
        trajectory_files,
    )
    from cgsim.io.topology import load_molecule, molecule_from_topology
    from cgsim.io.writing import append_frames, trajectory_size, truncate_trajectory

_HOME = {
    "Molecule": "molecule",
    "Unwrapper": "periodic",
    "append_frames": "writing",
    "atomic_path": "files",
    "common_frame_interval": "reading",
    "iter_frames": "reading",
    "load_molecule": "topology",
    "minimum_image": "periodic",
    "molecule_from_topology": "topology",
    "read_frame_interval": "reading",
    "read_json": "files",
    "read_sidecar": "files",
    "trajectory_files": "reading",
    "trajectory_size": "writing",
    "truncate_trajectory": "writing",
    "unwrap": "periodic",
    "write_atomic_json": "files",
    "write_atomic_text": "files",
    "write_psf": "psf",
}

__all__ = [
    "Molecule",
    "Unwrapper",
    "append_frames",
    "atomic_path",
    "common_frame_interval",
    "iter_frames",
    "load_molecule",
    "minimum_image",
    "molecule_from_topology",
    "read_frame_interval",
    "read_json",
    "read_sidecar",
    "trajectory_files",
    "trajectory_size",
    "truncate_trajectory",
    "unwrap",
    "write_atomic_json",
    "write_atomic_text",
    "write_psf",
]

__getattr__, __dir__ = on_first_use(__name__, _HOME)
