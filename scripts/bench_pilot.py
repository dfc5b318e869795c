"""How ready the Pilot's input line stays while an answer streams, and whether its memory stays flat over many turns.

Prints the time from a key to its echo at 100 tokens a second (milliseconds), and the resident memory after a tenth of
the turns and after all of them (MB).
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402 - the checkout need not be installed
from prompt_toolkit.data_structures import Size  # noqa: E402
from prompt_toolkit.input import create_pipe_input  # noqa: E402
from prompt_toolkit.output.vt100 import Vt100_Output  # noqa: E402

from lao.cli.context import Session  # noqa: E402
from lao.cli.pilot.screen import Screen  # noqa: E402
from lao.cli.pilot.seat import Seat  # noqa: E402
from lao.cli.pilot.terminal import Terminal  # noqa: E402
from lao.state import chats  # noqa: E402
from scripts.pilot.answering import Answering, Told, tokens  # noqa: E402
from workflows import pilot  # noqa: E402
from workflows.factory import Factory, active  # noqa: E402

KEYS = "QZXJVK"
"""Letters that are in no answer, so that an echo is known as one."""

PATIENCE_S = 120.0


class Display(io.StringIO):
    """What the terminal is sent: kept in part, with the moment at which a letter of ``KEYS`` came."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}
        self.used: dict[str, float] = {}
        self.tail = ""

    def write(self, text: str) -> int:
        for letter in KEYS:
            if letter in text:
                self.used[letter], self.seen[letter] = time.process_time(), time.perf_counter()
        self.tail = (self.tail + text)[-4_000:]
        return len(text)

    def fileno(self) -> int:
        raise io.UnsupportedOperation("no file")

    def isatty(self) -> bool:
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200, help="keys that are measured")
    parser.add_argument("--turns", type=int, default=1000, help="turns for the memory")
    given = parser.parse_args()
    found = echo(given.keys)
    for what, times in (("wall time", [e.wall_ms for e in found]), ("processor time", [e.cpu_ms for e in found])):
        ranked = sorted(times)
        print(
            f"echo of a key at 100 tokens/s, {what}: median {statistics.median(times):.1f} ms, "
            f"99 % within {ranked[int(len(ranked) * 0.99) - 1]:.1f} ms, worst {ranked[-1]:.1f} ms ({len(times)} keys)"
        )
    early, late = memory(given.turns)
    print(f"memory: {early:.1f} MB after {max(1, given.turns // 10)} turns, {late:.1f} MB after {given.turns}")
    return 0


@dataclass(frozen=True)
class Echo:
    """Milliseconds from a key to its echo; ``cpu_ms`` of them this process had the processor (all its threads)."""

    wall_ms: float
    cpu_ms: float


def echo(number: int) -> list[Echo]:
    """The echo of each key, while an answer of 100 tokens a second comes."""
    times: list[Echo] = []

    def type_keys(keyboard, display: Display) -> None:
        keyboard.send_text("how fast\r")
        _until(lambda: "w5" in display.tail)
        for n in range(number):
            letter = KEYS[n % len(KEYS)]
            display.seen.pop(letter, None)
            started, used = time.perf_counter(), time.process_time()
            keyboard.send_text(letter)
            _until(lambda letter=letter: letter in display.seen)
            times.append(Echo((display.seen[letter] - started) * 1000, (display.used[letter] - used) * 1000))
            keyboard.send_text("\x7f")
            time.sleep(0.02)

    _session(lambda _turn: tokens(int(number * 8) + 500, 100.0), type_keys)
    return times


def memory(turns: int) -> tuple[float, float]:
    """Resident MB after a tenth of the turns and after all."""
    sizes: dict[int, float] = {}
    process = psutil.Process()

    def ask(keyboard, display: Display) -> None:
        for n in range(1, turns + 1):
            keyboard.send_text(f"turn {n}\r")
            _until(lambda n=n: f"answer{n}." in display.tail)
            if n in (max(1, turns // 10), turns):
                sizes[n] = process.memory_info().rss / 1e6

    def script(turn) -> list[Told]:
        return [
            Told(chats.TOOL_CALL, "file_read a.py"),
            Told(chats.TOOL_RESULT, "line\n" * 2_000),
            Told(chats.TEXT, f"The *answer{turn.question.split()[1]}.*", 0, (("call", 2),)),
        ]

    _session(script, ask)
    return sizes[max(1, turns // 10)], sizes[turns]


def _session(script, person) -> None:
    """One Pilot session in a folder of its own, with a person at its keyboard who leaves at the end."""
    with tempfile.TemporaryDirectory() as folder, create_pipe_input() as keyboard:
        os.chdir(folder)
        session = Session(cwd=Path(folder), env={})
        factory = Factory(session.settings())
        display = Display()
        with active.use(factory), Answering(factory, script):
            seat = Seat(session, factory, pilot.open_chat(factory).id)
            sink = Vt100_Output(display, lambda: Size(40, 100), term="xterm-256color", enable_cpr=False)
            terminal = Terminal(seat, Screen(display, width=100), keyboard, sink)
            failed: list[BaseException] = []

            def be() -> None:
                try:
                    person(keyboard, display)
                except AssertionError as error:
                    failed.append(error)
                keyboard.send_text("\x03\x03")

            thread = threading.Thread(target=be, daemon=True)
            thread.start()
            terminal.run()
            thread.join(10)
        os.chdir(ROOT)
        factory.close()
        if failed:
            raise failed[0]


def _until(true) -> None:
    deadline = time.perf_counter() + PATIENCE_S
    while not true():
        assert time.perf_counter() < deadline, "nothing came"
        time.sleep(0.002)


if __name__ == "__main__":
    sys.exit(main())
