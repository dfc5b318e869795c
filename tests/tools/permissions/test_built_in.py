"""Promise: no shell line changes git, removes what lies outside, or asks for more rights, in whatever wrapping."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.tools.permissions.built_in import refusal

ROOT = Path("/srv/work")

DENIED = [
    "git commit -m x", "git push --force", "git reset --hard", "git clean -fdx", "git checkout -- .", "git restore .",
    "git add -A && git commit -m 'done'", "cd src; git commit", "true || git stash", "ls | xargs git rm", "(git reset)",
    "git -C sub commit", "git -c user.name=x commit", "git --git-dir=.git --work-tree . checkout main",
    "/usr/bin/git pull",
    "GIT_DIR=x git commit", "env A=1 git commit", "bash -c 'git commit -m x'", "sh -lc \"cd a && git push\"",
    "eval git commit", "echo $(git commit -m x)", "echo `git reset --hard`", "if true; then git commit; fi",
    "find . -name x -exec git rm {} +", "timeout 5 git commit", "git init", "git config user.name x", "git branch -D x",
    "git tag v1", "git stash", "git diff --output=/etc/x", "git diff --outp=/etc/x", "echo hi\ngit commit -m x",
    "git merge \\\n x",
    "! git commit",
    "sudo ls", "a && sudo -n true", "su - root", "doas ls", "nohup sudo x", "shutdown now", "mkfs.ext4 /dev/sda",
    "rm -rf /", "rm -rf /etc", "rm -rf ../other", "rm -rf ~", "rm -rf ~/x", "rm -fr $HOME", "rm -r -f /srv/work",
    "rm -rf .", "rm -rf src/../..", "rm -rf /srv/workother", "rm -rf .git", "rm -rf ./.git/hooks", "rm .lao/state.db",
    "echo x > /etc/passwd", "echo x >> ~/.bashrc", "cat a > ../b", "echo x > .git/config", "cp x .git/hooks/pre-commit",
    "mv .lao /tmp", "echo don't", "cp x /etc/y", "cp -t /etc x", "tee ~/x", "touch ../x", "mkdir /srv/other",
    "dd of=/dev/sda",
    "sed -i s/a/b/ /etc/x", "sed -i -e s/a/b/ ../x", "cd / && rm -rf x", "cd .. ; echo x > y", "cd; touch x",
    "ln x /etc/y",
    "mv /srv/other/x .", "chmod 777 /etc", "alias g=git\ng push", "$GIT push", "$(which git) push", "git $x",
    "git pu?h",
    "/bin/r? -rf /", "find .git -delete", "find . -exec git push \\;", "sh <<E\ngit push\nE", "git >&2 push",
    "cat <<E > README.md\nuse `git push`\nE", "x=/etc/passwd; echo > $x", "xargs -I% sh -c '%'", "env -S 'git push'",
    "sh -c \"$x\"", "eval \"$x\"", "rm -rf \"$PWD\"", "truncate -s 0 ../x", "install x /usr/bin", "chown x /etc/y",
    "cat > .git/hooks/pre-commit <<'EOF'\nit's\nEOF",
]  # fmt: skip

ALLOWED = [
    "git status", "git diff HEAD~1", "git log --oneline | head", "git show HEAD:a.py", "git ls-files",
    "git -C sub status",
    "git --no-pager log -3", "git branch", "git branch --show-current", "git config --get user.name", "git stash list",
    "python -m pytest -q", "rm -rf build", "rm -f src/a.pyc", "rm -rf /srv/work/build", "ls -la && echo 'git commit'",
    "echo \"a; sudo b\"", "grep -r 'rm -rf /' .", "make test 2>&1 | tail -5", "echo x > out.txt",
    "x=1; echo $x > /dev/null",
    "cat .gitignore", "ls .git", "find . -name '*.py' -exec wc -l {} +", "npm test -- --watch=false",
    "sed -i '/foo/a bar' a.py", "sed -i -e '/x/d' -e 's/a/b/' a.py", "find . -not -path './.git/*' -type f",
    "cp a b", "mv a b", "mkdir -p a/b && touch a/b/c", "chmod +x run.sh", "ln -s a b", "echo x | tee out.txt",
    "cd src && rm -rf build", "dd if=a of=b", "git log > log.txt", "python - <<'E'\nimport os\nE",
    "f=out.txt; echo x > $f",
    "for i in 1 2; do echo $i > f$i.txt; done", "xargs rm < list", "cat <<'E' > README.md\nuse `make`\nE",
    "for f in a b; do echo $f; done", "", "   ", "# only a comment",
]  # fmt: skip


@pytest.mark.parametrize("line", DENIED)
def test_denied(line: str) -> None:
    """Refused with a reason for the model."""
    assert refusal(line, ROOT)


@pytest.mark.parametrize("line", ALLOWED)
def test_allowed(line: str) -> None:
    """Ordinary work is not in the way."""
    assert refusal(line, ROOT) is None
