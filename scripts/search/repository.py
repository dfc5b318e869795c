"""A generated repository: modules that define, use and describe things, the same for the same number. Writes files."""

from __future__ import annotations

import random
from pathlib import Path

_NOUNS = """
    account address archive basket branch budget cache channel client contract counter coupon customer
    delivery device discount document event filter forecast gateway holiday invoice item journal ledger
    letter license limit locker message meter network notice offer order packet parcel partner payment permit
    policy price product profile quota receipt record refund region report request reserve return route
    schedule segment sensor session shelf shipment signal stock store supplier survey tariff tax ticket token
    tracker transfer vehicle vendor voucher warehouse
""".split()  # noqa: SIM905
_VERBS = """
    add apply archive assign balance book cancel check close collect combine compare convert count create
    deliver estimate export fetch find group hold import join link list load lock merge move open pack parse
    pick plan print queue read release remove rename reserve reset resolve restore route save score search
    send sort split start stop store submit sum sync track transfer update validate verify weigh write
""".split()  # noqa: SIM905


def write(root: Path, files: int, seed: int = 7) -> None:
    """``files`` files of some 60 to 180 lines below ``root``: nine in ten Python, else TypeScript and Markdown."""
    chance = random.Random(seed)
    names = [f"{chance.choice(_VERBS)}_{chance.choice(_NOUNS)}_{n}" for n in range(files)]
    for number, name in enumerate(names):
        folder = root / "src" / _NOUNS[number % 40]
        folder.mkdir(parents=True, exist_ok=True)
        kind = number % 20
        if kind == 18:
            text = _script(chance, name)
            (folder / f"{name}.ts").write_text(text)
        elif kind == 19:
            (folder / f"{name}.md").write_text(_prose(chance, name))
        else:
            (folder / f"{name}.py").write_text(_module(chance, name, names))


def _module(chance: random.Random, name: str, names: list[str]) -> str:
    used = chance.sample(names, 3)
    lines = [f'"""{_sentence(chance)}"""', "", *(f"from src.parts import {other}" for other in used), "", ""]
    for number in range(chance.randint(6, 14)):
        verb, noun = chance.choice(_VERBS), chance.choice(_NOUNS)
        lines += [
            f"def {verb}_{noun}_{number}_of_{name}({noun}, amount=0):",
            f'    """{_sentence(chance)}"""',
            f"    {noun}_total = {chance.choice(used)}({noun}, amount)",
            f"    for {chance.choice(_NOUNS)}_entry in {noun}_total.entries():",
            f"        amount += {chance.choice(_VERBS)}_{chance.choice(_NOUNS)}({noun}_total)",
            f"    # {_sentence(chance)}",
            "    return amount",
            "",
            "",
        ]
    return "\n".join(lines)


def _script(chance: random.Random, name: str) -> str:
    parts = [
        f"// {_sentence(chance)}\nexport function {chance.choice(_VERBS)}{n}Of{name.title().replace('_', '')}"
        f"(value: number): number {{\n  return helper{n}(value) + {n};\n}}\n"
        for n in range(20)
    ]
    return "\n".join(parts)


def _prose(chance: random.Random, name: str) -> str:
    return f"# {name}\n\n" + "\n\n".join(" ".join(_sentence(chance) for _ in range(6)) for _ in range(12)) + "\n"


def _sentence(chance: random.Random) -> str:
    words = [chance.choice((*_VERBS, *_NOUNS)) for _ in range(chance.randint(6, 14))]
    return " ".join(words).capitalize() + "."
