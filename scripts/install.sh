#!/bin/sh
# Installs LAO for this user, or brings it up to date: with pipx where that is there, else with pip install --user, else
# (a Python that the system manages, or one without pip) into ~/.local/share/lao, with links in ~/.local/bin.
# May be run again at any time; nothing outside the home folder is written, and projects are not touched.
#
# usage: sh scripts/install.sh
#   LAO_PACKAGE  what is installed: a folder, a wheel, a URL, or a package's name; by default the checkout that this file
#                lies in, else local-ai-agent-orchestrator
#   LAO_VERSION  which version of a named package: 4.0.0; by default the newest
# Exit codes: 0 installed, 1 it did not work, 2 wrong usage, 42 something that is set or there already stands against it.
set -eu

name=local-ai-agent-orchestrator
say() { printf '%s\n' "$*"; }
stop() { # stop CODE MESSAGE...: one message, and the end
  code=$1
  shift
  printf 'install.sh: %s\n' "$*" >&2
  exit "$code"
}

# The newest of the Pythons that LAO supports, but the one called python3 first; of a virtual environment the one it was
# made from, since that may be deleted with its project. Prints its path.
find_python() {
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do
    "$candidate" -c 'import os, sys
base = getattr(sys, "_base_executable", None) or sys.executable
if sys.version_info < (3, 10): sys.exit(1)
print(base if os.path.exists(base) else sys.executable)' 2>/dev/null && return 0
  done
  return 1
}

# Sets spec (what pip is told) and kind (name, folder, or file: a wheel, an archive, a URL).
choose_package() {
  spec=${LAO_PACKAGE:-}
  kind="file"
  here=$(cd "$(dirname "$0")" 2>/dev/null && pwd) || here=
  if [ -z "$spec" ] && [ -z "${LAO_VERSION:-}" ] && [ -n "$here" ] &&
    grep -qs "^name = \"$name\"" "$here/../pyproject.toml"; then
    spec=$(dirname "$here")
  fi
  spec=${spec:-$name}
  case $spec in
    *://* | *" @ "*) ;;
    *)
      if [ -d "$spec" ]; then
        spec=$(cd "$spec" && pwd) && kind=folder
        [ -f "$spec/pyproject.toml" ] || stop 42 "LAO_PACKAGE is a folder without pyproject.toml: $spec"
      elif [ -f "$spec" ]; then
        spec=$(cd "$(dirname "$spec")" && pwd)/$(basename "$spec")
      else
        case $spec in
          */* | *.whl | *.tar.gz | *.zip) stop 42 "LAO_PACKAGE: there is no file or folder $spec" ;;
          *) kind=name ;;
        esac
      fi
      ;;
  esac
  [ -z "${LAO_VERSION:-}" ] && return 0
  [ "$kind" = name ] ||
    stop 42 "LAO_VERSION=$LAO_VERSION cannot be chosen from $spec, which is one version already: unset one of the two"
  spec=$spec==${LAO_VERSION#v}
}

# Whether the system keeps pip from its Python (PEP 668), or has none for it.
is_managed() {
  "$python" -c 'import importlib.util, os, sys, sysconfig
mark = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
sys.exit(not (os.path.exists(mark) or importlib.util.find_spec("pip") is None))'
}

# pip_install PYTHON [OPTION...]: quiet; a file of the version that is installed already replaces it all the same.
pip_install() {
  pip_python=$1
  shift
  set -- -m pip install --quiet --disable-pip-version-check --no-input --no-warn-script-location --upgrade "$@"
  "$pip_python" "$@" "$spec" || return 1
  [ "$kind" != file ] || "$pip_python" "$@" --no-deps --force-reinstall "$spec"
}

with_pipx() {
  how=pipx
  bin=$(pipx environment --value PIPX_BIN_DIR 2>/dev/null) || bin=
  bin=${bin:-${PIPX_BIN_DIR:-$HOME/.local/bin}}
  pipx install --force --python "$python" "$spec" >&2 || stop 1 "pipx could not install $spec; its reason is above"
}

with_pip() {
  how="pip install --user"
  bin=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))')
  pip_install "$python" --user || stop 1 "pip could not install $spec; its reason is above"
}

with_venv() {
  venv=$HOME/.local/share/lao
  how="a virtual environment in $venv"
  bin=$HOME/.local/bin
  for command in lao "$name"; do
    link=$bin/$command
    if [ -e "$link" ] && [ "$(readlink "$link" || true)" != "$venv/bin/$command" ]; then
      stop 42 "$link is there already and is not from here: remove it (or what installed it) and run this again"
    fi
  done
  if [ -d "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
    stop 42 "$venv holds something else than a virtual environment: move it away and run this again"
  fi
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then # new, broken off, or its Python is gone
    "$python" -m venv --clear "$venv" >&2 ||
      stop 1 "$python cannot make virtual environments: install pipx, or python3-venv (Debian, Ubuntu), and run this again"
  fi
  pip_install "$venv/bin/python" || stop 1 "pip could not install $spec; its reason is above"
  mkdir -p "$bin"
  for command in lao "$name"; do ln -sf "$venv/bin/$command" "$bin/$command"; done
}

# What was done, and what is left to do for the command to be found.
tell() {
  version=$("$bin/lao" --version) || stop 1 "$bin/lao was installed but does not start; its reason is above"
  say "installed: $version, with $how ($("$python" -V))"
  say "from:      $spec"
  say "command:   $bin/lao"
  found=$(command -v lao || true)
  case :$PATH: in
    *":$bin:"*)
      [ "$found" = "$bin/lao" ] || say "beware:    PATH has another lao first: $found"
      ;;
    *)
      say "PATH does not have $bin yet. Add this line to ~/.profile (zsh: ~/.zprofile), then open a new terminal:"
      say "  export PATH=\"$bin:\$PATH\""
      ;;
  esac
  command -v git >/dev/null || say "beware:    git is not on PATH; without it LAO works, but makes no commits"
  say "next:      mkdir my-project && cd my-project && lao init"
}

main() {
  [ $# = 0 ] || stop 2 "takes no arguments; LAO_PACKAGE and LAO_VERSION say what is installed"
  [ -n "${HOME:-}" ] || stop 42 "HOME is not set"
  choose_package
  python=$(find_python) ||
    stop 1 "LAO needs Python 3.10 or newer, and none is on PATH: install one (python.org, your system's packages, pyenv) and run this again"
  if command -v pipx >/dev/null; then
    with_pipx
  elif is_managed; then
    with_venv
  else
    with_pip
  fi
  tell
}

main "$@"
