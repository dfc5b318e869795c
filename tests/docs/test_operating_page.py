"""docs/operating.md and the service files: what is to be typed works, what systemd and launchd are told is right."""

from __future__ import annotations

import configparser
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lao.cli.run_cmd import INTERRUPTED
from lao.core.errors import BadInput
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer
from tests.docs.reader import Reader
from workflows.supervisor import GRACE_S

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
UNIT = ROOT / "scripts" / "service" / "lao@.service"
PLIST = ROOT / "scripts" / "service" / "local.lao.plist"
CRON = re.compile(r"^((?:[\d*,/-]+ ){5})(cd .*)$", re.MULTILINE)


def options_of_run() -> set[str]:
    """Every option that ``lao run --help`` names."""
    help_text = subprocess.run(
        [sys.executable, "-m", "lao", "run", "--help"], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"--[a-z-]+", help_text.stdout))


def test_the_systemd_unit_starts_lao_run() -> None:
    """O3: a command that there is, an end that is no failure, ends that no new start mends, and time to end in."""
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    service = unit["Service"]
    program, name, *options = shlex.split(service["ExecStart"])
    assert (program, name) == ("%h/.local/bin/lao", "run")
    assert set(options) <= options_of_run()
    assert service["SuccessExitStatus"] == str(INTERRUPTED)
    assert service["RestartPreventExitStatus"].split() == ["2", str(BadInput("x").exit_code)]
    assert int(service["TimeoutStopSec"]) > GRACE_S
    assert unit["Install"]["WantedBy"] == "default.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    """O3: systemd knows every key and finds the program where install.sh puts it."""
    program = tmp_path / ".local" / "bin" / "lao"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = shutil.copy(UNIT, tmp_path)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    check = ["systemd-analyze", "--user", "verify", "--man=no", copy]
    done = subprocess.run(check, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_launchd_file_starts_lao_run(tmp_path: Path) -> None:
    """O3: a property list whose paths become the user's own by the line of the page."""
    found = re.search(r"^sed -e (.*) scripts/service/local.lao.plist >", PAGE, re.MULTILINE)
    assert found
    line = f"sed -e {found[1]} {shlex.quote(str(PLIST))}"
    done = subprocess.run(
        ["sh", "-c", line], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    service = plistlib.loads(done.stdout)
    program, name, *options = service["ProgramArguments"]
    assert (program, name) == (f"{tmp_path}/.local/bin/lao", "run")
    assert set(options) <= options_of_run()
    assert service["WorkingDirectory"] == f"{tmp_path}/my-project"
    assert service["EnvironmentVariables"]["PATH"].startswith(f"{tmp_path}/.local/bin:")
    assert service["StandardErrorPath"] == f"{tmp_path}/my-project/.lao/service.log"
    assert service["KeepAlive"] == {"SuccessfulExit": False}
    assert service["ExitTimeOut"] > GRACE_S
    assert f"gui/$(id -u)/{service['Label']}" in PAGE


@pytest.mark.durability
def test_the_lines_for_cron_and_for_several_projects_work(tmp_path: Path) -> None:
    """O3: each crontab line is well formed and ends with 0 in a project; the loop goes through all projects."""
    lines = CRON.findall(PAGE)
    assert [line.split('lao" ')[1].split()[0] for _, line in lines] == ["run", "retry-failed", "run"]
    loop = re.search(r"```bash\n(for project in .*?)```", PAGE, re.DOTALL)
    assert loop
    with SimulatedServer(Scenario()) as server:
        reader = Reader(tmp_path, server.url)
        for name in ("my-project", "shop"):
            made = reader.types(f"mkdir ~/{name}\n(cd ~/{name} && lao init)")
            assert made.returncode == 0, made.stdout
        for line in dict.fromkeys(line for _, line in lines):
            done = reader.types(f"({line})")
            assert done.returncode == 0, (reader.home / "my-project/.lao/night.log").read_text()
        assert "nothing" in (reader.home / "my-project/.lao/night.log").read_text()
        shown = reader.types(loop[1])
    assert "plans: none" in shown.stdout
    assert "blog ended with" in shown.stdout, "a project that is not there does not keep the others"
