"""The simulated server: a scripted LM Studio with memory accounting and faults, for tests and ``lao demo``."""

from lao.servers.simulated.scenario import FaultRate, Scenario, load_scenario, parse_scenario
from lao.servers.simulated.server import SimulatedServer

__all__ = ["FaultRate", "Scenario", "SimulatedServer", "load_scenario", "parse_scenario"]
