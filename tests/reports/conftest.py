"""Real runs on the scripted model server, as in tests/workflows."""

from tests.workflows.conftest import identity, plant

__all__ = ["identity", "plant"]
