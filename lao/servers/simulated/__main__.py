"""``python -m lao.servers.simulated --port N --scenario FILE``: the simulated server as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lao.core.errors import LaoError
from lao.servers.simulated.scenario import FaultRate, Scenario, load_scenario
from lao.servers.simulated.server import SimulatedServer


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; prints ``ready URL`` when it listens. The exit status."""
    parser = argparse.ArgumentParser(prog="python -m lao.servers.simulated", description="A scripted LM Studio.")
    parser.add_argument("--port", type=int, default=1234, help="0 takes a free one")
    parser.add_argument("--scenario", type=Path, help="YAML or JSON; see scenario.schema.json")
    parser.add_argument(
        "--fault", action="append", type=_rate, default=[], metavar="CLASS[:P]", help="F1 to F62 with a probability"
    )
    parser.add_argument("--fault-seed", type=int, help="same seed, same requests: same faults")
    options = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        scenario = load_scenario(options.scenario) if options.scenario else Scenario()
        seed = scenario.fault_seed if options.fault_seed is None else options.fault_seed
        scenario = replace(scenario, faults=(*scenario.faults, *options.fault), fault_seed=seed)
        with SimulatedServer(scenario, options.port) as server:
            sys.stdout.write(f"ready {server.url}\n")
            sys.stdout.flush()
            stop.wait()
    except LaoError as error:
        sys.stderr.write(f"simulated server: {error}\n")
        return error.exit_code
    return 0


def _rate(text: str) -> FaultRate:
    """``F22:0.3``, or ``F22`` for always."""
    code, _, given = text.partition(":")
    try:
        probability = float(given or 1)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise argparse.ArgumentTypeError(f"{given!r} is no probability from 0 to 1")
    return FaultRate(code.upper(), probability)


if __name__ == "__main__":
    sys.exit(main())
