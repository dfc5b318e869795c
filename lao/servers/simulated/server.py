"""The simulated server as a context manager: one thread accepts, one per connection answers, all end with it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any

from lao.core.clock import Clock, SystemClock
from lao.core.errors import BadInput
from lao.core.words import Json
from lao.servers.simulated.answers import Script
from lao.servers.simulated.faults import Faults
from lao.servers.simulated.handler import Handler
from lao.servers.simulated.scenario import FaultRate, Rule, Scenario
from lao.servers.simulated.slot import Slots
from lao.servers.simulated.vram import Vram

_ACCEPT_POLL_S = 0.02
"""How long ``stop`` may have to wait for the accepting thread."""


class _Listener(ThreadingMixIn, TCPServer):
    """Accepts; knows the open connections so that the end of the server is the end of all of them."""

    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = False
    block_on_close = True

    def __init__(
        self,
        address: tuple[str, int],
        scenario: Scenario,
        vram: Vram,
        slots: Slots,
        faults: Faults,
        script: Script,
        clock: Clock,
    ) -> None:
        self.scenario = scenario
        self.vram = vram
        self.faults = faults
        self.slots = slots
        self.script = script
        self.clock = clock
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def hang_up(self) -> None:
        """Shut all connections; whoever waits on one of them wakes up."""
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was quicker


class SimulatedServer:
    """A scripted LM Studio on 127.0.0.1.

    Args:
        port: 0 takes a free one.
        clock: times loads and releases of memory; a FakeClock shared with the gate makes both instant.
    """

    def __init__(self, scenario: Scenario | None = None, port: int = 0, clock: Clock | None = None) -> None:
        self._scenario = scenario or Scenario()
        self._port = port
        self._clock: Clock = clock or SystemClock()
        self._vram = Vram(self._scenario, self._clock)
        self._slots = Slots(self._scenario.parallel, self._clock)
        self._faults = Faults(self._scenario.faults, self._scenario.fault_seed, self._scenario.small_context)
        self._script = Script(self._scenario.responses)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The root, without ``/v1``; known once started, and the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> list[dict[str, Json]]:
        """Every load, unload and completion, oldest first."""
        return self._vram.log()

    @property
    def stats(self) -> dict[str, Json]:
        """Totals, memory figures, the most chats answered at once and waiting at once."""
        return {**self._vram.stats(), **self._slots.stats()}

    @property
    def struck(self) -> dict[str, int]:
        """How often each class of faults struck, and each kind of fault of the rules that were interposed."""
        return {**self._faults.struck, **self._script.struck}

    def interpose(self, *rules: Rule) -> None:
        """Let these rules come before the scenario's from the next request on; none takes them away again."""
        self._script.interpose(rules)

    def set_faults(self, rates: Sequence[FaultRate], seed: int = 0) -> None:
        """Other classes of faults from the next request on.

        Raises:
            BadInput: an unknown class or form.
        """
        self._faults.set(rates, seed)

    def load_by_hand(self, key: str, context_length: int = 4096) -> None:
        """Another client loads a model, when there is room for it.

        Raises:
            Refusal: unknown model, or not enough memory.
        """
        self._vram.load(key, context_length)

    def unload_by_hand(self) -> list[str]:
        """Another client unloads all that is loaded; returns the instances."""
        loaded = [str(name) for name in self.stats["resident"]]
        for name in loaded:
            self._vram.lose(name)
        return loaded

    def restart(self) -> None:
        """The server's process is replaced: nothing is loaded any more. The port stays open."""
        self._vram.restart()

    def occupy(self, count: int) -> None:
        """Other processes hold so many bytes of the memory from now on."""
        self._vram.occupy(count)

    def swap(self, count: int) -> None:
        """So many bytes are swapped out from now on."""
        self._vram.swap(count)

    def start(self) -> None:
        """Listen.

        Raises:
            BadInput: the port is taken.
        """
        try:
            self._listener = _Listener(
                ("127.0.0.1", self._port),
                self._scenario,
                self._vram,
                self._slots,
                self._faults,
                self._script,
                self._clock,
            )
        except OSError as error:
            raise BadInput(
                f"the simulated server cannot listen on port {self._port}: {error.strerror}", "choose another --port"
            ) from error
        self._port = int(self._listener.server_address[1])
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_ACCEPT_POLL_S,), name="simulated-server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections, and wait for their threads. May be started again."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()
        self._listener = self._thread = None

    def __enter__(self) -> SimulatedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
