"""An observable of one's own: how far the ends of a chain are apart, and how fast that relaxes.

cgsim report mapped rollout --output report \
        --observable examples.extend.end_to_end:ENDS examples.extend.end_to_end:RELAXATION

In Python, `cgsim.evaluate.add_observable(ENDS)` before `cgsim.compare`.
"""

import numpy as np

from cgsim.evaluate import Frames, Relaxation, Scalar


def end_to_end(frames: Frames) -> np.ndarray:
    """Distance of the first from the last bead, [n_frames] nm."""
    return np.linalg.norm(frames.xyz[:, -1] - frames.xyz[:, 0], axis=-1)


ENDS = Scalar(
    "end_to_end",
    "end-to-end distance",
    "nm",
    measure=end_to_end,
    definition="Distance of the first from the last bead.",
)
RELAXATION = Relaxation.of(ENDS)
