"""The project's ``hooks.py``: loaded once, each call bounded in time. What it raises is named with file and line.

It runs inside the worker, so whatever it raises must be caught here: this is a border like a phase's frame.
"""

from __future__ import annotations

import threading
import traceback
import types
from pathlib import Path
from typing import Any, Final

from lao.core.errors import BadInput

FUNCTIONS: Final = ("pre_tool", "post_tool", "pre_phase", "post_phase")
_SHOWN: Final = 300


class HookFile:
    """The functions of one file.

    Args:
        path: the file, which exists.
        timeout_s: longest run of one call; a function that takes longer is not called again by this worker.

    Raises:
        BadInput: the file cannot be run; file and line are named.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._hung: dict[str, str] = {}
        module = types.ModuleType("lao_project_hooks")
        module.__file__ = str(path)
        self._bounded("import", self._load, module)
        found = {name: getattr(module, name, None) for name in FUNCTIONS}
        self._functions = {name: function for name, function in found.items() if callable(function)}

    @property
    def names(self) -> tuple[str, ...]:
        """The functions that the file has."""
        return tuple(self._functions)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the file; None when it has none of that name.

        Raises:
            BadInput: it raised, called sys.exit, or took too long; file and line are named.
        """
        function = self._functions.get(name)
        return None if function is None else self._bounded(name, function, *arguments)

    def _load(self, module: types.ModuleType) -> None:
        code = compile(self.path.read_bytes(), str(self.path), "exec")
        exec(code, module.__dict__)  # noqa: S102  # the user's own file, named by the user

    def _bounded(self, name: str, function: Any, *arguments: Any) -> Any:
        if name in self._hung:
            raise BadInput(self._hung[name], "begin the worker again when it is mended")
        found: list[Any] = []
        wrong: list[str] = []

        def run() -> None:
            try:
                found.append(function(*arguments))
            except SystemExit:
                wrong.append(f"{self.path}: it called sys.exit")
            except Exception as error:  # noqa: BLE001  # the border: a user's function may raise anything
                wrong.append(self._told(error))

        thread = threading.Thread(target=run, name=f"hooks.py {name}", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if thread.is_alive():
            told = f"{self.path}: {name} did not end within {self._timeout_s:g} s; this worker does not call it again"
            self._hung[name] = told
            raise BadInput(told)
        if not found:
            raise BadInput(f"{name}: {wrong[0]}")
        return found[0]

    def _told(self, error: Exception) -> str:
        line = None
        if isinstance(error, SyntaxError) and error.filename == str(self.path):
            line = error.lineno
        for entry in traceback.extract_tb(error.__traceback__):
            if entry.filename == str(self.path):
                line = entry.lineno
        where = f"{self.path}:{line}" if line else str(self.path)
        return f"{where}: {type(error).__name__}: {str(error)[:_SHOWN]}"
