"""The benchmark's results as Markdown: header, table, totals. Computes nothing that ``results.py`` does not know."""

from __future__ import annotations

from lao.core.words import Json
from scripts.exercism.results import Results, totals

_LAO = ("LAO says", "judge", "rung", "calls", "prompt tokens (cached)", "generated", "s")
_BASE = ("one prompt", "two prompts", "calls", "prompt tokens", "generated", "s")


def markdown(results: Results) -> str:
    """Header, a row for each exercise, a row of sums, and the sentence that counts."""
    rows = list(results.rows.values())
    summed = totals(rows)
    columns = [*(_LAO if "lao" in summed else ()), *(_BASE if "baseline" in summed else ())]
    lines = [*_header(results), "", _line(["exercise", *columns]), _line(["---"] * (1 + len(columns)))]
    for row in rows:
        cells = [row["name"]]
        cells += _lao_cells(row.get("lao")) if "lao" in summed else []
        cells += _base_cells(row.get("baseline")) if "baseline" in summed else []
        lines.append(_line(cells))
    lines.append(_line(["**sum**", *_sum_cells(summed)]))
    return "\n".join([*lines, "", *_sentences(summed)]) + "\n"


def progress(name: str, row: dict[str, Json]) -> str:
    """One line about an exercise that is over."""
    lao, base = row.get("lao"), row.get("baseline")
    said = f"LAO {lao['state']}, {_truth(lao)}, {lao['calls']} calls, {lao['seconds']} s" if lao else ""
    floor = f"one prompt {_mark(base['one'])}, two {_mark(base['two'])}" if base else ""
    return f"{name}: {'; '.join(filter(None, (said, floor)))}"


def _header(results: Results) -> list[str]:
    shown = {k: v for k, v in {**results.notes, **results.settings}.items() if k != "profile" and v != {}}
    return [f"- {name.replace('_', ' ')}: {value}" for name, value in shown.items()]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _truth(lao: dict[str, Json]) -> str:
    if lao["false_done"]:
        return "**FALSE DONE**"
    if lao["over_limit"]:
        return "over the limit" + (" (passes)" if lao["judge"] else "")
    return ("solved" if lao["solved"] else "not solved") + (" (unclaimed)" if lao["unclaimed"] else "")


def _mark(value: bool | None) -> str:
    return "" if value is None else "solved" if value else "no"


def _prompt(part: dict[str, Json]) -> str:
    cached, prompt = part["cached"], part["prompt"]
    return f"{prompt}" if cached is None or not prompt else f"{prompt} ({round(100 * cached / prompt)} %)"


def _lao_cells(lao: dict[str, Json] | None) -> list[str]:
    if lao is None:
        return [""] * len(_LAO)
    counts = [str(lao["calls"]), _prompt(lao), str(lao["generated"]), f"{lao['seconds']:.0f}"]
    state = lao["state"] + (", no check" if lao.get("unchecked") else "")
    return [state, _truth(lao), lao["rung"], *counts]


def _base_cells(base: dict[str, Json] | None) -> list[str]:
    if base is None:
        return [""] * len(_BASE)
    counts = [str(base["calls"]), str(base["prompt"]), str(base["generated"]), f"{base['seconds']:.0f}"]
    return [_mark(base["one"]), _mark(base["two"]), *counts]


def _sum_cells(summed: dict[str, Json]) -> list[str]:
    cells: list[str] = []
    if lao := summed.get("lao"):
        solved = f"{lao['solved']} of {lao['exercises']}"
        cells += ["", solved, "", str(lao["calls"]), _prompt(lao), str(lao["generated"]), f"{lao['seconds']:.0f}"]
    if base := summed.get("baseline"):
        two = "" if base["two"] is None else str(base["two"])
        counts = [str(base["calls"]), str(base["prompt"]), str(base["generated"]), f"{base['seconds']:.0f}"]
        cells += [str(base["one"]), two, *counts]
    return cells


def _sentences(summed: dict[str, Json]) -> list[str]:
    said = []
    if lao := summed.get("lao"):
        said.append(
            f"LAO solved {lao['solved']} of {lao['exercises']}; false done {lao['false_done']}"
            + (f' ({lao["false_done_unchecked"]} of them shown as "no check")' if lao["false_done_unchecked"] else "")
            + f", solved but not claimed {lao['unclaimed']}, over the limit {lao['over_limit']}."
        )
        if lao["shared_server"]:
            said.append(
                f"WARNING: other clients used the server during {lao['shared_server']} exercises; "
                "their seconds are worth little."
            )
    if base := summed.get("baseline"):
        two = f", two {base['two']}" if base["two"] is not None else ""
        said.append(f"One bare prompt solved {base['one']} of {base['exercises']}{two}.")
    if "ratio" in summed:
        said.append(f"LAO solved {summed['ratio']} times what two prompts did.")
    return said
