"""The dataflow of a job as a drawing: inline SVG, built from the description of the job's own code."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetflow_ui.jobs.views import JobView
from fleetflow_ui.words import text

NODE_WIDTH, NODE_HEIGHT = 104, 40
STEP_X, STEP_Y = 148, 62
MARGIN = 14
CHAIN = ("merge", "validate", "split", "detect", "conflate", "write")
TITLES = {
    "merge": "merge",
    "validate": "validate",
    "split": "split",
    "detect": "detect",
    "record": "record",
    "conflate": "conflate",
    "write": "write",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One step, source or sink; `column` and `row` are its place, rows may be halves."""

    name: str
    title: str
    below: str
    column: int
    row: float
    kind: str = "step"


@dataclass(frozen=True, slots=True)
class Edge:
    """What flows from one node to another: `rate` in records per second, None when it is not known."""

    start: str
    end: str
    rate: float | None = None
    bad: bool = False


def nodes_and_edges(shown: JobView) -> tuple[list[Node], list[Edge]]:
    """Return the drawing's parts: what the job's description names, with the rates of its account."""
    described = shown.description
    steps = [str(step).rpartition(".")[2] for step in described.get("steps", ())]
    sources = [step.removeprefix("read_") for step in steps if step.startswith("read_")]
    middle = (max(len(sources), 1) - 1) / 2
    schema = described.get("schema", {})
    below = {
        "split": f"{described.get('shards', '?')} shards",
        "detect": _few(described.get("detectors", ()), "nothing yet"),
        "merge": "all sources",
        "validate": "rules",
        "conflate": "newest per VIN",
        "record": "every ping",
        "write": "newest wins",
    }
    nodes, edges = [], []
    for row, source in enumerate(sources):
        view = shown.sources.get(source)
        behind = "" if view is None or not view.behind else f"{short(view.behind)} {view.unit} behind"
        nodes += [
            Node(f"read_{source}", source, behind or "source", 0, row, "source"),
            Node(
                f"decode_{source}",
                "decode",
                f"{schema.get('name', '')} {schema.get('version', '')}".strip(),
                1,
                row,
            ),
        ]
        rate = None if view is None else view.rate
        edges += [Edge(f"read_{source}", f"decode_{source}", rate), Edge(f"decode_{source}", "merge", rate)]
    chain = [step for step in CHAIN if step in steps]
    nodes += [Node(step, TITLES[step], below[step], 2 + index, middle) for index, step in enumerate(chain)]
    edges += [
        Edge(start, end, shown.rate if start in {"merge", "validate"} else None)
        for start, end in itertools.pairwise(chain)
    ]
    if "record" in steps and "detect" in chain:
        nodes.append(Node("record", "record", below["record"], 2 + chain.index("conflate"), middle + 1.15))
        edges.append(Edge("detect", "record"))
    sinks = [str(sink) for sink in described.get("sinks", ())]
    if "write" in chain:
        top = middle - (len(sinks) - 1) / 2
        for row, sink in enumerate(sinks):
            said, rate, bad = _sink(shown, sink)
            nodes.append(Node(f"sink_{sink}", sink, said, 2 + len(chain), top + row, "sink"))
            edges.append(Edge("write", f"sink_{sink}", rate, bad))
    return nodes, edges


def _sink(shown: JobView, sink: str) -> tuple[str, float | None, bool]:
    wanted = {"vehicles": ("applied", "vehicles map"), "quarantine": ("quarantined", "rejects")}.get(sink)
    if wanted is None:
        return "sink", None, False
    name, said = wanted
    rates = [source.settled.get(name) for source in shown.sources.values()]
    known = [rate for rate in rates if rate is not None]
    return said, sum(known) if known else None, name == "quarantined"


def _few(names: Sequence[Any], nothing: str) -> str:
    if not names:
        return nothing
    return str(names[0]) if len(names) == 1 else f"{len(names)} detectors"


def draw(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return an `<svg>`; all names are escaped. Colours are the page's custom properties."""
    if not nodes:
        return ""
    rows = [node.row for node in nodes]
    lowest, columns = min(rows), max(node.column for node in nodes) + 1
    width = MARGIN * 2 + (columns - 1) * STEP_X + NODE_WIDTH
    height = MARGIN * 2 + (max(rows) - lowest) * STEP_Y + NODE_HEIGHT
    places = {
        node.name: (MARGIN + node.column * STEP_X, MARGIN + (node.row - lowest) * STEP_Y) for node in nodes
    }
    said = ", ".join(f"{edge.start} to {edge.end}" for edge in edges)
    parts = [
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="The dataflow: {text(said)}"'
        f' style="min-width:{width * 0.72:.0f}px;max-width:{width * 1.15:.0f}px">'
    ]
    parts += [_edge(edge, places) for edge in edges if edge.start in places and edge.end in places]
    parts += [_node(node, places[node.name]) for node in nodes]
    return "".join([*parts, "</svg>"])


def _edge(edge: Edge, places: Mapping[str, tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
    x1, y1, y2 = x1 + NODE_WIDTH, y1 + NODE_HEIGHT / 2, y2 + NODE_HEIGHT / 2
    bend = (x2 - x1) / 2
    flows = bool(edge.rate)
    kind = "bad" if edge.bad and flows else "flows" if flows else "still"
    curve = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    line = f'<path class="edge {kind}" d="{curve}"/>'
    if edge.rate is None:
        return line
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    label = short(edge.rate)
    wide = 6.2 * len(label) + 8
    return (
        f'{line}<rect class="plate" x="{x - wide / 2:g}" y="{y - 8:g}" width="{wide:g}" height="15" rx="4"/>'
        f'<text class="rate {kind}" x="{x:g}" y="{y + 3.5:g}">{text(label)}</text>'
    )


def _node(node: Node, place: tuple[float, float]) -> str:
    x, y = place
    middle = x + NODE_WIDTH / 2
    return (
        f'<g class="node {node.kind}"><title>{text(node.title)}: {text(node.below)}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="9"/>'
        f'<text class="name" x="{middle:g}" y="{y + 17:g}">{text(_cut(node.title, 15))}</text>'
        f'<text class="below" x="{middle:g}" y="{y + 31:g}">{text(_cut(node.below, 18))}</text></g>'
    )


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def short(number: float) -> str:
    """Return a number in at most five characters: `0`, `0.4`, `87`, `1.2k`, `3.4M`."""
    if number and number < 10:
        return f"{number:.1f}".removesuffix(".0")
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
