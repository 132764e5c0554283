"""What the models cost: counts in their units, memory, speed, and every layer."""

from __future__ import annotations

from dataclasses import replace

from fer_audit.report.numbers import UNKNOWN, percent, short
from fer_audit.report.table import Bar, Column, Entry, Table, field, words
from fer_audit.results import Cost, Latency, LayerCost, Results, RunRecord

_TIMES = "\u00d7"
_BATCHES = (1, 32)

#: The last columns of costs, which say nothing more of a model that is counted at one size alone.
_OF_REFERENCE = 2


def cost_table(results: Results) -> Table:
    """Counts of each model in every unit; unlike units stand apart, and only MACs have bars."""
    sizes = {cost.image_size for cost in results.costs}
    size = f"{results.dataset.image_size} px" if len(sizes) < 2 else "its size"
    reference = results.costs[0].reference_size if results.costs else 224
    columns: tuple[Column, ...] = (
        Column("Model", numeric=False),
        Column("params_total"),
        Column("params_trainable"),
        Column(f"MACs at {size}", "multiply-accumulates of convolution and dense layers"),
        Column(f"FLOPs at {size}", f"2 {_TIMES} MACs"),
        Column(f"Profiler at {size}", "float operations of the TensorFlow profiler, element-wise work among them"),
        Column(f"fvcore at {size}", "MACs, and 2 for each element of a batch norm; fvcore calls it FLOPs"),
        Column(f"MACs at {reference} px", "the size at which published figures are counted"),
        Column(f"FLOPs at {reference} px", f"2 {_TIMES} MACs"),
    )
    most = max((cost.macs for cost in results.costs), default=0) or 1
    rows = [_cost_row(cost, most) for cost in results.costs]
    if results.costs and all(cost.reference_size == cost.image_size for cost in results.costs):
        columns, rows = columns[:-_OF_REFERENCE], [row[:-_OF_REFERENCE] for row in rows]
    return Table("cost", "Counts for one image", columns, tuple(rows))


def _cost_row(cost: Cost, most: int) -> tuple[Entry, ...]:
    return (
        words(cost.model),
        field(cost, "params_total"),
        field(cost, "params_trainable"),
        replace(_large(cost, "macs"), bar=Bar(0, round(cost.macs / most, 3), 0)),
        *(_large(cost, name) for name in ("flops", "tf_profiler", "fvcore", "reference_macs", "reference_flops")),
    )


def _large(cost: Cost, name: str) -> Entry:
    """A count in short, and below it in full."""
    found = field(cost, name, short)
    return found if found.sort is None else replace(found, note=field(cost, name).text)


def speed_table(results: Results, run: RunRecord | None) -> Table:
    """Memory, size on disk, and speed at each size of a batch."""
    columns = [
        Column("Model", numeric=False),
        Column("Activations, peak", "bytes alive at once, in inference on one image"),
        Column("Activations, all", "bytes of all layers' outputs, as training keeps them for one image"),
        Column(".keras file", "bytes on disk"),
    ]
    for batch in _BATCHES:
        images = "one image" if batch == 1 else f"{batch} images"
        columns += [
            Column(f"p50 ms, batch {batch}", f"median time of a call with {images}, on one thread"),
            Column("p95 ms", "95th percentile of these calls"),
            Column("images/s", "over all of these calls"),
        ]
    speeds = [speeds_of(run, batch) for batch in _BATCHES]
    rows = [_speed_row(cost, [found.get(cost.model) for found in speeds]) for cost in results.costs]
    counted = {cost.model for cost in results.costs}
    timed = dict.fromkeys(name for found in speeds for name in found if name not in counted)
    rows += [_timed_row(name, [found.get(name) for found in speeds]) for name in timed]
    return Table("speed", "Memory and speed", tuple(columns), tuple(rows))


def _speed_row(cost: Cost, speeds: list[Latency | None]) -> tuple[Entry, ...]:
    sizes = ("activation_peak_bytes", "activation_output_bytes", "keras_file_bytes")
    return (
        words(cost.model),
        *(field(cost, name, _bytes) for name in sizes),
        *(entry for speed in speeds for entry in _speed(speed)),
    )


def _timed_row(model: str, speeds: list[Latency | None]) -> tuple[Entry, ...]:
    """A model of which nothing was counted, as its file is not one of Keras."""
    return (words(model), *[Entry(UNKNOWN)] * 3, *(entry for speed in speeds for entry in _speed(speed)))


def _speed(speed: Latency | None) -> tuple[Entry, Entry, Entry]:
    return (
        field(speed, "p50_ms", milliseconds),
        field(speed, "p95_ms", milliseconds),
        field(speed, "images_per_s", lambda value: f"{value:,.0f}"),
    )


def layer_tables(results: Results) -> list[Table]:
    """Every layer of each model, in running order."""
    return [_layers(place, cost) for place, cost in enumerate(results.costs) if cost.layers]


def _layers(place: int, cost: Cost) -> Table:
    columns = (
        Column("Layer", numeric=False),
        Column("Class", numeric=False),
        Column("Output", "without the batch", numeric=False),
        Column("params_total"),
        Column("params_trainable"),
        Column("MACs", "and their share of the model's"),
        Column("FLOPs", f"2 {_TIMES} MACs"),
        Column("Activations", "bytes of its output for one image"),
    )
    rows = [_layer_row(layer, cost.macs or 1) for layer in cost.layers]
    return Table(f"layers-{place}", f"Layers of {cost.model}", columns, tuple(rows), tools=True)


def _layer_row(layer: LayerCost, macs: int) -> tuple[Entry, ...]:
    shape = _TIMES.join("?" if length is None else str(length) for length in layer.output_shape)
    return (
        words(layer.name),
        words(layer.kind),
        words(shape),
        field(layer, "params_total"),
        field(layer, "params_trainable"),
        replace(field(layer, "macs"), note=percent(layer.macs / macs), bar=Bar(0, round(layer.macs / macs, 3), 0)),
        field(layer, "flops"),
        field(layer, "activation_bytes", _bytes),
    )


def speeds_of(run: RunRecord | None, batch: int) -> dict[str, Latency]:
    """The speed of each model at that size of a batch, where it was measured."""
    return {speed.model: speed for speed in run.latencies if speed.batch == batch} if run else {}


def milliseconds(value: float) -> str:
    """A time of a call."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _bytes(value: float) -> str:
    return f"{short(value)}B" if value >= 1000 else f"{value:.0f} B"
