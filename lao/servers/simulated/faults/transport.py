"""Faults of server, load and transport, F33 and F49 to F62. What strikes a load or an unload is done by the server."""

from __future__ import annotations

from lao.servers.simulated.faults.forms import Act, Case, Doing, FaultClass, message, refusing
from lao.servers.simulated.scenario import Answer, Fault
from lao.servers.simulated.wire import Form

SLOW_S = 0.2
"""A long load or prompt, and an abandoned generation, in the time of the simulated server."""

_CRASHED = (
    "The model has crashed without additional information. (Exit code: 18446744072635812000)",
    "Model is unloaded.",
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error",
    "proxy error: Could not establish connection",
)
_BLANKS = 5_000


def _crash(text: str) -> Doing:
    return lambda _case: Act(fault=Fault("http", 500, message(text)), crash=True)


def _crash_midway(_case: Case) -> Act:
    body = {"error": {"message": _CRASHED[0]}}
    return Act(fault=Fault("error_event", body=body, after=3), crash=True)


def _error_event(body: object, after: int, *, hold: bool = False) -> Doing:
    return lambda _case: Act(fault=Fault("error_event", body=body, after=after), hold=hold)


def _in_stream(form: Form) -> Doing:
    return lambda case: Act(form=form) if case.request.stream else None


def _goes_on(case: Case) -> Act | None:
    """Blanks without end; the server goes on for a while when the client has had enough."""
    if not case.request.stream:
        return None
    return Act(Answer(" \n" * _BLANKS), Fault("hang", after=20), busy_s=SLOW_S)


def _crowded(case: Case) -> Act | None:
    text = "failed to find a memory slot for batch of size 512: the KV cache is full"
    return refusing(500, message(text))(case) if case.crowded else None


CLASSES = (
    FaultClass("F33", "a smaller context than asked", place="load"),
    FaultClass("F49", "the first answer waits for a load", (lambda _case: Act(delay_s=SLOW_S),)),
    FaultClass("F50", "status 503 while loading", (refusing(503, message("Loading model", 503, "unavailable_error")),)),
    FaultClass("F51", "a second instance of the model", place="load"),
    FaultClass(
        "F52", "another model answers", (lambda _case: Act(fault=Fault("wrong_model", name="another-model-3b")),)
    ),
    FaultClass(
        "F53",
        "status 200 for an unknown endpoint",
        (refusing(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),),
    ),
    FaultClass("F54", "the model crashes", (*map(_crash, _CRASHED), _crash_midway)),
    FaultClass(
        "F55",
        "an error inside a stream of status 200, or no proper end",
        (
            _error_event({"error": {"message": "an error was encountered while running the model"}}, 3),
            _error_event({"error": "unexpected EOF"}, 1),
            _error_event({"error": {"message": "an error was encountered while running the model"}}, 2, hold=True),
            lambda _case: Act(fault=Fault("cut", after=3)),
            _in_stream(Form(finish=False, done=False)),
            _in_stream(Form(finish=False)),
            _in_stream(Form(done=False)),
        ),
    ),
    FaultClass("F56", "a load is refused although the model fits", place="load"),
    FaultClass("F57", "an abandoned generation keeps the slot", (_goes_on,)),
    FaultClass("F58", "parallel requests harm each other", (_crowded,)),
    FaultClass("F59", "another client's load displaces the model", place="evict"),
    FaultClass(
        "F60",
        "the queue is full",
        (
            refusing(503, {"error": "server busy, please try again.  maximum pending requests exceeded"}),
            refusing(500, message("model limit reached, try again later")),
        ),
    ),
    FaultClass(
        "F61", "usage missing or zero", (_in_stream(Form(usage="missing")), lambda _case: Act(form=Form(usage="zero")))
    ),
    FaultClass("F62", "memory is not back after an unload", place="unload"),
)
