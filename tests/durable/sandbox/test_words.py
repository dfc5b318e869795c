"""What is made without running anything: environments, lines for the model, profiles, rules and folders."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lao.config.hosts import parse_host
from lao.durable.containment import Containment
from lao.durable.sandbox import folders, launcher, seatbelt
from lao.durable.sandbox.enclosure import landlock_plan
from lao.durable.sandbox.environment import allowed
from lao.durable.sandbox.folders import View, view_of
from lao.durable.sandbox.policy import Limits, Sandbox
from lao.durable.sandbox.refusals import explained

CLOSED = Sandbox(Containment.BUBBLEWRAP, limits=Limits(100, 10, 5, 50, 20))


def test_only_known_and_named_variables_are_given() -> None:
    """G4: an allow-list; a proxy only with a network and without a password."""
    given = {
        "PATH": "/bin", "LC_ALL": "C", "API_KEY": "s", "DATABASE_URL": "s", "SSH_AUTH_SOCK": "s", "OTHER": "o",
        "HTTPS_PROXY": "http://u:p@h", "http_proxy": "http://h:1",
    }  # fmt: skip
    assert allowed(given, (), network=False) == {"PATH": "/bin", "LC_ALL": "C"}
    assert allowed(given, ("OTHER", "API_KEY"), network=True) == {
        "PATH": "/bin", "LC_ALL": "C", "OTHER": "o", "API_KEY": "s", "http_proxy": "http://h:1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("output", "code", "told"),
    [
        ("curl: (6) Could not resolve host: pypi.org", 6, "sandbox.network"),
        ("npm error code EAI_AGAIN", 1, "sandbox.network"),
        ("OSError: [Errno 101] Network is unreachable", 1, "sandbox.network"),
        ("touch: cannot touch '/usr/x': Read-only file system", 1, "sandbox.writable"),
        ("MemoryError", 1, "sandbox.memory_mb"),
        ("write: File too large", 1, "sandbox.file_mb"),
        ("", 128 + 25, "sandbox.file_mb"),
        ("", -9, "sandbox.cpu_s"),
        ("write error: No space left on device", 1, "sandbox.tmp_mb"),
    ],
)
def test_a_refusal_is_explained_in_one_line(output: str, code: int, told: str) -> None:
    """The model learns what is closed and which key opens it."""
    line = explained(CLOSED, output, code)
    assert told in line
    assert "\n" not in line


def test_a_refused_host_is_explained_to_the_model() -> None:
    """Why, and that a person could change it; with a list the way there is said."""
    hosts = (parse_host("pypi.org"), parse_host("*.files.org"))
    listed = replace(CLOSED, hosts=hosts)
    said = explained(CLOSED, "curl: (6) Could not resolve host: x", 6)
    assert said == (
        "[sandbox: commands have no network; use what is there. "
        "A person can change sandbox.network in factory.yaml, you cannot]"
    )
    assert "only pypi.org, *.files.org, by $HTTPS_PROXY" in explained(listed, "Could not resolve host: x", 6)
    assert "refused x:443: not in the list" in explained(listed, "", 1, ("x:443: not in the list",))
    assert explained(listed, "AssertionError", 1) == ""


@pytest.mark.parametrize(
    ("given", "abi", "told", "weaker"),
    [
        ({}, 7, "bubblewrap, no network", False),
        ({"network": True}, 7, "bubblewrap, the machine's network", False),
        ({"hosts": True}, 7, "bubblewrap, network: only a.org", False),
        ({"how": Containment.UNSHARE, "hosts": True}, 7, "unshare, network: only a.org", False),
        ({"how": Containment.UNSHARE}, 0, "unshare, files are OPEN (no Landlock), no network", False),
        ({"how": Containment.LANDLOCK}, 7, "landlock, no TCP (UDP is open)", False),
        ({"how": Containment.LANDLOCK}, 3, "landlock, the network is OPEN", True),
        ({"how": Containment.LANDLOCK, "hosts": True}, 7, "no TCP (UDP is open); sandbox.network: a list of", True),
        ({"how": Containment.LANDLOCK, "hosts": True}, 3, "the network is OPEN", True),
        ({"how": Containment.SEATBELT, "hosts": True}, 0, "loopback only; sandbox.network: a list of", True),
        ({"how": Containment.NONE, "hosts": True}, 7, "NO SANDBOX", True),
    ],
)
def test_what_is_said_to_surround_commands(given: dict[str, Any], abi: int, told: str, weaker: bool) -> None:
    """Never more than holds with this backend and this kernel, and a list that is not kept is said to be none."""
    hosts = (parse_host("a.org"),) if given.pop("hosts", False) else ()
    sandbox = Sandbox(**{"how": Containment.BUBBLEWRAP, **given}, hosts=hosts, kernel=lambda: abi)
    assert told in sandbox.told
    assert sandbox.weaker_than_asked is weaker
    assert sandbox.by_list is (bool(hosts) and "only" in told and "loopback" not in told)


def test_what_a_model_is_told_costs_little() -> None:
    """Some 40 tokens at most, with the longest list; nothing where nothing is held."""
    hosts = tuple(parse_host(f"h{n}.example.org") for n in range(40))
    limits = Limits(memory_mb=8192)
    assert Sandbox(Containment.BUBBLEWRAP, limits=limits).for_the_model == (
        "No network. Writable: the workspace and $TMPDIR. A process gets 8192 MB."
    )
    assert len(Sandbox(Containment.BUBBLEWRAP, limits=limits, hosts=hosts).for_the_model) < 200
    assert Sandbox().for_the_model == ""


@pytest.mark.parametrize("output", ["", "AssertionError: 1 != 2", "Permission denied", "FAILED tests/test_x.py"])
def test_other_failures_are_not_explained(output: str) -> None:
    """A model must not be led to think that the sandbox is to blame."""
    assert explained(CLOSED, output, 1) == ""
    assert explained(Sandbox(), f"{output} Read-only file system", 1) == ""


def test_the_profile_of_macos() -> None:
    """Everything is denied, then opened by path; what is frozen is denied last, since later rules win."""
    view = View((), (Path("/opt/tool"),), Path("/Users/x"), (Path('/w/a "b"'),), (Path("/w/.git"),))
    text = seatbelt.profile(view, Path("/private/tmp/p"), network=False)
    lines = text.splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    read = next(line for line in lines if line.startswith("(allow file-read* (subpath"))
    write = next(line for line in lines if line.startswith("(allow file-read* file-write*"))
    assert '(subpath "/opt/tool")' in read
    assert '(subpath "/w/a \\"b\\"")' in write
    assert lines.index('(deny file-write* (subpath "/w/.git"))') > lines.index(write)
    assert "/Users/x" not in text
    assert "(allow network*)" not in text
    assert text.count("(") == text.count(")")
    assert "(allow network*)" in seatbelt.profile(view, Path("/p"), network=True)


@pytest.mark.parametrize(
    ("abi", "handled", "net", "scoped"),
    [(1, (1 << 13) - 1, 0, 0), (2, (1 << 14) - 1, 0, 0), (3, (1 << 15) - 1, 0, 0), (4, (1 << 15) - 1, 3, 0),
     (5, (1 << 16) - 1, 3, 0), (6, (1 << 16) - 1, 3, 3), (7, (1 << 16) - 1, 3, 3)],
)  # fmt: skip
def test_landlock_is_asked_for_what_it_knows(abi: int, handled: int, net: int, scoped: int) -> None:
    """A right that the kernel does not know would make it refuse the whole."""
    plan = {"read": ["/usr"], "write": ["/w"], "devices": ["/dev/null"], "network": False}
    asked = launcher.calls(plan, abi)
    assert (asked["handled"], asked["net"], asked["scoped"]) == (handled, net, scoped)
    rights = dict(asked["rules"])
    assert all(right & ~handled == 0 for right in rights.values())
    assert rights["/usr"] & rights["/w"] == rights["/usr"]
    assert rights["/usr"] & launcher._WRITE_FILE == 0
    assert rights["/w"] & (launcher._MAKE_BLOCK | launcher._MAKE_CHAR) == 0
    assert launcher.calls({**plan, "network": True}, abi)["net"] == 0


def test_landlock_gives_nothing_that_holds_a_secret(tmp_path: Path) -> None:
    """It cannot take away below what it gives: no rule names /etc or the home folder as a whole."""
    sandbox = Sandbox(Containment.LANDLOCK)
    plan = landlock_plan(sandbox, view_of(tmp_path, (), ()), tmp_path)
    given = {Path(p) for p in (*plan["read"], *plan["write"])}
    for secret in (*folders.SECRETS, os.environ["HOME"], "/root", "/home", "/proc/1/environ"):
        assert not any(Path(secret).is_relative_to(p) for p in given if p not in (Path("/proc"), tmp_path)), secret


def test_the_folders_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation of each folder of programs, and not the project or the home folder that one lies in."""
    home, tool, project = tmp_path / "home", tmp_path / "tool", tmp_path / "project"
    for folder in (home / "bin", tool / "bin", tool / "lib", project / "bin", project / "lib", project / ".lao"):
        folder.mkdir(parents=True)
    work = tmp_path / "work"
    (work / ".claude").mkdir(parents=True)
    (work / ".lao").symlink_to(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:{tool}/bin:{project}/bin:bin:/usr/bin")
    view = view_of(work, (), ())
    assert {home / "bin", tool, project / "bin"} <= set(view.tools)
    assert not {home, project, tool / "bin"} & set(view.tools)
    assert view.home == home
    assert view.frozen == (work / ".claude",)
    assert view.writable == (work,)
    monkeypatch.setenv("HOME", "/")
    assert view_of(work, (), ()).home is None
