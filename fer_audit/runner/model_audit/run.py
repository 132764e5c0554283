"""Running an audit: every model is opened, asked, attacked and measured, and the results are written."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from rich.console import Console

from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.data.dataset import Dataset
from fer_audit.data.hygiene import check_hygiene
from fer_audit.errors import SignalsError
from fer_audit.grid import Grid, GridFile, PluginRef
from fer_audit.grid_plugins import GridPlugins
from fer_audit.registry import Registry
from fer_audit.results import (
    Cell,
    Cost,
    Gate,
    Latency,
    Results,
    write_results,
    write_run,
)
from fer_audit.runner.collect import provenance_of
from fer_audit.runner.dataset import summarised
from fer_audit.runner.galleries import audited_heat_maps
from fer_audit.runner.model_audit.attacked import check_calibration
from fer_audit.runner.model_audit.cells import MEMBERS, NONMEMBERS, Cells, doing
from fer_audit.runner.model_audit.references import References, given_references, reference_count, trained_references
from fer_audit.runner.model_audit.subjects import Audited, open_audited
from fer_audit.runner.records import RECORDS
from fer_audit.runner.run import Outcome, make_folder, now, opening_record
from fer_audit.store import Store
from fer_audit.training.costs import outside_cost, timed

#: Packages that read model files.
_READERS = ("onnxruntime", "ai-edge-litert")


@dataclass(frozen=True)
class Prepared:
    """An audit whose files are open and whose rows are read."""

    registry: Registry
    plugins: GridPlugins
    dataset: Dataset
    audited: Sequence[Audited]
    references: int  #: that there will be


def prepare_audit(file: GridFile, store: Store, console: Console) -> Prepared:
    """Opens models and rows; raises ModelFileError, DataError, PluginError where they can't be used."""
    import keras

    keras.utils.clear_session()  # names of layers, which costs are told by, are numbered over all networks of a process
    registry = Registry.load(file.plugin_folders)
    plugins = GridPlugins(registry)
    plugins.check_all(file.grid)
    dataset = cast("Dataset", plugins.create("dataset", file.grid.dataset))
    with doing(console, "opening models and rows"):
        audited = open_audited(file, dataset, registry, store)
    return Prepared(registry, plugins, dataset, audited, reference_count(file))


def run_audit(
    file: GridFile,
    prepared: Prepared,
    store: Store,
    folder: Path,
    *,
    workers: int,
    console: Console,
    command: str,
) -> Outcome:
    """Audits the models of a grid's `audit` and writes results.json, run.json and what belongs to them to `folder`.

    Raises SignalsError before anything is trained or written where an attack lacks something, and ModelFileError where
    a model's answers can't be used.
    """
    began, opening = time.perf_counter(), opening_record(file, workers, command)
    plugins, audited = prepared.plugins, prepared.audited
    attacks = [_attack(plugins, ref) for ref in file.grid.attacks.membership]
    check_attacks(attacks, audited[0], file.grid, prepared.references)
    if not prepared.references and attacks:
        for one in audited:
            check_calibration(one, _share(file), file.grid.seeds[0])
    references = _references(file, store, audited[0], prepared.registry, workers, console)
    with doing(console, "checking the rows"):
        hygiene = check_hygiene(audited[0].rows.sides, {}, (MEMBERS, NONMEMBERS, "population"))
    make_folder(folder)
    shutil.rmtree(folder / RECORDS, ignore_errors=True)
    made = Cells(file, store, folder, console, audited, attacks, references, hygiene)
    cells = [made.cell(place) for place in range(len(audited))]
    results = _results(file, prepared, made, cells)
    write_results(results, folder / "results.json")
    latencies = [latency for one in audited for latency in _latencies(one)]
    closing = {"finished": now(), "seconds": round(time.perf_counter() - began, 1), "latencies": latencies}
    record = opening.model_copy(update=closing)
    write_run(record, folder / "run.json")
    failed = {cell.id: cell.error.strip().splitlines()[-1] for cell in cells if cell.status == "failed"}
    return Outcome(results, record, failed)


def _share(file: GridFile) -> float:
    return file.grid.audit.calibration if file.grid.audit else 0.0


def _attack(plugins: GridPlugins, ref: PluginRef) -> MembershipAttack:
    return cast("MembershipAttack", plugins.create("membership-attack", ref))


def _references(
    file: GridFile, store: Store, first: Audited, registry: Registry, workers: int, console: Console
) -> References | None:
    """The reference models, which all audited models share."""
    if file.grid.models:
        return trained_references(file, store, workers=workers, console=console)
    if file.grid.audit and file.grid.audit.references is not None:
        with doing(console, "asking reference models"):
            return given_references(file.base / file.grid.audit.references, first, registry, file.grid.privacy.queries)
    return None


def check_attacks(attacks: Sequence[MembershipAttack], first: Audited, grid: Grid, references: int) -> None:
    """Raises SignalsError where an attack lacks something, before any model is asked."""
    for attack in attacks:
        attack.check_plan(
            references=references,
            population=len(first.rows.data.population) > 0,
            queries=len(grid.privacy.queries),
            subjects=first.rows.data.pool.subjects is not None,
        )
        if attack.needed().loss_trace:
            raise SignalsError(
                f"membership attack {attack.name!r} needs the losses of every epoch, which a finished model has not"
            )


def _latencies(audited: Audited) -> Iterator[Latency]:
    size = audited.model.image_size
    for speed in timed(audited.model.once, (size, size, 3)):
        yield Latency(model=audited.label, image_size=size, **speed._asdict())


def _results(file: GridFile, prepared: Prepared, made: Cells, cells: list[Cell]) -> Results:
    """The results of all cells."""
    grid, audited = file.grid, prepared.audited
    data = audited[0].rows.data
    shown = data.drawn or grid.include_images
    labels = np.asarray(data.test.labels)
    return Results(
        grid=grid.name,
        include_images=grid.include_images,
        dataset=summarised(prepared.dataset, data, audited[0].model.image_size, made.hygiene),
        costs=[_cost(one) for one in audited if one.model.network is not None],
        cells=cells,
        gates=[Gate.model_validate(gate.recorded) for gate in grid.gates],
        galleries=audited_heat_maps(data.classes, labels, made.explained, made.folder) if shown else [],
        provenance=provenance_of(file, prepared.plugins.code(file), _READERS),
    )


def _cost(audited: Audited) -> Cost:
    return Cost(model=audited.label, **outside_cost(audited.model.network, audited.model.image_size))
