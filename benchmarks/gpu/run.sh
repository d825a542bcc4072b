#!/usr/bin/env bash
# The benchmark of a GPU on a machine with PyTorch and little else, which may reach no network:
#
#     bash benchmarks/gpu/run.sh [MINUTES] [options of python -m benchmarks.gpu]
#
# Needed: torch, torch-geometric, e3nn, lightning, scipy, safetensors. Wheels in the folder wheels/ of
# the repository (or in $WHEELS) are installed first, into an environment of their own that sees
# what is installed already; rows that need what is still missing (OpenMM, MDTraj, cuEquivariance)
# are left out, with the reason. Given again it makes the rows that are missing. Results are in
# runs/gpu and, if $OUT names a folder, are copied there at the end, whatever the end is.
set -euo pipefail
cd "$(dirname "$0")/../.."

minutes=${1:-25}
shift || true
wheels=${WHEELS:-wheels}
python=${PYTHON:-python3}
output=runs/gpu
mkdir -p "$output"

if compgen -G "$wheels/*.whl" > /dev/null; then
    [ -x .venv-gpu/bin/python ] || "$python" -m venv --system-site-packages .venv-gpu
    python=.venv-gpu/bin/python
    for wheel in "$wheels"/*.whl; do
        "$python" -m pip install --quiet --no-index --no-deps "$wheel" ||
            echo "left out: $(basename "$wheel") cannot be installed here" >&2
    done
fi

"$python" - <<'PYTHON'
import importlib.util
import sys

NEEDED = ("torch", "torch_geometric", "e3nn", "lightning", "scipy", "safetensors")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"not installed here: {', '.join(missing)}; put their wheels into wheels/")
PYTHON

keep() {
    if [ -n "${OUT:-}" ]; then
        cp -r "$output"/. "$OUT"/
    fi
}
trap keep EXIT

export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
"$python" -m benchmarks.gpu --output "$output" --results "$output" --minutes "$minutes" "$@"
