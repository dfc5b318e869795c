"""scripts/install.sh in a clean home, each way of installing, with a real Python and pip and without a network.

The wheel is a stand-in: LAO's name, version and commands, and nothing that would have to be downloaded. The Pythons are
real ones in folders of their own, with and without the mark that the system manages them.
"""

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "install.sh"
NAME = "local_ai_agent_orchestrator"
TOOLS = ("sh", "cat", "dirname", "basename", "grep", "readlink", "mkdir", "ln", "ls", "env", "uname")
"""What PATH has beside the Python: no git, no pipx, no other Python of this machine."""
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def make_wheel(folder: Path, version: str, says: str) -> Path:
    """A wheel of LAO's name whose commands print ``says``."""
    wheel = folder / f"{NAME}-{version}-py3-none-any.whl"
    info = f"{NAME}-{version}.dist-info"
    files = {
        "lao_stand_in.py": f"def main():\n    print({says!r})\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: local-ai-agent-orchestrator\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nlao = lao_stand_in:main\n"
        "local-ai-agent-orchestrator = lao_stand_in:main\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        archive.writestr(f"{info}/RECORD", record)
    return wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-in wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "4.0.0", "lao 4.0.0")
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This Python in a folder of its own, with the pip that it ships: ``bin/python3`` below it."""
    folder = tmp_path_factory.mktemp("python")
    stdlib = Path(sysconfig.get_path("stdlib"))
    lib = folder / "lib" / stdlib.name
    lib.mkdir(parents=True)
    for entry in stdlib.iterdir():
        if entry.name not in ("site-packages", "dist-packages", "EXTERNALLY-MANAGED"):
            (lib / entry.name).symlink_to(entry)
    (folder / "bin").mkdir()
    shutil.copy(Path(sys._base_executable).resolve(), folder / "bin" / "python3")  # type: ignore[attr-defined]
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python ships no pip (python3-venv on Debian)")
    with zipfile.ZipFile(bundled[-1]) as archive:
        archive.extractall(lib / "site-packages")
    shown = subprocess.run(
        [folder / "bin" / "python3", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=False
    )
    if shown.stdout.strip() != str(folder):
        pytest.skip("this Python does not start from another folder")
    return folder


class Machine:
    """A home, a PATH with one Python and a few tools, and the wheel."""

    def __init__(self, place: Path, base: Path, wheels: Path, *, managed: bool, pip: bool = True) -> None:
        self.home, self.python, self.tools = place / "home", place / "python", place / "tools"
        self.wheels, self.wheel = wheels, next(wheels.glob("*.whl"))
        self.home.mkdir()
        self.tools.mkdir()
        shutil.copytree(base, self.python, symlinks=True, copy_function=os.link)
        lib = next((self.python / "lib").iterdir())
        if managed:
            (lib / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=Managed by the system.\n")
        if not pip:
            shutil.rmtree(lib / "site-packages")
        for name in TOOLS:
            (self.tools / name).symlink_to(str(shutil.which(name)))

    def install(self, *arguments: str, path: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script; no package index is reachable from it."""
        environment = {
            "HOME": str(self.home),
            "PATH": path or f"{self.tools}:{self.python / 'bin'}",
            "PIP_NO_INDEX": "1",
            "LAO_PACKAGE": str(self.wheel),
            **variables,
        }
        command = ["sh", str(SCRIPT), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)

    def says(self, name: str = "lao") -> str:
        """What the installed command prints."""
        done = subprocess.run(
            [self.home / ".local/bin" / name], env={"HOME": str(self.home)}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


def test_pip_for_the_user_where_nothing_manages_python(tmp_path: Path, base: Path, wheels: Path) -> None:
    """A2: without pipx it is pip install --user; it may be run again, and says what PATH lacks."""
    machine = Machine(tmp_path, base, wheels, managed=False)
    done = machine.install()
    assert done.returncode == 0, done.stderr
    assert "installed: lao 4.0.0, with pip install --user (Python 3." in done.stdout
    assert f"from:      {machine.wheel}" in done.stdout
    assert f'  export PATH="{machine.home}/.local/bin:$PATH"' in done.stdout
    assert "git is not on PATH" in done.stdout
    assert machine.says() == machine.says("local-ai-agent-orchestrator") == "lao 4.0.0"
    assert not (machine.home / ".local/share/lao").exists()
    mended = make_wheel(tmp_path / "mended", "4.0.0", "lao 4.0.0, mended")
    path = f"{machine.home}/.local/bin:{machine.tools}:{machine.python}/bin"
    again = machine.install(LAO_PACKAGE=str(mended), path=path)
    assert again.returncode == 0, again.stderr
    assert machine.says() == "lao 4.0.0, mended", "the same version from another file takes its place"
    assert "PATH" not in again.stdout.replace("git is not on PATH", "")


def test_a_folder_of_its_own_where_the_system_manages_python(tmp_path: Path, base: Path, wheels: Path) -> None:
    """A2: PEP 668 gets a virtual environment with links; again it is kept, broken it is made anew."""
    machine = Machine(tmp_path, base, wheels, managed=True)
    for _ in range(2):
        done = machine.install()
        assert done.returncode == 0, done.stderr
        assert f"with a virtual environment in {machine.home}/.local/share/lao" in done.stdout
        assert machine.says() == machine.says("local-ai-agent-orchestrator") == "lao 4.0.0"
    assert (machine.home / ".local/bin/lao").readlink() == machine.home / ".local/share/lao/bin/lao"
    made = machine.home / ".local/share/lao/bin/python"
    made.unlink()
    made.symlink_to(tmp_path / "gone")
    assert machine.install().returncode == 0
    assert machine.says() == "lao 4.0.0"


def test_a_python_without_pip_gets_a_folder_of_its_own(tmp_path: Path, base: Path, wheels: Path) -> None:
    """A2: no pip is no end, as long as virtual environments can be made; LAO_VERSION is found by the package's name."""
    machine = Machine(tmp_path, base, wheels, managed=False, pip=False)
    variables = {"LAO_PACKAGE": "", "LAO_VERSION": "v4.0.0", "PIP_FIND_LINKS": str(wheels)}
    done = machine.install(**variables)
    assert done.returncode == 0, done.stderr
    assert "from:      local-ai-agent-orchestrator==4.0.0" in done.stdout
    assert machine.says() == "lao 4.0.0"
    missing = machine.install(**{**variables, "LAO_VERSION": "9.9"})
    assert missing.returncode == 1
    assert "install.sh: pip could not install local-ai-agent-orchestrator==9.9" in missing.stderr
    assert machine.says() == "lao 4.0.0", "what was there stays"


def test_pipx_where_it_is_there(tmp_path: Path, base: Path, wheels: Path) -> None:
    """A2: pipx is preferred, is told the Python and the package, and where its commands are is asked of it."""
    machine = Machine(tmp_path, base, wheels, managed=True)
    place = machine.home / "pipx-bin"
    (machine.tools / "pipx").write_text(
        "#!/bin/sh\n"
        f'[ "$1" = environment ] && {{ echo {place}; exit 0; }}\n'
        f'echo "$@" >>{tmp_path}/asked\n'
        f"mkdir -p {place}\n"
        f"printf '#!/bin/sh\\necho lao 4.0.0\\n' >{place}/lao\n"
        f'"$4" -c "import os; os.chmod(\'{place}/lao\', 0o755)"\n'
    )
    (machine.tools / "pipx").chmod(0o755)
    done = machine.install()
    assert done.returncode == 0, done.stderr
    python = machine.python / "bin" / "python3"
    assert (tmp_path / "asked").read_text() == f"install --force --python {python} {machine.wheel}\n"
    assert "installed: lao 4.0.0, with pipx" in done.stdout
    assert f"command:   {place}/lao" in done.stdout
    assert not (machine.home / ".local").exists()


@pytest.mark.parametrize("version", ["3.9", "none"])
def test_no_python_is_one_message(tmp_path: Path, base: Path, wheels: Path, version: str) -> None:
    """A2: no Python, or only one that is too old: one line that says what is needed, and nothing is written."""
    machine = Machine(tmp_path, base, wheels, managed=False)
    if version != "none":  # a Python that says no to the question of install.sh, as an older one does
        (machine.tools / "python3").write_text("#!/bin/sh\nexit 1\n")
        (machine.tools / "python3").chmod(0o755)
    done = machine.install(path=str(machine.tools))
    assert done.returncode == 1
    assert done.stderr.startswith("install.sh: LAO needs Python 3.10 or newer, and none is on PATH")
    assert done.stderr.count("\n") == 1
    assert list(machine.home.iterdir()) == []


def test_what_stands_against_it_is_said_before_anything_is_written(tmp_path: Path, base: Path, wheels: Path) -> None:
    """A2: a package that is not there, a version that cannot be chosen, foreign files in the way: 42, untouched."""
    machine = Machine(tmp_path, base, wheels, managed=True)
    for variables, words in (
        ({"LAO_PACKAGE": "./nowhere.whl"}, "there is no file or folder ./nowhere.whl"),
        ({"LAO_PACKAGE": str(tmp_path)}, "a folder without pyproject.toml"),
        ({"LAO_VERSION": "4.0.0"}, "unset one of the two"),
        ({"HOME": ""}, "HOME is not set"),
    ):
        refused = machine.install(**variables)
        assert (refused.returncode, words in refused.stderr) == (42, True), refused.stderr
        assert refused.stderr.count("\n") == 1
    assert machine.install("--upgrade").returncode == 2
    assert list(machine.home.iterdir()) == []
    foreign = machine.home / ".local/bin/lao"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    refused = machine.install()
    assert (refused.returncode, f"{foreign} is there already" in refused.stderr) == (42, True)
    assert foreign.read_text() == "mine"
    foreign.unlink()
    (machine.home / ".local/share/lao").mkdir(parents=True)
    (machine.home / ".local/share/lao/novel.txt").write_text("mine")
    refused = machine.install()
    assert (refused.returncode, "something else than a virtual environment" in refused.stderr) == (42, True)
    assert (machine.home / ".local/share/lao/novel.txt").read_text() == "mine"


def test_the_wheel_has_the_names_of_the_package() -> None:
    """A1 A2: the stand-in's name and commands are those of pyproject.toml, and the script's name is, too."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'name = "local-ai-agent-orchestrator"' in text
    assert 'lao = "lao.cli.main:main"\nlocal-ai-agent-orchestrator = "lao.cli.main:main"' in text
    assert "name=local-ai-agent-orchestrator" in SCRIPT.read_text(encoding="utf-8")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed (the extra 'dev' brings it)")
def test_shellcheck_finds_nothing() -> None:
    """A2: plain POSIX sh."""
    done = subprocess.run([str(SHELLCHECK), "--shell=sh", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_script_is_read_by_a_plain_shell() -> None:
    """A2: dash, where it is there, reads it; nothing of bash is needed."""
    shell = shutil.which("dash") or "sh"
    assert subprocess.run([shell, "-n", SCRIPT], check=False).returncode == 0
