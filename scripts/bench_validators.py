"""What the validators say of code that is known to be good: the standard library, and a repository's own commits.

    python scripts/bench_validators.py stdlib     # each of 300 modules as a new file of its own
    python scripts/bench_validators.py commits    # the last 100 commits of this repository, each as a change
    python scripts/bench_validators.py speed      # a change of 20 files

Prints every finding that would block in mode "standard", with the counts by analyzer; reads only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lao.core.words import Finding  # noqa: E402 - after the path is set
from lao.quality.gating import STANDARD  # noqa: E402
from lao.quality.validators.change import Change, change_of, decoded, text_in  # noqa: E402
from lao.quality.validators.registry import validate  # noqa: E402


def main() -> None:
    """Run the corpus that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=("stdlib", "commits", "speed"))
    parser.add_argument("--most", type=int, default=0, help="modules or commits; 300 and 100 when not told")
    asked = parser.parse_args()
    if asked.corpus == "speed":
        _speed()
        return
    changes = _modules(asked.most or 300) if asked.corpus == "stdlib" else _commits(asked.most or 100)
    _judge(changes)


def _judge(changes: Iterator[tuple[str, Change]]) -> None:
    said: Counter[str] = Counter()
    blocking: list[tuple[str, Finding]] = []
    number, started = 0, time.perf_counter()
    for name, change in changes:
        number += 1
        found = validate(change)
        said.update(f"{f.analyzer} {f.severity.value}" for f in found)
        blocking += [(name, f) for f in found if STANDARD.blocks(f)]
    print(f"{number} changes in {time.perf_counter() - started:.1f} s, {len(blocking)} blocking findings")
    for key, count in said.most_common():
        print(f"  {count:5}  {key}")
    for name, finding in blocking:
        print(f"  {name}: {finding.severity.value} {finding.analyzer}: {finding.message}")


def _modules(most: int) -> Iterator[tuple[str, Change]]:
    """The library as the folder, one module at a time as the new file. The plan names it: who uses it is not asked,
    since that search through the whole library only informs."""
    library = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "site-packages", "__pycache__", "idlelib", "lib2to3", "tests"}
    paths = [p.relative_to(library) for p in sorted(library.rglob("*.py"))]
    wanted = [p.as_posix() for p in paths if not skipped & set(p.parts)]
    for path in wanted[:: max(1, len(wanted) // most)][:most]:
        text = text_in(library, path)
        if text is not None:
            yield path, Change(library, {path: text}, {}, frozenset({path}), Path(path).stem)


def _commits(most: int) -> Iterator[tuple[str, Change]]:
    """Each commit against its first parent, in a folder of its own."""
    hashes = _git("log", "--no-merges", f"-{most}", "--format=%H").split()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tree"
        _git("worktree", "add", "--detach", str(folder), hashes[-1])
        try:
            for commit in reversed(hashes):
                _git("checkout", "--detach", "-q", commit, cwd=folder)
                names = _git("diff", "--name-only", "--no-renames", f"{commit}^", commit).split("\n")
                before = {n: t for n in names if n and (t := _text(f"{commit}^:{n}")) is not None}
                yield commit[:10], change_of(folder, [n for n in names if n], before, claimed=names)
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _text(name: str) -> str | None:
    done = subprocess.run(["git", "cat-file", "blob", name], cwd=ROOT, capture_output=True, check=False)
    return decoded(done.stdout) if done.returncode == 0 else None


def _git(*words: str, cwd: Path = ROOT) -> str:
    return subprocess.run(["git", *words], cwd=cwd, capture_output=True, check=True, text=True).stdout


def _speed() -> None:
    """Twenty files of this repository as new ones."""
    names = [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "lao").rglob("*.py"))][:200:10]
    seconds = []
    for _ in range(5):
        started = time.process_time()  # wall time says how busy the machine is
        validate(change_of(ROOT, names, {}, claimed=names))
        seconds.append(time.process_time() - started)
    lines = sum(len((ROOT / n).read_text(encoding="utf-8").splitlines()) for n in names)
    print(f"{len(names)} files, {lines} lines: {sorted(seconds)[2] * 1000:.0f} ms of processor time (median of 5)")


if __name__ == "__main__":
    main()
