"""Cleaning, token estimates and conversations."""

from __future__ import annotations

import pytest

from lao.core.chat import ToolCall
from lao.llm.clean import clean
from lao.llm.conversation import Conversation
from lao.llm.faults import same_model
from lao.llm.sse import ServerEvent, read_events
from lao.llm.tokens import clip, estimate, fits


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<think>a</think>yes", "yes"),
        ("<think>a</think>\n<think>b</think>\nyes", "yes"),
        ("I'll ask the user.</think>The answer", "The answer"),
        ("a</think>b</think>c", "c"),
        ("<think>never ends", ""),
        ("<thinking>x</thinking> ok", "ok"),
        ("a</think><think>b</think>c", "c"),
        ("Sure.\n<think>hm\n```py\nx\n```</think>\nyes", "Sure.\n\nyes"),
        ("```py\nprint('<think>x</think>')\n```", "```py\nprint('<think>x</think>')\n```"),
        ("Use the <think> tag.", "Use the <think> tag."),
        ("done<|im_end|>\n<|im_start|>", "done"),
        ("done<|im_end|>\n<|im_start|>assistant", "done"),
        ("done</s><end_of_turn>\n", "done"),
        ("keep <|im_end|> inside", "keep <|im_end|> inside"),
        ("<|im_start|>assistant\ndone<|im_end|>", "done"),
        ("[THINK]hm[/THINK]yes", "yes"),
        ("◁think▷hm◁/think▷yes", "yes"),
        ("<seed:think>hm</seed:think>yes", "yes"),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>", "yes"),
        ("```py\nx = '</think>'\n```", "```py\nx = '</think>'\n```"),
        ("<think>a <think> b</think> c</think>yes", "yes"),
        ("a__LM_STUDIO_INTERNAL_LSEP_SYNTHETIC_REASONING_END_1f__{x}b", "ab"),
    ],
)
def test_clean(text: str, kept: str) -> None:
    """Thinking and special tokens go, whatever is missing of them; code that mentions the tags stays."""
    assert clean(text) == kept


def test_estimate_is_on_the_high_side() -> None:
    """Code of about 3.5 characters a token is not underestimated; wide characters count one each."""
    code = "def is_isogram(phrase):\n    letters = [c.lower() for c in phrase if c.isalpha()]\n"  # 22 tokens measured
    assert 22 <= estimate(code) <= 30
    assert estimate("日本語") == 3
    assert estimate("") == 0


def test_fits_reserves_the_answer() -> None:
    """Messages fit only when the answer's tokens are left over."""
    messages = [{"role": "user", "content": "x" * 330}]
    assert fits(messages, 206, 100)
    assert not fits(messages, 206, 101)


def test_clip_keeps_both_ends() -> None:
    """A long text keeps beginning and end, says what is missing, and obeys the limit."""
    clipped = clip("A" * 5000 + "Z" * 5000, 200)
    assert clipped.startswith("A")
    assert clipped.endswith("Z")
    assert "characters left out" in clipped
    assert estimate(clipped) <= 200
    assert clip("short", 200) == "short"
    assert estimate(clip("字" * 900, 100)) <= 100


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b:2", True),
        ("qwen2.5-coder-1.5b", "/models/Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf", True),
        ("openai/gpt-oss-20b", "gpt-oss-20b", True),
        ("m", "", True),
        ("qwen2.5-coder-1.5b", "gemma-3-270m", False),
        ("qwen2.5-coder-7b", "qwen2.5-coder-1.5b", False),
    ],
)
def test_same_model(asked: str, answered: str, same: bool) -> None:
    """Instance ids, paths, publishers and quantisations are the same model; other sizes and families are not."""
    assert same_model(asked, answered) is same


def test_events_split_anywhere() -> None:
    """Events survive any chunking, CRLF, comments and a missing last blank line."""
    raw = b': ping\r\n\r\nevent: error\r\ndata: {"a":"\xe2\x80\xa8"}\r\n\r\ndata: last'
    events = list(read_events(raw[n : n + 1] for n in range(len(raw))))
    assert events == [ServerEvent(), ServerEvent("error", '{"a":"\u2028"}'), ServerEvent("", "last")]


def test_conversation_is_legal() -> None:
    """Neighbouring user messages merge, contents are strings, ids and arguments are ours."""
    talk = Conversation("system")
    talk.user("a")
    talk.user("b")
    ids = talk.calls("", [ToolCall("?bad", "t", None, "{broken"), ToolCall("", "u", {"k": "ü"})])
    talk.result(ids[0], "")
    talk.result(ids[1], "out")
    assert [m["role"] for m in talk.messages] == ["system", "user", "assistant", "tool", "tool"]
    assert talk.messages[1]["content"] == "a\n\nb"
    calls = talk.messages[2]["tool_calls"]
    assert [c["id"] for c in calls] == ids == ["call00001", "call00002"]
    assert [c["function"]["arguments"] for c in calls] == ["{}", '{"k": "ü"}']
    assert all(isinstance(m["content"], str) for m in talk.messages)


def test_conversation_makes_room_oldest_first() -> None:
    """When full, old tool outputs go first and the newest stay; the first message is never touched."""
    talk = Conversation("system")
    talk.user("the task")
    for n in range(6):
        (call_id,) = talk.calls("", [ToolCall("", "file_read", {"path": f"f{n}"})])
        talk.result(call_id, f"{n}" * 3000)
    before = talk.messages
    assert talk.fit(talk.size())
    assert talk.messages == before, "a conversation that fits is not changed"
    assert talk.fit(3500)
    assert talk.size() <= 3500
    assert talk.messages[:2] == before[:2]
    assert talk.messages[-1] == before[-1]
    assert "removed" in talk.messages[3]["content"]
    assert not talk.fit(10)
