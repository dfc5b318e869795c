"""Promise: a model reads with the shell tool what is closed for commands, and each command's record says it too."""

from __future__ import annotations

from lao.durable.containment import Containment, works
from lao.durable.sandbox.policy import Sandbox
from tests.tools.conftest import Bench


def description(bench: Bench, sandbox: Sandbox) -> str:
    specs = bench.box(containment=sandbox).openai_specs()
    return next(s["function"]["description"] for s in specs if s["function"]["name"] == "shell_exec")


def test_the_shell_tool_says_what_is_closed(bench: Bench) -> None:
    """One line more where something is closed, the same bytes as before where nothing is."""
    plain = description(bench, Sandbox())
    closed = description(bench, Sandbox(Containment.BUBBLEWRAP))
    assert closed == f"{plain}\nNo network. Writable: the workspace and $TMPDIR."
    assert "hosts" not in plain


def test_the_audit_has_what_surrounded_the_command(bench: Bench) -> None:
    """Of a command only; a file tool ran none."""
    how = Containment.BUBBLEWRAP if works(Containment.BUBBLEWRAP) else Containment.NONE
    result = bench.call("shell_exec", {"command": "true"}, containment=Sandbox(how))
    assert "isolation" not in result.to_json(), "the model is not told twice"
    bench.call("list_dir", {})
    assert [audit.isolation for audit in bench.audits] == [Sandbox(how).told, ""]
