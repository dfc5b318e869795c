#!/usr/bin/env bash
# Sets LAO up in .venv and runs the whole pipeline on a small plan: on a model server when one answers at
# LM_STUDIO_BASE_URL or http://127.0.0.1:1234, else on the simulated server, and says which.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
ensure_git
python=$(supported_pythons | tail -n 1 | cut -d' ' -f2)
[ -n "$python" ] || { echo "LAO needs Python 3.10 or newer" >&2; exit 1; }
make_venv .venv "$python"
.venv/bin/python -m pip install -q --disable-pip-version-check .
exec .venv/bin/lao demo "$@"
