"""Where the values of a YAML text stand: PyYAML's node tree, with aliases as places of their own. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml


@dataclass(frozen=True, eq=False)
class Alias:
    """``*name`` in the text, at the characters from ``start`` to ``end``, and the node that it means."""

    name: str
    node: yaml.Node
    start: int
    end: int


Place: TypeAlias = "yaml.Node | Alias"


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> Any:
        event: Any = self.peek_event() if self.check_event(yaml.AliasEvent) else None  # type: ignore[no-untyped-call]
        node: Any = super().compose_node(parent, index)
        if event is None or node is None:
            return node
        meant = node.node if isinstance(node, Alias) else node
        return Alias(event.anchor, meant, event.start_mark.index, event.end_mark.index)


def compose(text: str) -> Place | None:
    """The one document of a text, None when it is empty. Marks count characters, whatever the line ends.

    Raises:
        yaml.YAMLError: the text is no YAML, or more than one document.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def pairs(place: Place | None) -> dict[str, Place]:
    """The entries of a mapping by their key as it is written; what is merged into it is not among them."""
    if not isinstance(place, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in place.value if isinstance(key, yaml.ScalarNode)}
