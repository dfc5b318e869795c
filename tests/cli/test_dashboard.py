"""M2: ``lao dashboard``: once as text or JSON; the server answers this machine's own pages only, and ends cleanly."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lao.cli.dashboard.board import board
from lao.cli.dashboard.feed import Feed
from lao.cli.dashboard.server import CLIENTS, secret_of
from lao.core.errors import BadInput
from lao.state import pauses
from tests.cli.dashboards import ROOT, Served, environment, lao, served
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401 - fixtures
from workflows.progress import Watch

PLAN = "# Parts\n\n" + "\n".join(
    f"- task: part {n} | file: part_{n}.txt | content: text {n} | test: test -f {there}.txt"
    for n, there in ((1, "part_1"), (2, "never"))
)
ONCE = {"orchestration": {"retry_cap_validation": 1}, "attempts": {"repairs": 0, "candidates": 1, "idle": False}}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = lao("dashboard", *arguments)
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard of an empty project."""
    with served(tmp_path_factory.mktemp("empty")) as made:
        yield made


def test_the_snapshot_is_printed_once(tmp_path: Path) -> None:
    """Without --serve: the present moment, as a line or as JSON, and an end with 0; --port alone is a usage error."""
    text = run(tmp_path)
    assert (text.returncode, text.stdout.strip()) == (0, "○ idle, workers: none")
    found = run(tmp_path, "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)["plans"] == []
    table = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8").split("| Field |", 1)[1].split("\n\n", 1)[0]
    names = {
        name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert names == set(json.loads(found.stdout)), "docs/dashboard.md says what there is"
    assert run(tmp_path, "--port", "1").returncode == 2


def test_the_board_has_what_the_state_has(plant: Callable[..., Plant]) -> None:  # noqa: F811
    """Plans with their tasks, reasons, proofs and commits; what has happened; a pause; and all of it is JSON."""
    factory = plant(**ONCE)
    with Watch(factory.factory) as watch:
        factory.submit("parts", PLAN)
        factory.turn_until_coding()
        begun = board(factory.factory, watch.look()[0])
        assert [(plan["name"], plan["over"], plan["total"], plan["completed"]) for plan in begun["plans"]] == [
            ("parts", False, 2, 0)
        ]
        assert not begun["idle"]
        factory.turn()
        snapshot, recent = watch.look()
        found = json.loads(json.dumps(board(factory.factory, snapshot, recent)))
        (plan,) = found["plans"]
        tasks = {task["title"]: task for task in plan["tasks"]}
        assert (plan["state"], plan["over"], plan["completed"], plan["parked"]) == ("needs_human", True, 1, 1)
        assert (tasks["part 1"]["proof"], len(tasks["part 1"]["commit"])) == ("proved", 40)
        assert (tasks["part 2"]["proof"], tasks["part 2"]["state"]) == (None, "needs_human")
        assert "not solved" in tasks["part 2"]["reason"]
        assert {item["kind"] for item in found["recent"]} >= {"phase", "task", "load", "plan"}
        assert found["totals"]["swaps"] == 2
        assert found["idle"] and found["paused"] is None
        pauses.pause(factory.factory.store, None)
        assert board(factory.factory, watch.look()[0])["paused"] is not None


def test_the_feed_tells_each_change_once(plant: Callable[..., Plant]) -> None:  # noqa: F811
    """A waiting page is woken by a change, gets the newest text, and nothing while nothing changes."""
    factory = plant()
    with Feed(factory.factory) as feed:
        first = feed.newer(0, 20.0)
        assert first is not None
        assert feed.newer(first[0], 0.6) is None
        factory.submit("parts", PLAN)
        second = feed.newer(first[0], 20.0)
        assert second is not None and second[0] > first[0]
        assert [plan["name"] for plan in json.loads(second[1])["plans"]] == ["parts"]
    assert feed.newer(0, 20.0) is None
    assert not feed.alive


def test_only_this_machine_under_its_own_name(page: Served) -> None:
    """M2: another name in Host is refused (DNS rebinding); 127.0.0.1, localhost and ::1 are not, whatever the port."""
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example", "192.168.0.7", "[::2]", "[", "a b"):
        assert page.get(host=host)[0] == 421, host
        assert page.get("snapshot.json", host=host)[0] == 421
        assert page.get("events", host=host)[0] == 421
    for host in ("localhost", "localhost:9999", f"127.0.0.1:{page.port}", "[::1]:80", "LOCALHOST"):
        assert page.get(host=host)[0] == 200, host
    addresses = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    for address in {str(item[4][0]) for item in addresses} - {"127.0.0.1"}:
        with socket.socket() as probe:
            probe.settimeout(5)
            assert probe.connect_ex((address, page.port)) != 0, "it listens on loopback only"


def test_nothing_without_the_secret(page: Served) -> None:
    """Paths that do not begin with the secret, or lead out of it, are not there; the secret is its owner's to read."""
    inside = urlsplit(page.url).path
    for path in ("/", "/snapshot.json", "/x/", "*", inside[:-2] + "/", inside.rstrip("/"), f"{inside}../../etc/passwd",
                 f"{inside}page.html", f"{inside}%2e%2e/", f"{inside}/", "/é/"):  # fmt: skip
        assert page.get(path=path.encode("latin-1").decode("latin-1").replace("é", "%C3%A9"))[0] == 404, path
    assert page.get("snapshot.json?x=1")[0] == 200


def test_it_reads_only(page: Served) -> None:
    """Whatever would change something is refused, and a head has no body."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert page.get(method=method)[0] == 501
    for name in ("", "page.css", "page.js", "snapshot.json", "events"):
        assert page.get(name, method="HEAD") == (200, "")


def test_one_page_too_many_is_told_so(page: Served) -> None:
    """So many streams and no more; one that ends makes room again."""
    path = urlsplit(page.url).path + "events"
    streams = [http.client.HTTPConnection("127.0.0.1", page.port, timeout=20) for _ in range(CLIENTS)]
    try:
        for stream in streams:
            stream.request("GET", path)
            assert stream.getresponse().readline() == b"retry: 1000\n"
        status, text = page.get("events")
        assert status == 503 and "close one" in text
        assert page.get("snapshot.json")[0] == 200
    finally:
        for stream in streams:
            stream.close()


def test_the_end_and_the_port(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end it with 0; a port that is taken, or none, is one message with the next free one."""
    with served(tmp_path) as first:
        refused = run(tmp_path, "--serve", "--port", str(first.port))
        assert refused.returncode == 42
        assert f"port {first.port} is taken" in refused.stderr and "--port " in refused.stderr
        assert "Traceback" not in refused.stderr
        with served(tmp_path) as second:
            assert urlsplit(second.url).path == urlsplit(first.url).path
            assert second.end(signal.SIGTERM) == 0
        assert first.end(signal.SIGINT) == 0
    outside = run(tmp_path, "--serve", "--port", "70000")
    assert (outside.returncode, "0 to 65535" in outside.stderr) == (42, True)
    assert not (tmp_path / ".lao" / "live" / "calls").exists(), "nobody looks any more"


def test_the_secret_is_kept_and_its_owners(tmp_path: Path) -> None:
    """Pages and bookmarks survive a restart; a torn file is replaced; a folder that takes none is a message."""
    first = secret_of(tmp_path)
    assert secret_of(tmp_path) == first and len(first) >= 20
    kept = tmp_path / "dashboard.secret"
    assert kept.stat().st_mode & 0o777 == 0o600
    for torn in (b"", b"abc", b"\xff" * 30, b"a/b" * 10):
        kept.write_bytes(torn)
        assert secret_of(tmp_path) not in ("", first)
    with pytest.raises(BadInput, match="secret"):
        secret_of(tmp_path / "missing")
