"""What manifests say, in each language, and that a broken one harms nothing."""

from __future__ import annotations

import pytest

from lao.workspace.survey import manifests
from lao.workspace.survey.manifests import kind_of, read_manifest

PYPROJECT = """
[project]
name = "shop"
dependencies = [
    "httpx>=0.27",  # the client
    "peewee",
]
[project.optional-dependencies]
dev = ["pytest", "ruff==0.5"]
[project.scripts]
shop = "shop.cli:main"
[tool.mypy]
strict = true
"""
CASES = [
    (
        "package.json",
        '{"name": "web", "main": "src/index.js", "dependencies": {"express": "4"}, "devDependencies": {"jest": "29"},'
        ' "scripts": {"test": "jest", "build": "tsc -p ."}}',
        ("npm", "web", ("express", "jest"), (("test", "jest"), ("build", "tsc -p .")), ("src/index.js",)),
    ),
    (
        "pyproject.toml",
        PYPROJECT,
        ("python", "shop", ("httpx", "peewee", "pytest", "ruff", "mypy"), (), ("shop = shop.cli:main",)),
    ),
    (
        "requirements-dev.txt",
        "# tools\nblack==24\n-r other.txt\nPyYAML>=6 # yes\n",
        ("python", "", ("black", "PyYAML")),
    ),
    (
        "setup.py",
        "from setuptools import setup\nsetup(name='old', version=read(), install_requires=['six>=1'])\n",
        ("python", "old", ("six",)),
    ),
    (
        "setup.cfg",
        "[metadata]\nname = older\n[options]\ninstall_requires =\n    attrs>=20\n    click\n",
        ("python", "older", ("attrs", "click")),
    ),
    (
        "go.mod",
        "module example.org/tool\n\ngo 1.22\n\nrequire (\n\tgithub.com/spf13/cobra v1.8.0\n)\n"
        "require golang.org/x/net v0.1\n",
        ("go", "example.org/tool", ("github.com/spf13/cobra", "golang.org/x/net")),
    ),
    (
        "Cargo.toml",
        '[package]\nname = "crab"\n[dependencies]\nserde = "1"\n[dev-dependencies]\n'
        'proptest = "1"\n[[bin]]\nname = "x"\n',
        ("cargo", "crab", ("serde", "proptest"), (), ("x",)),
    ),
    (
        "Package.swift",
        'let package = Package(\n  name: "Bird",\n  dependencies: [.package('
        'url: "https://x.org/a/swift-log.git", from: "1.0.0")],\n'
        '  targets: [.executableTarget(name: "bird")])\n',
        ("swift", "Bird", ("swift-log",), (), ("bird",)),
    ),
    (
        "Makefile",
        "CC := gcc\n.PHONY: all\nall: build\n\nbuild test: x.o\n\tgcc\n",
        ("make", "", (), (("all", ""), ("build", ""))),
    ),
    (
        "pom.xml",
        "<project><parent><artifactId>boss</artifactId></parent><artifactId>app</artifactId><dependencies><dependency>"
        "<groupId>g</groupId><artifactId>junit</artifactId></dependency></dependencies></project>",
        ("maven", "app", ("junit",)),
    ),
    (
        "build.gradle.kts",
        'dependencies {\n  implementation("com.x:lib:1")\n  testImplementation("org.junit:junit:5")\n}\n'
        'application { mainClass.set("x.Main") }\n',
        ("gradle", "", ("com.x:lib:1", "org.junit:junit:5"), (), ("x.Main",)),
    ),
    (
        "CMakeLists.txt",
        "project(engine CXX)\nfind_package(Boost REQUIRED)\nadd_executable(engine main.cpp)\n",
        ("cmake", "engine", ("Boost",), (), ("engine",)),
    ),
    (
        "composer.json",
        '{"name": "a/b", "require": {"php": ">=8"}, "scripts": {"test": "phpunit"}}',
        ("composer", "a/b", ("php",), (("test", "phpunit"),)),
    ),
    ("Gemfile", "source 'x'\ngem 'rails', '~> 7'\n", ("bundler", "", ("rails",))),
    ("src/App.csproj", '<PackageReference Include="xunit" Version="2" />', ("dotnet", "", ("xunit",))),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "told"), CASES, ids=[c[0] for c in CASES])
def test_each_manifest_tells_name_dependencies_and_scripts(path: str, text: str, told: tuple) -> None:
    """D1: what each language's manifest says is read: kind, name, dependencies, scripts, entry points."""
    found = read_manifest(path, text)
    kind, name, needs, scripts, entries = (*told, (), (), ())[:5]
    assert found.problem == ""
    assert (found.kind, found.name, found.dependencies, found.scripts, found.entries) == (
        kind, name, needs, scripts, entries
    )  # fmt: skip


def test_toml_is_read_without_a_parser_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """O: Python 3.10 has no TOML parser; what matters of a manifest is read there as well."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(manifests.importlib, "import_module", missing)
    found = read_manifest("pyproject.toml", PYPROJECT)
    assert (found.name, found.entries) == ("shop", ("shop = shop.cli:main",))
    assert found.dependencies == ("httpx", "peewee", "pytest", "ruff", "mypy")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package.json", "{broken"),
        ("package.json", "[1, 2]"),
        ("package.json", '{"dependencies": 7}'),
        ("setup.py", "def ("),
        ("setup.cfg", "no section = 1"),
        ("Cargo.toml", "[package\nname = "),
        ("composer.json", '{"scripts": ["a"]}'),
    ],
)
def test_a_broken_manifest_is_a_problem_and_no_error(path: str, text: str) -> None:
    """D1: a manifest that cannot be read is said to be one, in a line."""
    found = read_manifest(path, text)
    assert found.problem == "" or "\n" not in found.problem
    assert found.dependencies == ()


def test_a_broken_manifest_says_what_is_wrong() -> None:
    """D1: the reason is kept."""
    assert "cannot be read" in read_manifest("package.json", "{broken").problem


def test_what_is_no_manifest_has_no_kind() -> None:
    """D1: other files are left alone, whatever their folder."""
    assert [kind_of(p) for p in ("a/package.json", "package.json.bak", "requirements.md", "Makefile")] == [
        "npm", "", "", "make",
    ]  # fmt: skip


def test_a_hostile_manifest_is_bounded() -> None:
    """D1: ten thousand dependencies and lines without end become sixty short ones."""
    text = '{"name": "' + "x" * 10_000 + '", "dependencies": {' + ",".join(f'"d{n}": "1"' for n in range(10_000)) + "}}"
    found = read_manifest("package.json", text)
    assert (len(found.dependencies), len(found.name)) == (60, 160)
