"""The report's pictures as inline SVG, coloured by the page's variables so that they suit light and dark."""

from collections.abc import Iterable, Sequence
from html import escape

from review.graph import Node
from review.plans import CostView, MemoryView, ModelView, PlanView, PoolUseView

_NODE_WIDTH, _NODE_HEIGHT, _COLUMN, _ROW = 190, 52, 240, 72
_GPU, _GAP = 46, 6
PALETTE = 8
"""The number of colours for models: `--model-0`, `--model-1` and so on."""


def graph(nodes: Sequence[Node]) -> str:
    """The graph in layers from left to right; each node has the colour of what happens to it."""
    if not nodes:
        return ""
    layers: dict[int, list[Node]] = {}
    for node in nodes:
        layers.setdefault(node.layer, []).append(node)
    tallest = max(map(len, layers.values()))
    height = tallest * _ROW + 12
    places = {
        node.key: (
            6 + sorted(layers).index(layer) * _COLUMN,
            6 + index * _ROW + (tallest - len(of_layer)) * _ROW / 2,
        )
        for layer, of_layer in layers.items()
        for index, node in enumerate(of_layer)
    }
    edges = [_edge(places[need], places[node.key]) for node in nodes for need in node.needs if need in places]
    boxes = [_box(node, *places[node.key]) for node in nodes]
    return _svg(len(layers) * _COLUMN - _COLUMN + _NODE_WIDTH + 12, height, "The stack's graph", [*edges, *boxes])


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + _NODE_WIDTH, start[1] + _NODE_HEIGHT / 2
    x2, y2 = end[0], end[1] + _NODE_HEIGHT / 2
    bend = (x1 + x2) / 2
    return f'<path class="edge" d="M{x1:g},{y1:g} C{bend:g},{y1:g} {bend:g},{y2:g} {x2:g},{y2:g}"/>'


def _box(node: Node, x: float, y: float) -> str:
    return (
        f'<g class="node {node.action.value}" transform="translate({x:g},{y:g})">'
        f'<rect width="{_NODE_WIDTH}" height="{_NODE_HEIGHT}" rx="8"/>'
        f'<text x="12" y="22" class="name">{escape(_fitted(node.label, 24))}</text>'
        f'<text x="12" y="40" class="detail">{escape(_fitted(node.detail, 29))}</text>'
        f"<title>{escape(node.label)}: {escape(node.detail)} ({node.action.value})</title></g>"
    )


def node_map(use: PoolUseView, models: dict[str, tuple[int, ModelView | None]], most: int = 64) -> str:
    """A row for each node and a square for each GPU, filled with the weights, overhead and KV cache of its model.
    `models` gives each model's colour and plan, by its name."""
    rows: list[list[str]] = []
    for node in use.used:
        gpus = [name for name, count in sorted(node.gpus.items()) for _ in range(count)]
        rows.append(gpus + [""] * (use.gpus_per_node - len(gpus)))
    rows += [[""] * use.gpus_per_node for _ in range(max(0, use.nodes - len(use.used)))]
    shown = rows[:most]
    parts = [
        _gpu(_GAP + column * (_GPU + _GAP), _GAP + index * (_GPU + _GAP), name, models)
        for index, row in enumerate(shown)
        for column, name in enumerate(row)
    ]
    height = len(shown) * (_GPU + _GAP) + _GAP
    if len(rows) > len(shown):
        parts.append(f'<text x="{_GAP}" y="{height + 14}">and {len(rows) - len(shown)} more nodes</text>')
        height += 24
    width = max(160, use.gpus_per_node * (_GPU + _GAP) + _GAP)
    return _svg(width, height, f"GPUs of pool {use.pool}", parts)


def _gpu(x: float, y: float, name: str, models: dict[str, tuple[int, ModelView | None]]) -> str:
    frame = f'<rect class="gpu" x="{x:g}" y="{y:g}" width="{_GPU}" height="{_GPU}" rx="4"/>'
    if not name:
        return f"<g>{frame}<title>free</title></g>"
    colour, model = models[name]
    fills: list[str] = []
    label = name
    if model:
        memory = model.shape.memory
        top = y + _GPU
        for size, opacity in zip(memory.parts[:3], ("1", ".7", ".35"), strict=True):
            height = _GPU * size / memory.total_gib
            top -= height
            fills.append(
                f'<rect x="{x:g}" y="{top:.2f}" width="{_GPU}" height="{height:.2f}" '
                f'fill="var(--model-{colour % PALETTE})" fill-opacity="{opacity}"/>'
            )
        label = f"{name}: {memory_text(memory)}"
    return f"<g>{''.join(fills)}{frame}<title>{escape(label)}</title></g>"


def memory_text(memory: MemoryView) -> str:
    weights, overhead, cache, free = memory.parts
    return (
        f"weights {weights:.1f}, overhead {overhead:.1f}, KV cache {cache:.1f}, kept free {free:.1f} "
        f"of {memory.total_gib:.1f} GiB"
    )


def cost(before: CostView | None, after: CostView, names: Sequence[str]) -> str:
    """A bar for each side, divided by what is paid for; each part has the colour of its place in `names`."""
    sides = [("before", before), ("after", after)] if before else [("after", after)]
    largest = max((_total(side) for _, side in sides if side), default=0) or 1
    parts: list[str] = []
    for index, (label, side) in enumerate(sides):
        y = index * 40 + 6
        parts.append(f'<text x="0" y="{y + 19}" class="name">{label}</text>')
        x = 70.0
        for item in side.items if side else ():
            width = 480 * (item.usd_per_hour or 0) / largest
            colour = names.index(item.what) % PALETTE
            price = "unknown" if item.usd_per_hour is None else f"{item.usd_per_hour:,.2f} USD per hour"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="28" fill="var(--model-{colour})">'
                f"<title>{escape(item.label)}: {price}</title></rect>"
            )
            x += max(width, 1)
        amount = side.usd_per_hour if side else None
        total = "unknown" if amount is None else f"{amount:,.2f} USD per hour"
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 19}">{total}</text>')
    return _svg(760, len(sides) * 40 + 6, "Cost per hour", parts)


def _total(side: CostView) -> float:
    return sum(item.usd_per_hour or 0 for item in side.items)


def models_of(plans: Iterable[PlanView | None]) -> dict[str, tuple[int, ModelView | None]]:
    """All models, each with a colour of its own, in the order of the plans."""
    found: dict[str, ModelView] = {}
    for plan in plans:
        for model in plan.models if plan else ():
            found.setdefault(model.name, model)
    return {name: (index, model) for index, (name, model) in enumerate(found.items())}


def _svg(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
