#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: linters, types, import rules, generated docs, and the suite on the
# newest and the oldest supported Python of this machine. The short crash sweep is part of the suite; what it tries are
# processes and disks, so it is run on the newest one only.
# usage: scripts/test.sh [--fast]   (--fast: newest Python only)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
ensure_git
pythons=$(supported_pythons)
oldest=$(echo "$pythons" | head -n 1 | cut -d' ' -f2)
newest=$(echo "$pythons" | tail -n 1 | cut -d' ' -f2)
[ -n "$newest" ] || { echo "the tests need Python 3.10 or newer" >&2; exit 1; }

venv_for() { # prints the folder of the test environment of a Python, made and filled when needed
  local dir
  dir=.venv-test-$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  make_venv "$dir" "$1"
  "$dir/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]' >&2
  echo "$dir"
}

cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
at_once=$((cores < 2 ? 2 : cores > 8 ? 8 : cores))
new=$(venv_for "$newest")
step() { echo "== $*"; }
step ruff && "$new/bin/ruff" check . && "$new/bin/ruff" format --check .
step mypy && "$new/bin/mypy"
step import-linter && "$new/bin/lint-imports"
step docs && "$new/bin/python" scripts/gen_docs.py --check
step "tests on $("$new/bin/python" -V)" && "$new/bin/python" -m pytest -n "$at_once" --durations 30 -m "not live"
if [ "${1:-}" != --fast ] && [ "$oldest" != "$newest" ]; then
  old=$(venv_for "$oldest")
  step "tests on $("$old/bin/python" -V)" && "$old/bin/python" -m pytest -n "$at_once" -m "not live and not durability"
fi
