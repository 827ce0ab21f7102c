"""An evaluation's record as text, as Markdown, as JSON and as panels to draw.

Knows the record that `scripts.evaluation` makes. Computes nothing: it shows what was recorded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from mt.config import RerankConfig, SearchConfig
from scripts.plots import Line, Panel
from scripts.tables import markdown_table, text_table

Record = dict[str, Any]


class Format(StrEnum):
    """What a record can be printed as."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


TITLES = {
    "bleu": "BLEU",
    "bleu_lc": "BLEU, lower-cased",
    "chrf": "chrF2",
    "chrf_lc": "chrF2, lower-cased",
}
TESTS = {"randomization": "approximate randomization", "bootstrap": "bootstrap resampling"}


def report(record: Record, form: Format) -> str:
    """The whole record in one of its forms."""
    forms: dict[Format, Callable[[Record], str]] = {
        Format.TEXT: _text,
        Format.MARKDOWN: _markdown,
        Format.JSON: lambda record: json.dumps(record, indent=2, ensure_ascii=False),
    }
    return forms[form](record)


def panels(record: Record) -> list[Panel]:
    """BLEU by length and the sweep, as far as the record has them."""
    parts = {"by_length": _length_panel, "sweep": _sweep_panel}
    return [panel(record) for part, panel in parts.items() if part in record]


def _systems(record: Record) -> list[Record]:
    return [record, *record.get("against", [])]


def _text(record: Record) -> str:
    # Lines rather than a drawn table: a signature must not be broken to fit the terminal.
    blocks = ["\n".join(_block(record, system)) for system in _systems(record)]
    if "significance" in record:
        blocks.append(_significance(record))
    if "by_length" in record:
        by_length = record["by_length"]
        table = text_table(*_length_table(record))
        blocks.append(f"BLEU by words of the source, {by_length['signature']}\n{table}")
    if "joined" in record:
        table = text_table(*_joined_table(record))
        blocks.append(f"{_joined_title(record)}, {record['joined']['signature']}\n{table}")
    if "sweep" in record:
        table = text_table(*_sweep_table(record))
        signatures = "\n".join(f"{title}: {each}" for title, each in _sweep_signatures(record))
        blocks.append(f"{record['system']}, swept\n{table}\n{signatures}")
    return "\n\n".join(blocks)


def _block(record: Record, system: Record) -> list[str]:
    lines = [f"{system['system']}, {record['lines']:,} lines"]
    for name, score in system["scores"].items():
        compared = f"{_difference(score):<21}  " if "p" in score else ""
        interval = f"{score['low']:.2f} to {score['high']:.2f}"
        lines.append(
            f"{TITLES[name]:<18}  {score['value']:>6.2f}  95 % interval {interval:<16}  "
            f"{compared}{score['signature']}"
        )
    if "search" in system:
        flags = ", ".join(f"{name} {count:,}" for name, count in system["flags"].items()) or "none"
        speed = record["lines"] / system["seconds"]
        lines += [_origin(system), f"{speed:,.0f} lines a second; flags: {flags}"]
    return lines


def _markdown(record: Record) -> str:
    header = ["system", *TITLES.values()]
    rows = [
        [system["system"], *(_cell(score) for score in system["scores"].values())]
        for system in _systems(record)
    ]
    references = ", ".join(f"`{path}`" for path in record["references"])
    blocks = [
        markdown_table(header, rows),
        f"{record['lines']:,} lines of `{record['source']}` against {references}, with 95 % "
        "bootstrap intervals.",
    ]
    if "significance" in record:
        blocks.append(_significance(record))
    signatures = [(TITLES[name], score["signature"]) for name, score in record["scores"].items()]
    blocks.append(_signature_list(signatures))
    if origins := [f"- {s['system']}: {_origin(s)}" for s in _systems(record) if "search" in s]:
        blocks.append("\n".join(origins))
    if "by_length" in record:
        blocks += [
            "BLEU by words of the source:",
            markdown_table(*_length_table(record)),
            _signature_list([("BLEU", record["by_length"]["signature"])]),
        ]
    if "joined" in record:
        blocks += [
            f"{_joined_title(record)}:",
            markdown_table(*_joined_table(record)),
            _signature_list([("BLEU", record["joined"]["signature"])]),
        ]
    if "sweep" in record:
        blocks += [
            f"{record['system']}, swept:",
            markdown_table(*_sweep_table(record)),
            _signature_list(_sweep_signatures(record)),
        ]
    return "\n\n".join(blocks)


def _cell(score: Record) -> str:
    interval = f"{score['value']:.2f} ({score['low']:.2f} to {score['high']:.2f})"
    return f"{interval}, {_difference(score)}" if "p" in score else interval


def _difference(score: Record) -> str:
    return f"{score['difference']:+.2f}, p = {score['p']:.4f}"


def _significance(record: Record) -> str:
    made = record["significance"]
    return (
        f"p: paired {TESTS[made['test']]} against {record['system']}, {made['trials']:,} trials, "
        f"seed {made['seed']}; each pair by itself"
    )


def _origin(system: Record) -> str:
    usual = SearchConfig().model_dump() | {"beam_size": None, "length_penalty": None}
    options = system["search"].items()
    search = ", ".join(_option(name, value) for name, value in options if value != usual[name])
    chosen = "".join(f", {each}" for each in _choice(system.get("reranking", {})))
    return f"{search}{chosen}, engine {system['engine']}, weights {system['weights'][:12]}"


def _option(name: str, value: float | bool) -> str:
    title = "beam" if name == "beam_size" else name.replace("_", " ")
    if isinstance(value, bool):
        return title if value else f"no {title}"
    return f"{title} {value:g}"


def _choice(reranking: Record) -> list[str]:
    """What chose among candidates: options other than usual, models with their weights."""
    usual = RerankConfig().model_dump()
    weighted = {name for name in usual if name.endswith("_model")}
    told = []
    for name, value in reranking.items():
        title = name.replace("_", " ")
        if isinstance(value, dict):
            weight = reranking[name.replace("model", "weight")]
            told.append(f"{title} {value['identity'][:12]} with weight {weight:g}")
        elif value != usual[name] and name.replace("_weight", "_model") not in weighted:
            told.append(title if value is True else f"{title} {value}")
    return told


def _signature_list(signatures: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {title}: `{signature}`" for title, signature in signatures)


Table = tuple[list[str], list[list[str]]]


def _length_table(record: Record) -> Table:
    header = ["words", "lines", *(system["system"] for system in _systems(record))]
    rows = [
        [
            bucket["words"],
            f"{bucket['lines']:,}",
            *("-" if value is None else f"{value:.2f}" for value in bucket["bleu"]),
        ]
        for bucket in record["by_length"]["buckets"]
    ]
    return header, rows


def _joined_title(record: Record) -> str:
    made = record["joined"]
    low, high = made["words"]
    return f"{record['system']}, {made['lines']:,} lines joined to {low} to {high} words"


def _joined_table(record: Record) -> Table:
    header = ["", "BLEU joined", "BLEU one by one", "ratio", "95 % interval"]
    rows = [
        [
            name,
            f"{each['joined']:.2f}",
            f"{each['single']:.2f}",
            f"{each['ratio']:.3f}",
            f"{each['low']:.3f} to {each['high']:.3f}",
        ]
        for name, each in record["joined"]["ratios"].items()
    ]
    return header, rows


def _sweep_table(record: Record) -> Table:
    fields = _swept_fields(record)
    header = [
        *(field.replace("_", " ") for field in fields),
        TITLES["bleu"],
        TITLES["chrf"],
        "seconds",
    ]
    rows = [
        [
            *(f"{cell['search'][field]:g}" for field in fields),
            f"{cell['scores']['bleu']['value']:.2f}",
            f"{cell['scores']['chrf']['value']:.2f}",
            f"{cell['seconds']:.1f}",
        ]
        for cell in record["sweep"]
    ]
    return header, rows


def _swept_fields(record: Record) -> list[str]:
    """The decoding options in which the cells of a sweep differ; the beam size if in none."""
    searches = [cell["search"] for cell in record["sweep"]]
    differing = [f for f in searches[0] if any(s[f] != searches[0][f] for s in searches)]
    return differing or ["beam_size"]


def _sweep_signatures(record: Record) -> list[tuple[str, str]]:
    scores = record["sweep"][0]["scores"]
    return [(TITLES[name], scores[name]["signature"]) for name in ("bleu", "chrf")]


def _length_panel(record: Record) -> Panel:
    buckets = record["by_length"]["buckets"]
    lines = [
        Line(
            system["system"],
            range(len(buckets)),
            [math.nan if b["bleu"][number] is None else b["bleu"][number] for b in buckets],
        )
        for number, system in enumerate(_systems(record))
    ]
    names = [f"{bucket['words']}\n{bucket['lines']:,} lines" for bucket in buckets]
    return Panel("BLEU by length", "words of the source", "BLEU", lines, names)


def _sweep_panel(record: Record) -> Panel:
    """BLEU over the first option swept, a line for each combination of the others."""
    across, *along = _swept_fields(record)
    places = sorted({cell["search"][across] for cell in record["sweep"]})
    lines: dict[str, dict[int, float]] = {}
    for cell in record["sweep"]:
        search = cell["search"]
        label = ", ".join(f"{field.replace('_', ' ')} {search[field]:g}" for field in along)
        line = lines.setdefault(label or record["system"], {})
        line[places.index(search[across])] = cell["scores"]["bleu"]["value"]
    drawn = [
        Line(label, sorted(line), [line[place] for place in sorted(line)])
        for label, line in lines.items()
    ]
    names = [f"{place:g}" for place in places]
    return Panel(f"{record['system']}, swept", across.replace("_", " "), "BLEU", drawn, names)
