"""What a workspace's file names and manifests tell of its shape: tests, entry points, joints to the outside, risks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from lao.workspace.survey.inventory import PROSE, Inventory, Surveyed
from lao.workspace.survey.manifests import Manifest

_TEST: Final = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|Tests)/|(?:^|/)(?:test_[^/]*\.py|[^/]*_test\.(?:py|go|rs|exs|dart)|conftest\.py"
    r"|[^/]*\.(?:test|spec)\.[cm]?[jt]sx?|[^/]*(?:Test|Tests|Spec)\.(?:java|kt|swift|cs|scala|php)|[^/]*_spec\.rb)$"
)
_ENTRY: Final = re.compile(
    r"(?:^|/)(?:__main__\.py|manage\.py|wsgi\.py|asgi\.py|main\.(?:py|go|rs|c|cc|cpp|swift|kt|dart)|cmd/[^/]+/[^/]+\.go"
    r"|(?:src/)?(?:index|main|server|app)\.[cm]?[jt]sx?|app\.py|Main\.(?:java|kt)|Program\.cs)$"
)
_JOINTS: Final = (
    (re.compile(r"(?:^|/)(?:Dockerfile[^/]*|Containerfile)$"), "built as a container image"),
    (re.compile(r"(?:^|/)(?:docker-)?compose[^/]*\.ya?ml$"), "runs together with other services"),
    (
        re.compile(r"^\.github/workflows/[^/]+\.ya?ml$|(?:^|/)\.gitlab-ci\.yml$|(?:^|/)Jenkinsfile$"),
        "continuous integration",
    ),
    (re.compile(r"(?:^|/)(?:openapi|swagger)[^/]*\.(?:ya?ml|json)$"), "describes an HTTP interface"),
    (re.compile(r"\.proto$"), "defines messages or services (protobuf)"),
    (re.compile(r"\.graphql$"), "defines a GraphQL schema"),
    (re.compile(r"(?:^|/)migrations?/[^/]+\.(?:py|sql|js|ts)$"), "migrates a database"),
    (re.compile(r"\.sql$"), "speaks to a database (SQL)"),
)
_OUTSIDE: Final = {
    "HTTP client": ("requests", "httpx", "aiohttp", "urllib3", "axios", "node-fetch", "got", "reqwest", "okhttp"),
    "web server": (
        "flask", "django", "fastapi", "starlette", "tornado", "express", "koa", "fastify", "next", "actix-web", "axum",
        "rails", "sinatra", "github.com/gin-gonic/gin", "github.com/labstack/echo",
    ),
    "database": (
        "sqlalchemy", "peewee", "psycopg", "psycopg2", "pymongo", "mysqlclient", "sqlite3", "better-sqlite3", "pg",
        "mysql2", "mongoose", "prisma", "@prisma/client", "typeorm", "sequelize", "sqlx", "diesel", "github.com/lib/pq",
    ),
    "cache or queue": ("redis", "celery", "huey", "kafka-python", "pika", "ioredis", "bullmq", "kafkajs"),
    "cloud service": ("boto3", "google-cloud-storage", "azure-storage-blob", "aws-sdk", "@aws-sdk/client-s3"),
}  # fmt: skip
_FRAMEWORKS: Final = (
    "pytest", "jest", "vitest", "mocha", "ava", "jasmine", "playwright", "cypress", "junit", "testng", "rspec",
    "phpunit", "xunit", "nunit",
)  # fmt: skip
NO_TESTS: Final = "there are no tests"
_BIG_LINES: Final = 800
_MOST: Final = 20


@dataclass(frozen=True)
class Tests:
    """``folders`` are the folders with test files in them, those with most first."""

    files: int = 0
    folders: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """A statement about one file, or about the workspace as a whole ("")."""

    file: str
    text: str


def is_test(path: str) -> bool:
    """Whether a path looks like a test file or lies in a folder of tests."""
    return bool(_TEST.search(path))


def is_source(file: Surveyed) -> bool:
    """Whether a file is source code of a known language, and readable."""
    return file.language not in PROSE and not file.note


def tests_of(inventory: Inventory, manifests: Iterable[Manifest]) -> Tests:
    """Where the tests are and what runs them."""
    paths = [f.path for f in inventory.files if is_test(f.path) and f.language not in PROSE]
    folders = Counter(str(PurePosixPath(p).parent) for p in paths)
    needs = {d.lower() for m in manifests for d in m.dependencies}
    known = [n for n in _FRAMEWORKS if any(n == d or d.startswith((f"{n}-", f"{n}:")) or f"/{n}" in d for d in needs)]
    by_name = (
        ("pytest", r"(?:^|/)(?:conftest\.py|test_[^/]*\.py|[^/]*_test\.py)$"),
        ("go test", r"_test\.go$"),
        ("cargo test", r"(?:^|/)tests/[^/]+\.rs$"),
        ("XCTest", r"Tests?\.swift$"),
        ("junit", r"Tests?\.(?:java|kt)$"),
        ("rspec", r"_spec\.rb$"),
    )
    known += [name for name, pattern in by_name if any(re.search(pattern, p) for p in paths)]
    shown = tuple(folder for folder, _ in sorted(folders.items(), key=lambda kv: (-kv[1], kv[0]))[:_MOST])
    return Tests(len(paths), shown, tuple(dict.fromkeys(known)))


def entries_of(inventory: Inventory, manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """Where the program begins: what manifests say, then files with the usual names."""
    said = [f"{entry} ({m.path})" for m in manifests for entry in m.entries]
    found = [f.path for f in inventory.files if _ENTRY.search(f.path) and not is_test(f.path)]
    return tuple([*said, *sorted(found, key=lambda p: (p.count("/"), p))][:_MOST])


def joints_of(inventory: Inventory, manifests: Iterable[Manifest]) -> tuple[Said, ...]:
    """Where the workspace meets something outside: services, interfaces, databases, pipelines."""
    found = []
    for manifest in manifests:
        for what, names in _OUTSIDE.items():
            used = sorted({d for d in manifest.dependencies if d.lower() in names})
            if used:
                found.append(Said(manifest.path, f"{what}: {', '.join(used)}"))
    for pattern, what in _JOINTS:
        fitting = [f.path for f in inventory.files if pattern.search(f.path)]
        found += [Said(path, what) for path in fitting[:3]]
        if len(fitting) > 3:
            found.append(Said(str(PurePosixPath(fitting[3]).parent), f"{len(fitting) - 3} more: {what}"))
    return tuple({(s.file, s.text): s for s in found}.values())[:_MOST]


def risks_of(
    inventory: Inventory,
    manifests: Iterable[Manifest],
    tests: Tests,
    *,
    dirty: Collection[str] = (),
    failing: Sequence[str] = (),
) -> tuple[Said, ...]:
    """What may go wrong, by what can be counted.

    Args:
        dirty: paths that the user had changed and not committed before the plan began.
        failing: commands that failed before anything was changed.
    """
    found = [Said("", f"`{command}` failed before anything was changed") for command in failing]
    found += [Said(m.path, m.problem) for m in manifests if m.problem]
    sources = [f for f in inventory.files if is_source(f)]
    if sources and not tests.files:
        found.append(Said("", NO_TESTS))
    shown = sorted(dirty)
    found += [Said(path, "changed by the user and not committed") for path in shown[:5]]
    if len(shown) > 5:
        found.append(Said("", f"{len(shown) - 5} more files are changed and not committed"))
    big = sorted((f for f in sources if (f.lines or 0) >= _BIG_LINES), key=lambda f: (-(f.lines or 0), f.path))
    found += [Said(f.path, f"{f.lines} lines: edits there are long and easily wrong") for f in big[:5]]
    return tuple(found[:_MOST])
