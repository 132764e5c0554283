"""A chosen model in other formats: written, loaded again, compared, timed, recorded, and described by its card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import fer_audit
from fer_audit.export.agreement import agreement, network_logits
from fer_audit.export.card import model_card
from fer_audit.export.chosen import ChosenModel, ExportError
from fer_audit.export.formats import FILES, LABELS, Format, Images, write_model
from fer_audit.export.loaded import Logits, load
from fer_audit.export.record import EXPORT, Exported, ExportRecord, read_record, write_record
from fer_audit.export.rows import Compared, compared_rows, representative, run_data
from fer_audit.metrics.compute import measure_speed
from fer_audit.model_files.archive import reason
from fer_audit.model_files.digest import files_below, files_digest
from fer_audit.results import write_text
from fer_audit.store import Store

CARD = "MODEL_CARD.md"

#: Calls with one image that are timed.
_CALLS = 50


def check_folder(out: Path, chosen: ChosenModel) -> list[Exported]:
    """What an earlier export of the same model left in `out`; raises ExportError where something else lies there."""
    if out.exists() and not out.is_dir():
        raise ExportError(f"--out: {out} is a file; expected a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return []
    earlier = read_record(out / EXPORT)
    if earlier is None:
        raise ExportError(
            f"--out: {out} is not empty and holds no export that this fer-audit knows; expected a new folder, as "
            f"nothing of yours is overwritten"
        )
    if earlier.training != chosen.trained.training:
        raise ExportError(
            f"--out: {out} holds an export of cell {earlier.cell!r}, of another training; expected a folder of its own "
            f"for each model"
        )
    return [one for one in earlier.exported if (out / one.file).exists()]


def export_model(
    chosen: ChosenModel,
    store: Store,
    formats: Sequence[Format],
    out: Path,
    *,
    rows: int | None = None,
    device: str = "",
    on_step: Callable[[str], None] = lambda doing: None,
) -> ExportRecord:
    """Writes the model in `formats` to `out`, with export.json and its card; raises FerAuditError.

    Args:
        chosen: the model.
        store: with the images of the run.
        formats: each is written once.
        out: a new folder, or one with an earlier export of this model, whose other files stay.
        rows: test rows that files are compared on, drawn by chance; None: all.
        device: that latencies are measured on, in words.
        on_step: is told what is done next.
    """
    kept = check_folder(out, chosen)
    data = run_data(store, chosen)
    compared = compared_rows(data, rows)
    shown = representative(data) if "tflite-int8" in formats else None
    out.mkdir(parents=True, exist_ok=True)
    on_step("asking the network")
    original = network_logits(chosen.trained.network, compared)
    record = ExportRecord(
        fer_audit=fer_audit.__version__,
        grid=chosen.results.grid,
        cell=chosen.cell.id,
        training=chosen.trained.training,
        classes=list(chosen.classes),
        image_size=chosen.image_size,
        dataset_digest=chosen.results.dataset.digest,
        device=device,
        exported=[one for one in kept if one.format not in formats],
    )
    write_record(record, out / EXPORT)  # first, so that what an interruption leaves is known to be of this export
    for one in dict.fromkeys(formats):
        record.exported.append(_exported(chosen, one, out, shown, original, compared, on_step))
        write_record(record, out / EXPORT)
    write_text(out / LABELS, "".join(f"{name}\n" for name in chosen.classes))
    write_text(out / CARD, model_card(chosen.results, chosen.record, chosen.cell, record.exported))
    return record


def _exported(
    chosen: ChosenModel,
    format: Format,  # noqa: A002 - the word of the command
    out: Path,
    shown: Images | None,
    original: Logits,
    compared: Compared,
    on_step: Callable[[str], None],
) -> Exported:
    path = out / FILES[format]
    on_step(f"writing {path.name}")
    if path.is_dir():
        shutil.rmtree(path)  # of an earlier export, as `check_folder` saw
    _write(chosen, format, path, shown)
    on_step(f"loading {path.name} again")
    try:
        loaded = load(format, path)
        found = agreement(loaded, original, compared)
        speed = measure_speed(loaded.once, compared.images.shape[1:], batch=1, runs=_CALLS)
    except Exception as error:  # runtimes fail in any way on files of operators that they lack
        _remove(path)
        raise ExportError(
            f"model {chosen.cell.model!r} was written as {format}, which its own runtime can't run "
            f"({type(error).__name__}: {reason(error)}); expected layers that it knows; choose another --format"
        ) from error
    sha256, size = files_digest(out, files_below(path) if path.is_dir() else [path])
    return Exported(
        format=format,
        file=path.name,
        bytes=size,
        sha256=sha256,
        runtime=loaded.runtime,
        rows=len(compared),
        max_difference=found.max_difference,
        equal=found.equal,
        accuracy=found.accuracy,
        original_accuracy=found.original_accuracy,
        p50_ms=speed.p50_ms,
        p95_ms=speed.p95_ms,
        calls=speed.runs,
        calibrated_on=len(shown) if shown is not None and format == "tflite-int8" else None,
    )


def _write(chosen: ChosenModel, format: Format, path: Path, shown: Images | None) -> None:  # noqa: A002
    try:
        write_model(chosen.trained.network, chosen.classes, chosen.image_size, format, path, representative=shown)
    except ExportError:
        raise
    except Exception as error:  # converters fail in any way on layers that they do not know
        raise ExportError(
            f"model {chosen.cell.model!r} can't be written as {format} ({type(error).__name__}: {reason(error)}); "
            f"expected layers that its converter knows; choose another --format"
        ) from error


def _remove(path: Path) -> None:
    """Removes what an export wrote: a file, or the folder of a SavedModel."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
