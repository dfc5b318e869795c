"""Promise: whatever a shell line would run, in whatever wrapping, is a part of it; what is not understood is said."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from lao.tools.permissions.shell import LONGEST, Part, read_line
from tests.tools.permissions.odd_lines import ODD

LINES = {
    # what a line runs, as the programs and words that a shell would make of it
    "git push": ["git push"],
    "a; b\nc": ["a", "b", "c"],
    "a && b || c & d | e |& f": ["a", "b", "c", "d", "e", "f"],
    "(git reset)": ["git reset"],
    "{ git reset; }": ["git reset"],
    "! git commit": ["git commit"],
    "echo $(git push)": ["git push"],
    "echo `git push`": ["git push"],
    'echo "$(git push)" "`git pull`"': ["git push", "git pull"],
    "cat <(git stash)": ["git stash"],
    "echo ${x:-$(git push)}": ["git push"],
    "echo ${x/a/$(git push)}": ["git push"],
    "echo $((1+$(git push)))": ["git push"],
    "[[ -f $(git push) ]]": ["git push"],
    "arr=(a $(git push))": ["git push"],
    "export X=$(git push)": ["git push"],
    "cat <<EOF\n$(git push)\nEOF": ["cat", "git push"],
    'cat <<< "$(git push)"': ["cat", "git push"],
    "if true; then git a; elif x; then git b; else git c; fi": ["git a", "x", "git b", "git c"],
    "case $x in a) git push;; *) ls;; esac": ["git push", "ls"],
    "for f in a b; do rm $f; done": ["rm $f"],
    "for ((i=0;i<3;i++)); do git push; done": ["git push"],
    "while git a; do git b; done": ["git a", "git b"],
    "select x in a b; do git push; done": ["git push"],
    "f() { git push; }; f": ["git push", "f"],
    "function f { git push; }": ["git push"],
    "env X=1 sh -c 'git push'": ["git push"],
    'bash -lc "cd a && git push"': ["cd a", "git push"],
    "sh -c \"sh -c 'git push'\"": ["git push"],
    "eval git push": ["git push"],
    "eval \"eval 'git push'\"": ["git push"],
    "trap 'git push' EXIT": ["git push"],
    "trap -- 'git push' EXIT": ["git push"],
    "eval -- git push": ["git push"],
    "ls | xargs -0 -n1 git rm": ["git rm <input>"],
    "xargs -I{} sh -c 'git rm {}'": ["git rm ${INPUT}"],
    "find . -name x -exec git rm {} +": ["git rm <input>"],
    "find . -execdir sh -c 'git rm \"$1\"' _ {} \\;": ["git rm $1"],
    "timeout -k 1 5 git push": ["git push"],
    "nohup nice -n 5 setsid git push &": ["git push"],
    "time git push": ["git push"],
    "coproc git push": ["git push"],
    "exec git push": ["git push"],
    "command -p git push": ["git push"],
    "stdbuf -oL git push": ["git push"],
    "env -S 'git push' --force": ["git push --force"],
    "sh -c -e 'git push'": ["git push"],
    "bash -o pipefail -ec -- 'git push' x": ["git push"],
    "[ -f a ] && git push": ["git push"],
    "[[ $x =~ ^(a|b)$ ]] || git push": ["git push"],
    "cmd &> f; git push": ["git push"],
    "env '--split-string=git push'": ["git push"],
    "uv run --with x git push": ["git push"],
    "X=1 Y=2 git push": ["git push"],
    "bash <<'E'\ngit push\nE": ["git push"],
    "cat <<E | sh\ngit push\nE": ["git push"],
    "(bash) <<E\ngit push\nE": ["git push"],
    "sh <<< 'git push'": ["git push"],
    "g\\it push": ["git push"],
    "g\"i\"t pu'sh'": ["git push"],
    "$'g\\151t' $'\\x70ush'": ["git push"],
    "git pu{sh,ll}": ["git push pull"],
    "a=git; $a push": ["git push"],
    "a='git push'; $a --force": ["git push --force"],
    "git \\\n  push": ["git push"],
    "git >&2 push": ["git push"],
    "> f git push": ["git push"],
    "git > f push --force": ["git push --force"],
    "git 2>&1 push": ["git push"],
    "a | git > f push": ["git push"],
    "git <<EOF push\nx\nEOF": ["git push"],
    "sh > f -c 'git push'": ["git push"],
    "/usr/bin/git push": ["/usr/bin/git push"],
    "echo 'git push'": ["echo git push"],
    "echo '$(git push)'": ["echo $(git push)"],
    "cat <<'EOF'\n$(git push) `git push`\nEOF": ["cat"],
    "cat <<\\EOF\n`git push`\nEOF": ["cat"],
    'echo "costs \\$(5) \\`x\\`"': ["echo costs $(5) `x`"],
    "python - <<'PY'\nimport os\nPY": ["python"],
    "# git push": [],
    "": [],
}


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_every_command_is_found(line: str) -> None:
    """G1: each command that the line runs is a part, in its own words."""
    found = read_line(line)
    assert not found.problem
    texts = [part.text for part in found.parts if part.kind == "command"]
    for wanted in LINES[line]:
        assert wanted in texts


@pytest.mark.parametrize("line", [line for line, runs in LINES.items() if not any("git" in run for run in runs)])
def test_data_is_no_command(line: str) -> None:
    """Text in quotes, comments and here-documents is not taken for a command."""
    assert not any(part.program == "git" for part in read_line(line).parts)


@pytest.mark.parametrize(
    ("line", "kind", "target"),
    [
        ("echo x > f", "write", "f"), ("echo x >> f", "write", "f"), ("x >| f", "write", "f"), ("x &> f", "write", "f"),
        ("x 2> f", "write", "f"), ("x < f", "read", "f"), ("> f", "write", "f"), ("{ x; } > f", "write", "f"),
        ("for a in b; do x; done > f", "write", "f"), ("cat <<E > f\nx\nE", "write", "f"), ("x >& f", "write", "f"),
        ("sh -c 'x > f'", "write", "f"), ("x > $(y)", "write", "$(y)"), ("a=f; x > $a", "write", "f"),
        ("x > 'a b'", "write", "a b"), ("x 1>&2 > f", "write", "f"),
    ],
)  # fmt: skip
def test_redirections_are_parts(line: str, kind: str, target: str) -> None:
    """What a line writes or reads by redirection is a part with its target."""
    assert (kind, target) in [(part.kind, part.text) for part in read_line(line).parts]


@pytest.mark.parametrize("line", ["x 2>&1", "x >&2", "x 2>&-", "x <&3"])
def test_copies_of_streams_are_no_files(line: str) -> None:
    """2>&1 writes to no path."""
    assert {part.kind for part in read_line(line).parts} == {"command"}


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("$x push", "$x"), ("${a:-git} push", "${a:-git}"), ("$(echo git) push", "$(echo git)"), ('"$CMD" x', "$CMD"),
        ("a=git; a=ls; $a push", "$a"), ("for a in git; do $a push; done", "$a"), ("read a; $a push", "$a"),
        ("bash -c \"$CMD\"", "$CMD"), ("ls | xargs -I% %", "<input>"), ('eval "$(x)"', "$(x)"),
        ("for ((a=1;a<2;a++)); do $a; done", "$a"),
    ],
)  # fmt: skip
def test_a_program_that_only_the_shell_knows_is_marked(line: str, first: str) -> None:
    """Variables and substitutions in the program's place are not guessed."""
    commands = [part for part in read_line(line).parts if part.kind == "command"]
    assert any(part.words[0].text == first and not part.words[0].known for part in commands)


@pytest.mark.parametrize(
    "line",
    [
        "echo 'open", 'echo "open', "if true; then", "echo $(x", "a && ", "gi\\\nt push", "echo \x00", "ls\r",
        "exec 3<> f",
        "{ git; } > f push", "{git,push}", "x" * (LONGEST + 1), "sh -c 'echo \"'", "echo $(sh -c \"a '\")",
        "xargs -I% sh -c '%'",
        "echo \"${x:-'$(git push)'}\"", "cat <<E\n${x:-'$(git push)'}\nE", "echo $'a\\'; git push; #'",
        "! ! git push", "coproc { git push; }", "[ a || git ]", "[[ a && git ]]", "[ a | git ]", "[[ a > f ]]",
        "((git))", "x; (( x = 1 ))",
        "true &> f git push",
        "true &>> f > g git push", "env " * 40 + "git push", "cat <<E\na $x b\n\n $(git push)\nE",
        "cat <<E\n`git push`\nE",
        "echo `echo \\`git push\\``",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_problem(line: str) -> None:
    """Never a guess: half a line, a word broken over lines, control characters, endless nesting."""
    assert read_line(line).problem


def test_deep_nesting_ends() -> None:
    """A line that nests as deep as it likes costs neither the stack nor a hang."""
    assert read_line("echo " + "$(echo " * 1500 + "x" + ")" * 1500).problem
    assert read_line("sh -c " * 50 + "x")
    assert read_line("env --odd " * 40 + "x").problem
    assert read_line("flock " * 40 + "x").problem


def test_no_line_breaks_the_reader() -> None:
    """T: lines with pieces cut out, doubled and mixed up are read or are a problem; nothing is raised."""
    chance = random.Random(20_261_123)
    lines = [*LINES, *REALLY]
    for _ in range(3_000):
        one, other = chance.choice(lines), chance.choice(lines)
        at, to = sorted(chance.randrange(len(one) + 1) for _ in range(2))
        mixed = (
            one[:at]
            + chance.choice(["", other, one[at:to] * 2, chance.choice("'\"$`(){}<>|&;\\\n #!*é\udc80")])
            + one[to:]
        )
        assert read_line(mixed) is not None


SHELLS = [shell for shell in ("sh", "bash") if shutil.which(shell)]

REALLY = [
    "git push", "git >&2 push", "> f git push", "git > f push --force", "2>f git push", "git 2>&1 push | cat",
    "true && git > f push", "git <<EOF push\nx\nEOF", "sh > f -c 'git push'", "env A=1 git push",
    "xargs git rm </dev/null",
    "echo a | xargs git rm", "echo a | xargs -n1 sh -c 'git rm'", "find . -maxdepth 0 -exec git rm {} \\;",
    "eval git push", "eval 'git' \"push\"", "g\\it push", "'g'it push", "a=git; $a push", "a='git push'; $a",
    "(git push)",
    "{ git push; }", "! git push", "if git a; then git b; fi", "for x in 1; do git push; done",
    "case a in a) git push;; esac",
    "f() { git push; }; f", "echo $(git push)", "echo `git push`", "echo \"$(git push)\"", "cat <<E\n$(git push)\nE",
    "sh <<E\ngit push\nE", "cat <<E | sh\ngit push\nE", "trap 'git push' EXIT", "timeout 9 git push", "nohup git push",
    "nice -n 1 git push", "nice git push", "exec git push", "command git push", "git \\\n push", "git pu\\sh",
    "a=1 git push",
    "true || git push; git pull", "echo ${x:-$(git push)}", "(sh) <<E\ngit push\nE", "git push &\nwait", "alias",
    "time git push",
    "x=$(git push)", "export x=$(git push)", "git push # no", "echo '#'; git push", "echo a#b; git push",
    "git${IFS}push",
    "git\tpush", "git ''push", "setsid -w git push", "env -i PATH=$PATH git push", "sh -ec 'git push'",
    "sh -c 'git $0' push",
]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("lines", "least"), [(REALLY, len(REALLY) - 6), (ODD, 80)], ids=["usual", "odd"])
def test_what_a_shell_really_runs_was_found(shell: str, lines: list[str], least: int, tmp_path: Path) -> None:
    """G1: a stand-in for git notes its arguments; each of its calls by a real shell is one of the parts, or the line
    has a part whose program is not known, or is not understood."""
    log = tmp_path / "log"
    stub = tmp_path / "bin" / "git"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\necho "git $*" >> {log}\n')
    stub.chmod(0o755)
    environment = {"PATH": f"{stub.parent}:{os.environ['PATH']}"}
    (tmp_path / "work").mkdir()
    ran = 0
    for line in lines:
        log.write_text("")
        subprocess.run(
            [shell, "-c", line],
            cwd=tmp_path / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        found = read_line(line)
        unknown = found.problem or any(p.kind == "command" and not p.words[0].known for p in found.parts)
        for call in log.read_text().splitlines():
            ran += 1
            assert unknown or any(_is(part, call) for part in found.parts), f"{line!r} ran {call!r}: {found.parts}"
    assert ran >= least, "the stand-in was really called"


def _is(part: Part, call: str) -> bool:
    """Whether a part is this call of git, as far as its first word is known."""
    if part.kind != "command" or part.program != "git":
        return False
    called, words = call.split()[1:2], part.words[1:2]
    return not called or any(not word.known or word.text.split()[:1] == called for word in words)
