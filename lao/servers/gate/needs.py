"""How much memory a model needs with a context: what loads really took, else its file's header, else its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lao.config.settings import Settings
from lao.servers.gate.formula import NEED_FACTOR, Shape, cache_bytes, need_bytes, shape_of
from lao.servers.gate.gguf import read_header
from lao.servers.gate.model_files import LM_STUDIO_FOLDER, find_files, shards, total_bytes
from lao.servers.gate.record import CERTAIN, LoadRecord, learned
from lao.servers.protocol import ModelInfo
from lao.servers.rest import is_local

PLAUSIBLE_PART = 0.5
"""Of the file's size: less was not taken by this load, or is not seen by the probe."""

PLAUSIBLE_OF_HEADER, PLAUSIBLE_OF_SIZE = 1.5, 3.0
"""More than so many times the need was taken by something else."""


@dataclass(frozen=True)
class Need:
    """Bytes that must be free, 0 when unknown.

    Attributes:
        how: where the figure comes from, for messages.
        guess: made from the file's size alone, so that room for the weights may have to do.
        measured: what loads really took, to be had to the byte.
        otherwise: a smaller figure that is tried when all the waiting was in vain, 0 when there is none: of a formula
            that may be too large, and of what was measured less than three times, nobody must wait for ever.
    """

    count: int
    how: str
    guess: bool = False
    measured: bool = False
    otherwise: int = 0


class Needs:
    """The needs of one server's models. Looks for each file once.

    Args:
        tell: gets a line when a file that factory.yaml names cannot be read.
        folder: where LM Studio keeps its models; used for a server on this machine only.
    """

    def __init__(
        self, settings: Settings, record: LoadRecord, tell: Callable[[str], None], folder: Path = LM_STUDIO_FOLDER
    ) -> None:
        self._settings = settings
        self._record = record
        self._tell = tell
        self._folder = folder
        self._shapes: dict[tuple[str, int], Shape | None] = {}

    def of(self, info: ModelInfo, context: int | None) -> Need:
        """The need of a model that is to be loaded with ``context`` tokens; None is the server's default."""
        taken = self._record.taken(info.key, context or 0)
        if taken:
            how = "as the last load took" if len(taken) == 1 else f"as the last {len(taken)} loads took"
            count, doubt = learned(taken), len(taken) < CERTAIN
            reckoned = self._reckoned(info, context).count if doubt else count
            return Need(count, how, measured=True, otherwise=reckoned if reckoned < count else 0)
        return self._reckoned(info, context)

    def size_of(self, info: ModelInfo) -> int:
        """The server's figure, or else what factory.yaml says about this key, or the file's, or 0."""
        told = (m.size_bytes for m in self._settings.models.values() if m.key == info.key and m.size_bytes)
        shape = None if info.size_bytes else self._shape(info)
        return info.size_bytes or next(told, 0) or (shape.weights_bytes if shape else 0)

    def took(self, info: ModelInfo, context: int | None) -> int:
        """What an instance took of the memory, as far as known; its size else."""
        return learned(self._record.taken(info.key, context or 0)) or self.size_of(info)

    def learn(self, info: ModelInfo, context: int | None, count: int) -> bool:
        """Keep what a load really took; False when it cannot have been this load alone."""
        need, size = self._reckoned(info, context), self.size_of(info)
        most = need.count * (PLAUSIBLE_OF_SIZE if need.guess else PLAUSIBLE_OF_HEADER)
        if not size or not size * PLAUSIBLE_PART <= count <= most:
            return False
        self._record.note_taken(info.key, context or 0, count)
        return True

    def _reckoned(self, info: ModelInfo, context: int | None) -> Need:
        shape = self._shape(info)
        if shape is None or not context:
            return Need(int(self.size_of(info) * NEED_FACTOR), "its size and a tenth", guess=True)
        count, crude = need_bytes(shape, context), int(shape.weights_bytes * NEED_FACTOR)
        how = f"{cache_bytes(shape, context) / 1e9:.1f} GB of it for {context} tokens"
        return Need(count, how, otherwise=crude if shape.bound and crude < count else 0)

    def _shape(self, info: ModelInfo) -> Shape | None:
        place = (info.key, info.size_bytes)
        if place not in self._shapes:
            self._shapes[place] = self._read_shape(info)
        return self._shapes[place]

    def _read_shape(self, info: ModelInfo) -> Shape | None:
        named = next((m.path for m in self._settings.models.values() if m.key == info.key and m.path), None)
        if named is not None:
            shape = _shape_of_files(self._named(named))
            if shape is None:
                self._tell(f"{named!r} is no readable GGUF file; what {info.key!r} needs is guessed from its size")
            return shape
        if not is_local(self._settings.server.base_url):
            return None
        return _shape_of_files(find_files(info.key, info.size_bytes, self._folder))

    def _named(self, text: str) -> tuple[Path, ...]:
        try:
            return shards(self._settings.paths.root / Path(text).expanduser())
        except (OSError, RuntimeError, ValueError):
            return ()


def _shape_of_files(files: tuple[Path, ...]) -> Shape | None:
    if not files:
        return None
    header = read_header(files[0])
    try:
        return shape_of(header, total_bytes(files)) if header else None
    except OSError:
        return None
