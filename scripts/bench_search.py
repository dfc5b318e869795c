"""What search costs and finds: a generated repository of 2,000 files, and labelled queries over three packages.

usage: python scripts/bench_search.py [--files 2000] [--packages FOLDER] [--embedder URL MODEL] [--json]

The packages of scripts/search/labels.json are fetched by pip into a temporary folder, unless --packages names a folder
that has them unpacked. Without --embedder the column with vectors comes from the simulated server, whose vectors are
hashes of words: it shows the way and its cost, not the worth of a model.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.core.errors import LaoError  # noqa: E402
from lao.core.words import Json  # noqa: E402
from lao.search.index import refresh  # noqa: E402
from lao.search.searcher import Searcher  # noqa: E402
from lao.search.store import NAME, IndexFile  # noqa: E402
from lao.search.vectors import Embedder, embed_missing  # noqa: E402
from scripts.search import repository  # noqa: E402

LABELS = ROOT / "scripts" / "search" / "labels.json"
BEST = 5
QUERIES = (
    "reserve a delivery for the customer",
    "validate voucher limits",
    "where is the warehouse stock counted",
    "split invoice by tax region",
    "cancel order and refund payment",
)


def costs(files: int, folder: Path) -> dict[str, Json]:
    """Seconds of the first index, of refreshes and of queries in a repository of so many files."""
    root = folder / "repository"
    repository.write(root, files)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    index = IndexFile(folder / NAME)
    first = refresh(index, root)
    nothing = [_timed(lambda: refresh(index, root)) for _ in range(5)]
    changed = []
    for number, path in enumerate(sorted(root.rglob("*.py"))[:5]):
        path.write_text(f"{path.read_text()}\nadded_{number} = {number}\n")
        changed.append(_timed(lambda: refresh(index, root)))
    asked = [_timed(lambda query=query: _rank(index, root, query)) for query in QUERIES * 4]
    whole = [_timed(lambda query=query: Searcher(index).find(root, query)) for query in QUERIES]
    return {
        "load": os.getloadavg()[0],
        "files": first.files,
        "text_mb": round(first.added_bytes / 1e6, 1),
        "index_s": round(first.seconds, 2),
        "index_mb": round((folder / NAME).stat().st_size / 1e6, 1),
        **_figures("refresh_unchanged", nothing),
        **_figures("refresh_one_changed", changed),
        **_figures("query", asked),
        **_figures("find", whole),
        **_figures("map", [_timed(lambda: _map(index, root)) for _ in range(3)]),
    }


def _map(index: IndexFile, root: Path) -> str:
    from lao.llm.tokens import estimate
    from lao.search.repo_map import Focus, repo_map

    return repo_map(index, root, 1000, estimate, Focus(text="cancel orders"))


def _rank(index: IndexFile, root: Path, query: str) -> None:
    from lao.search.index import folder_of
    from lao.search.ranking import by_words

    index.use(lambda db: by_words(db, folder_of(db, root), query))


def found(root: Path, folder: Path, embedder: Embedder | None) -> dict[str, Json]:
    """Recall among the first five, per query, by words alone and with vectors."""
    labels = json.loads(LABELS.read_text())
    index = IndexFile(folder / "labels.db")
    refresh(index, root)
    figures: dict[str, Json] = {"queries": len(labels["queries"])}
    if embedder is not None:
        done = embed_missing(index, root, embedder)
        figures |= {"model": embedder.model, "chunks": done.done, "chunks_s": round(done.rate, 1)}
    for name, searcher in (("words", Searcher(index)), ("fused", Searcher(index, lambda: embedder))):
        if name == "fused" and embedder is None:
            continue
        rows, times = [], []
        for query, right in labels["queries"]:
            begun = time.perf_counter()
            best = [hit.path for hit in searcher.find(root, query)[:BEST]]
            times.append(time.perf_counter() - begun)
            rows.append({"query": query, "recall": len(set(best) & set(right)) / len(right), "best": best})
        figures[name] = {
            "recall_at_5": round(statistics.mean(row["recall"] for row in rows), 3),
            "missed": [row for row in rows if row["recall"] < 1],
            "find_ms": round(statistics.median(times) * 1000, 1),
        }
    return figures


@contextmanager
def packages(given: Path | None) -> Iterator[Path]:
    """A folder with the labelled packages, unpacked.

    Raises:
        LaoError: pip could not fetch them.
    """
    if given is not None:
        yield given
        return
    labels = json.loads(LABELS.read_text())
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder]
        done = subprocess.run([*argv, *labels["packages"]], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LaoError(f"pip could not fetch {labels['packages']}: {done.stderr[-500:]}", "name them: --packages")
        root = Path(folder) / "packages"
        for wheel in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(root)
        yield root


@contextmanager
def embedder_of(given: Sequence[str] | None) -> Iterator[Embedder]:
    """The embedder that is named, or the simulated server's."""
    from lao.servers.embeddings import ServerEmbedder
    from lao.servers.simulated.scenario import parse_scenario
    from lao.servers.simulated.server import SimulatedServer

    if given:
        yield ServerEmbedder(given[0], "", given[1])
        return
    scenario = parse_scenario({"models": [{"key": "hashes", "size_bytes": 1_000_000, "type": "embedding"}]})
    with SimulatedServer(scenario) as server:
        yield ServerEmbedder(server.url, "", "hashes")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and of this process on a processor: what the first would be without company."""
    begun, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - used


def _figures(name: str, times: Sequence[tuple[float, float]]) -> dict[str, Json]:
    wall, cpu = zip(*times, strict=True)
    return {
        f"{name}_ms": round(statistics.median(wall) * 1000, 1),
        f"{name}_worst_ms": round(max(wall) * 1000, 1),
        f"{name}_cpu_ms": round(statistics.median(cpu) * 1000, 1),
    }


def table(figures: dict[str, Json]) -> str:
    lines = [f"| {name} | {value} |" for name, value in figures["costs"].items()]
    searched = figures["found"]
    for name in ("words", "fused"):
        row = searched[name]
        lines.append(
            f"| recall@5, {name}, {searched['queries']} queries | {row['recall_at_5']} ({row['find_ms']} ms) |"
        )
        lines += [f"|   missed: {miss['query']} | {', '.join(miss['best'])} |" for miss in row["missed"]]
    lines.append(f"| vectors | {searched['model']}: {searched['chunks']} chunks, {searched['chunks_s']} a second |")
    return "\n".join(["| what | figure |", "|---|---|", *lines])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--packages", type=Path, metavar="FOLDER")
    parser.add_argument("--embedder", nargs=2, metavar=("URL", "MODEL"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            packages(options.packages) as root,
            embedder_of(options.embedder) as embedder,
        ):
            figures = {"costs": costs(options.files, Path(folder)), "found": found(root, Path(folder), embedder)}
    except LaoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(figures, indent=2) if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
