"""``lao approvals``, ``lao approve`` and ``lao deny``: questions of models, answered from any terminal."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.project import open_project, since
from lao.core.errors import BadInput

if TYPE_CHECKING:
    from workflows.factory import Factory


@click.command(help="List the questions of models that wait for a person, or show them as they come.")
@click.option("--all", "everything", is_flag=True, help="Also the last twenty that are answered.")
@click.option("--watch", is_flag=True, help="Stay, show each question and take its answer; Ctrl-C ends it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def listing(session: Session, everything: bool, watch: bool, as_json: bool) -> None:
    from lao.cli.questions import shown, view
    from lao.state import approvals

    with open_project(session) as factory:
        if watch:
            _watch(factory)
            return
        found = approvals.latest(factory.store) if everything else approvals.waiting(factory.store)
        if as_json:
            emit_json({"approvals": [view(one) for one in found]})
            return
        for one in found:
            told = (
                f"{one.answer}{f': {one.note}' if one.note else ''}" if one.answer else f"since {since(one.asked_at)}"
            )
            emit(f"{shown(one)}\n  {told}")
        if not found:
            emit("no question waits")
        elif any(not one.answer for one in found):
            say("'lao approve ID [--always]' and 'lao deny ID [--reason TEXT]' answer")


@click.command(help="Say yes to question ID.")
@click.argument("number", metavar="ID", type=int)
@click.option("--always", is_flag=True, help="And to every call like it: writes the rule into .lao/permissions.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def approve(session: Session, number: int, always: bool, as_json: bool) -> None:
    _answer(session, number, "always" if always else "yes", "", as_json=as_json)


@click.command(help="Say no to question ID; the model is told and goes on.")
@click.argument("number", metavar="ID", type=int)
@click.option("--reason", default="", metavar="TEXT", help="Told to the model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def deny(session: Session, number: int, reason: str, as_json: bool) -> None:
    _answer(session, number, "no", reason, as_json=as_json)


def _answer(session: Session, number: int, word: str, note: str, *, as_json: bool) -> None:
    with open_project(session) as factory:
        from lao.cli.questions import view
        from workflows.approvals import decide

        done = decide(factory, number, word, note)
        if as_json:
            emit_json(view(done))
            return
        emit(f"question {number}: {done.answer}")
        if done.answer == "always":
            emit(f"allowed from now on: {', '.join(done.remember)}")


def _watch(factory: Factory) -> None:
    from lao.cli.questions import Questions, on_a_terminal

    if not on_a_terminal():
        raise BadInput("--watch needs a terminal", "answer with 'lao approve ID' or 'lao deny ID'")
    say("questions are shown as they come; Ctrl-C ends this, not the workers")
    with suppress(KeyboardInterrupt), Questions(factory, sys.stdin.fileno(), time.monotonic) as questions:
        while True:
            questions.look()
            factory.clock.wait(0.1)
