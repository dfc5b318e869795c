"""JSON out of answers, and the corrective round."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.chat import ChatAnswer, ChatRequest
from lao.core.errors import AttemptFailed
from lao.llm.structured import NotJsonError, complete_json, parse_json

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
REQUEST = ChatRequest("m", ({"role": "user", "content": "?"},), 100)


class Scripted:
    """A model that gives its answers in order and keeps the requests."""

    def __init__(self, *answers: ChatAnswer | str | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ChatAnswer(answer, finish_reason="stop") if isinstance(answer, str) else answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"n": 1}', {"n": 1}),
        ('```json\n{"n": 1}\n```', {"n": 1}),
        ('Here is the JSON:\n```json\n{"n": 1}\n```\nEnjoy!', {"n": 1}),
        ('Sure! {"n": {"a": [1]}} is it [see above].', {"n": {"a": [1]}}),
        ('<think>{"n": 9}</think>[{"n": 1}]', [{"n": 1}]),
        ('"{\\"n\\": 1}"', {"n": 1}),
        ("{'n': 1, }", {"n": 1}),
        ('{"n": "a "quoted" word"}', {"n": 'a "quoted" word'}),
        ('text {"a": 1} and {"n": [1, 2, 3]} [1, 2]', {"n": [1, 2, 3]}),
    ],
)
def test_json_is_found(text: str, value: Any) -> None:
    """Raw, fenced, embedded, double-encoded and slightly broken JSON is read; the longest value wins."""
    assert parse_json(text) == value


@pytest.mark.parametrize("text", ["", "no json at all", "<think>{}", "see [1] there"])
def test_no_json(text: str) -> None:
    """Without an object or array there is an error, never a guess."""
    with pytest.raises(NotJsonError):
        parse_json(text)


def test_truncated_json_is_never_repaired() -> None:
    """An answer cut at the token limit is not completed by guesswork, nor is an inner part taken for the whole."""
    with pytest.raises(NotJsonError, match="cut off"):
        parse_json('{"tasks": [{"title": "a"}, {"title": "b', truncated=True)


def test_schema_goes_out_only_when_supported() -> None:
    """``supports_schema`` decides whether the schema is sent; the answer is checked either way."""
    for supported in (True, False):
        model = Scripted('{"n": 1}')
        value, answer = complete_json(model, REQUEST, SCHEMA, supports_schema=supported)
        assert value == {"n": 1}
        assert answer.text == '{"n": 1}'
        assert (model.requests[0].schema is not None) is supported


def test_one_correction_names_the_problem() -> None:
    """A bad answer is corrected once, with the exact violation; the earlier messages stay as they were."""
    model = Scripted('{"n": "x"}', '{"n": 2}')
    assert complete_json(model, REQUEST, SCHEMA, supports_schema=True)[0] == {"n": 2}
    first, second = model.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[1] == {"role": "assistant", "content": '{"n": "x"}'}
    assert "at n: 'x' is not of type 'integer'" in second.messages[2]["content"]


def test_gives_up_after_one_correction() -> None:
    """Two bad answers are a failed attempt of kind bad_json."""
    with pytest.raises(AttemptFailed, match="'n' is a required property") as caught:
        complete_json(Scripted("nothing", "{}"), REQUEST, SCHEMA, supports_schema=False)
    assert caught.value.kind == "bad_json"


def test_ignored_schema_is_named_and_put_into_words() -> None:
    """Prose although a schema was sent is a class of its own; the correction then shows the schema."""
    seen: list[str] = []
    model = Scripted("Sure, here it is.", '{"n": 2}')
    value, _ = complete_json(
        model, REQUEST, SCHEMA, supports_schema=True, report=lambda failure, text: seen.append(failure.value)
    )
    assert value == {"n": 2}
    assert seen == ["schema_ignored"]
    assert '"required": ["n"]' in model.requests[1].messages[-1]["content"]


def test_answer_in_the_reasoning_field() -> None:
    """A blank answer with the JSON in the reasoning is understood."""
    model = Scripted(ChatAnswer(" ", reasoning='{"n": 3}', finish_reason="stop"))
    assert complete_json(model, REQUEST, SCHEMA, supports_schema=True)[0] == {"n": 3}


def test_refused_schema_is_asked_without() -> None:
    """A server that cannot build the grammar is asked again without the schema."""
    model = Scripted(AttemptFailed("refused", kind="grammar_refused"), '{"n": 4}')
    assert complete_json(model, REQUEST, SCHEMA, supports_schema=True)[0] == {"n": 4}
    assert model.requests[1].schema is None


def test_own_check_replaces_the_schema() -> None:
    """A tolerant caller decides itself what is good."""
    value, _ = complete_json(Scripted("[1]"), REQUEST, SCHEMA, supports_schema=True, check=lambda v: "")
    assert value == [1]
