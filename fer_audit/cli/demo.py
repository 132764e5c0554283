"""`fer-audit demo RUN --cell ID`: tries a model of a finished run on a local web page, or writes a Space of it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import sys
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_plugins, add_store, plugin_folders
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from fer_audit.demo.looked_at import Cut
    from fer_audit.demo.page import Demo
    from fer_audit.export.chosen import ChosenModel

_MOST = 2  #: models side by side
_DRAWN = "synthface"  #: the dataset that a face can be drawn of

#: As in a worker: several threads of oneDNN write out of bounds where batches differ in length (TensorFlow 2.21).
_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `demo`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run, such as reports/grid")
    parser.add_argument(
        "--cell",
        action="append",
        default=[],
        dest="cells",
        metavar="ID",
        help="the cell whose model is shown; given twice, two models stand side by side (default: the only cell)",
    )
    parser.add_argument(
        "--prepared",
        type=Path,
        metavar="DIR",
        help="the folder that fer-audit prepare wrote for this run: faces are cut out with its settings (default: the "
        "settings of fer-audit prepare)",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="to listen on (default: the first free from 7860)")
    parser.add_argument("--space", type=Path, metavar="OUT", help="write a Hugging Face Space to this folder instead")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    add_store(parser)
    add_plugins(parser)


def execute(options: argparse.Namespace) -> int:
    """Serves the page until it is interrupted, or writes a Space."""
    _check(options)
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)
    if options.space is not None:
        return _write_space(options)
    from fer_audit.demo.server import is_loopback, listening, serve, uploads

    began = time.perf_counter()
    with listening(options.host, options.port) as where, uploads():
        if not is_loopback(options.host):
            _say(
                f"warning: --host {options.host} lets anyone on the network reach this page and give it pictures; "
                f"browsers offer no webcam there"
            )
        with contextlib.suppress(KeyboardInterrupt):
            serve(_demo(options), where, options.host, lambda url: _started(url, options, began))
    _say("stopped; no picture was kept")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raises FerAuditError where something can't be meant."""
    if importlib.util.find_spec("gradio") is None:
        raise FerAuditError("the demo needs Gradio, which is not installed; install it: pip install 'fer-audit[demo]'")
    if len(options.cells) > _MOST:
        raise FerAuditError(f"--cell: expected one or two cells, received {len(options.cells)}")
    if options.port is not None and not 0 <= options.port <= 65535:
        raise FerAuditError(f"--port must be 0 to 65535, received {options.port}")
    if options.space is not None:
        from fer_audit.demo.space import check_folder

        check_folder(options.space)


def _started(url: str, options: argparse.Namespace, began: float) -> None:
    _say(f"demo: {url} (ready after {time.perf_counter() - began:.1f} s; Ctrl-C ends it)")
    if not options.no_browser and _has_screen():
        webbrowser.open(url)


def _has_screen() -> bool:
    """Whether a browser can have a window; in a terminal alone it would take the terminal over."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _demo(options: argparse.Namespace) -> Demo:
    from fer_audit.data.faces.mtcnn_detector import MtcnnDetector
    from fer_audit.demo.drawn_face import face_drawer
    from fer_audit.demo.keras_reader import KerasReader
    from fer_audit.demo.page import Demo
    from fer_audit.demo.space import without_front_matter
    from fer_audit.export.card import model_card

    chosen = _chosen(options)
    dataset, size = chosen[0].results.dataset, chosen[0].image_size
    return Demo(
        readers=tuple(KerasReader(one.cell.id, one.trained.network, one.classes, one.image_size) for one in chosen),
        cards=tuple(without_front_matter(model_card(one.results, one.record, one.cell)) for one in chosen),
        detector=MtcnnDetector(),
        cut=_cut(options.prepared),
        prefer_whole=dataset.drawn,
        sample=face_drawer(dataset.plugin.params, size) if dataset.plugin.name == _DRAWN else None,
        note="Pictures go to this computer alone, and none is kept.",
    )


def _chosen(options: argparse.Namespace) -> list[ChosenModel]:
    """The one or two models that were asked for."""
    from fer_audit.export.chosen import chosen_model
    from fer_audit.remote_store import open_at

    store, folders = open_at(options.store), plugin_folders(options)
    found = [chosen_model(options.run, pattern, store, folders) for pattern in options.cells or [None]]
    if len({one.cell.id for one in found}) < len(found):
        raise FerAuditError(f"--cell names {found[0].cell.id!r} twice; expected two different cells")
    return found


def _cut(folder: Path | None) -> Cut:
    """How faces are cut out: as in a prepared `folder`, or as by default."""
    from fer_audit.demo.looked_at import Cut

    if folder is None:
        return Cut()
    try:
        settings = json.loads((folder / "prepare.json").read_text(encoding="utf-8"))["settings"]
        return Cut(int(settings["size"]), float(settings["margin"]), bool(settings["align"]))
    except (OSError, ValueError, LookupError, TypeError):
        raise FerAuditError(
            f"--prepared: {folder} has no prepare.json that can be read; expected a folder that fer-audit prepare wrote"
        ) from None


def _write_space(options: argparse.Namespace) -> int:
    from fer_audit.demo.space import write_space

    write_space(_chosen(options), options.space, _cut(options.prepared))
    _say(f"space: {options.space}; try it there with python app.py")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
