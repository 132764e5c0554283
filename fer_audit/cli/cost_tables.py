"""The tables of `fer-audit cost`, in widths that terminals have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fer_audit.metrics.compute import LayerCost
    from fer_audit.training.costs import ModelCost

_WIDE_HEADINGS = (
    *("layer", "class", "output"),
    *("params_total", "params_trainable", "macs", "flops", "share", "bytes"),
)
_THIN_HEADINGS = ("layer", "output", "params", "macs", "share", "bytes")

#: Characters a line from which the table of layers has all its columns.
_WIDE = 120


def show_totals(costs: Sequence[ModelCost], device: str, console: Console) -> None:
    """Three narrow tables, a line a model in each: counts, operations and memory, speed."""
    from rich.text import Text

    shape = f"{costs[0].image_size}x{costs[0].image_size} px, {costs[0].classes} classes"
    _say(console, f"one image of {shape}; macs of convolution and dense layers")
    counts = _table("model", "params_total", "params_trainable", "macs", "flops")
    for cost in costs:
        own = cost.cost
        counts.add_row(Text(cost.model), *_integers(own.params_total, own.params_trainable, own.macs, own.flops))
    console.print(counts)
    console.print()
    _say(console, "float operations as TensorFlow's profiler and keras-flops count them; memory")
    rest = _table("model", "tf_profiler", "keras_flops", "peak", "all outputs", ".keras file")
    for cost in costs:
        own = cost.cost
        sizes = (own.activation_peak_bytes, own.activation_output_bytes, own.keras_file_bytes)
        rest.add_row(Text(cost.model), *_integers(own.tf_profiler, own.keras_flops), *map(_bytes, sizes))
    console.print(rest)
    _say(console, "peak: activations alive at once in inference; all outputs: what training keeps")
    blind = [cost.model for cost in costs if cost.cost.tf_profiler < cost.cost.flops]
    if blind:
        _say(console, f"the profiler is blind to some layers of {', '.join(blind)}: it counts less than 2 x macs")
    if any(cost.speeds for cost in costs):
        _show_speeds(costs, device, console)


def _show_speeds(costs: Sequence[ModelCost], device: str, console: Console) -> None:
    from rich.text import Text

    console.print()
    _say(console, f"speed of the traced network, inference, on {device}")
    table = _table("model", "batch", "p50 ms", "p95 ms", "images/s", "calls")
    for cost in costs:
        for speed in cost.speeds:
            times = (f"{speed.p50_ms:.2f}", f"{speed.p95_ms:.2f}", f"{speed.images_per_s:.1f}")
            table.add_row(Text(cost.model), str(speed.batch), *times, str(speed.runs))
    console.print(table)


def show_layers(cost: ModelCost, console: Console, *, everything: bool) -> None:
    """A line a call of a layer; without `everything`, only those that have weights or MACs."""
    from rich.text import Text

    shown = [layer for layer in cost.layers if everything or layer.params_total or layer.macs]
    wide = console.width >= _WIDE
    if wide:
        table = _table(
            "layer", "class", "output", "params_total", "params_trainable", "macs", "flops", "share", "bytes"
        )
    else:
        table = _table("layer", "output", "params", "macs", "share", "bytes")
    for layer in shown:
        name, *cells = (_wide_row if wide else _thin_row)(layer, cost.cost.macs)
        table.add_row(Text(name), *cells)
    console.print()
    _say(console, f"layers of {cost.model}; share of all macs, bytes of what a call returns")
    console.print(table)
    left = len(cost.layers) - len(shown)
    if left:
        _say(console, f"{left} more calls have neither weights nor macs; --layers shows them")
    if not wide:
        _say(console, f"{_WIDE} columns or --json also have the class, params_trainable and flops of each layer")


def _wide_row(layer: LayerCost, macs: int) -> tuple[str, ...]:
    numbers = _integers(layer.params_total, layer.params_trainable, layer.macs, layer.flops)
    return layer.name, layer.kind, _shape(layer), *numbers, _share(layer, macs), f"{layer.activation_bytes:,}"


def _thin_row(layer: LayerCost, macs: int) -> tuple[str, ...]:
    numbers = _integers(layer.params_total, layer.macs)
    return layer.name, _shape(layer), *numbers, _share(layer, macs), f"{layer.activation_bytes:,}"


def _share(layer: LayerCost, macs: int) -> str:
    return f"{layer.macs / macs:.1%}" if layer.macs else ""


def _shape(layer: LayerCost) -> str:
    return "x".join("?" if length is None else str(length) for length in layer.output_shape)


def _table(first: str, *numbers: str) -> Table:
    """A table whose first column may wrap, and whose other columns never do."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in numbers:
        texts = name in ("class", "output")
        table.add_column(name, justify="left" if texts else "right", no_wrap=not texts, overflow="fold")
    return table


def _integers(*values: int) -> Iterable[str]:
    return (f"{value:,}" for value in values)


def _bytes(size: int | None) -> str:
    from rich.filesize import decimal

    return "none" if size is None else decimal(size)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False)
