# Sourced: finds Pythons that LAO supports (3.10 and newer). Prints nothing by itself.

# supported_pythons: the path of each, oldest first, one of each minor version.
supported_pythons() {
  local candidate
  for candidate in python3.10 python3.11 python3.12 python3.13 python3.14 python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
    "$candidate" -c 'import sys
if sys.version_info >= (3, 10) and sys.version_info.releaselevel == "final":
    print("%d.%02d" % sys.version_info[:2], sys.executable)' 2>/dev/null || true
  done | sort -u -k1,1
}

# ensure_git: git is needed by LAO and by its tests; as root on Debian it is installed when missing.
ensure_git() {
  command -v git >/dev/null && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq git
  else
    echo "git is not on PATH: install it and run this again" >&2
    return 1
  fi
}

# ensure_tools: strace records the simulated power cuts, bubblewrap contains commands, tmux is the terminal in which
# questions are answered, npm fetches the MCP servers that the tests run LAO against (into .node-tools); tests without
# theirs are skipped.
ensure_tools() {
  local missing=()
  command -v strace >/dev/null || missing+=(strace)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  command -v tmux >/dev/null || missing+=(tmux)
  { command -v node && command -v npm; } >/dev/null || missing+=(nodejs npm)
  if [ ${#missing[@]} != 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq "${missing[@]}"; } || echo "no ${missing[*]}: tests are skipped" >&2
  fi
  ensure_browser
}

# ensure_browser: a Chromium that can run without a window, and a font that has LAO's symbols. Ubuntu has none as a plain
# package (its snap needs a running snapd): there somebody installs one and names it by LAO_CHROMIUM.
ensure_browser() {
  local name
  for name in ${LAO_CHROMIUM:+"$LAO_CHROMIUM"} chromium chromium-browser google-chrome google-chrome-stable chrome; do
    command -v "$name" >/dev/null && return 0
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; then
    return 0
  fi
  echo "no Chromium: install one, or name it by LAO_CHROMIUM; the tests of the web pages are skipped" >&2
}

# make_venv DIR PYTHON: on Debian the venv module is a package of its own; as root it is installed when missing.
make_venv() {
  [ -x "$1/bin/pip" ] && return 0
  "$2" -m venv "$1" && return 0
  rm -rf "$1"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv && "$2" -m venv "$1"
  else
    echo "$2 cannot make virtual environments: install its venv package and run this again" >&2
    return 1
  fi
}
