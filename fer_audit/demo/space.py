"""A folder that is a Hugging Face Space: the page, the models, their cards, and what must be installed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import fer_audit
from fer_audit.demo.looked_at import Cut
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from fer_audit.export.chosen import ChosenModel

#: What the code of a Space is called: its own name, so that an installed fer-audit is never taken for it.
_PACKAGE = "demo_code"

#: The modules that the page needs. They import each other, and the packages of `_PACKAGES`.
_MODULES = (
    "errors",
    "data.progress",
    "data.images",
    "data.faces.align",
    "data.faces.detection",
    "data.faces.mtcnn_detector",
    "explain.heat_map",
    "explain.upsampling",
    "demo.drawing",
    "demo.looked_at",
    "demo.page",
    "demo.picture",
    "demo.reader",
    "demo.saved_reader",
    "demo.style",
)

#: Package -> where its version is read; OpenCV's parts differ in name only, and a server has no windows.
_PACKAGES = {
    "gradio": "gradio",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "mtcnn": "mtcnn",
    "numpy": "numpy",
    "opencv-python-headless": "opencv-python",
    "pillow": "pillow",
    "lz4": "lz4",
    "joblib": "joblib",
}

_NOTE = "Pictures go to the server of this page, and none is kept."

_APP = '''\
"""A Hugging Face Space, written by fer-audit {version}: it needs this folder and requirements.txt alone."""

import json
import os
from pathlib import Path

# Several threads of oneDNN write out of bounds where batches differ in length (TensorFlow 2.21).
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from {package}.data.faces.mtcnn_detector import MtcnnDetector  # noqa: E402
from {package}.demo.looked_at import Cut  # noqa: E402
from {package}.demo.page import Demo, make_page, page_options  # noqa: E402
from {package}.demo.saved_reader import SavedReader  # noqa: E402

HERE = Path(__file__).resolve().parent
SETTINGS = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))

readers = tuple(
    SavedReader(one["name"], HERE / one["folder"], tuple(one["classes"]), one["image_size"], one["no_heat"])
    for one in SETTINGS["models"]
)
cards = tuple((HERE / one["card"]).read_text(encoding="utf-8") for one in SETTINGS["models"])
demo = make_page(
    Demo(
        readers,
        cards,
        MtcnnDetector(),
        Cut(**SETTINGS["cut"]),
        prefer_whole=SETTINGS["prefer_whole"],
        note=SETTINGS["note"],
    )
)

if __name__ == "__main__":
    demo.launch(share=False, ssr_mode=False, enable_monitoring=False, **page_options())
'''


def check_folder(out: Path) -> None:
    """Raises FerAuditError where `out` is there and not an empty folder."""
    if out.exists() and not out.is_dir():
        raise FerAuditError(f"--space: {out} is a file; expected a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise FerAuditError(f"--space: {out} is not empty; expected a new folder, as nothing is overwritten")


def write_space(chosen: Sequence[ChosenModel], out: Path, cut: Cut) -> None:
    """Writes the Space of one or two models of a run to `out`; raises FerAuditError where it is not empty."""
    from fer_audit.export.card import model_card

    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    cards = [without_front_matter(model_card(one.results, one.record, one.cell)) for one in chosen]
    models = [_write_model(one, card, place, out) for place, (one, card) in enumerate(zip(chosen, cards, strict=True))]
    settings = {
        "cut": asdict(cut),
        "prefer_whole": chosen[0].results.dataset.drawn,
        "note": _NOTE,
        "models": models,
    }
    _write(out / "settings.json", json.dumps(settings, indent=1) + "\n")
    _write(out / "app.py", _APP.format(version=fer_audit.__version__, package=_PACKAGE))
    _write(out / "requirements.txt", requirements())
    _write(out / "README.md", f"{front_matter(chosen[0].results.grid)}\n" + "\n\n".join(cards))
    _write_code(out / _PACKAGE)


def _write_model(chosen: ChosenModel, card: str, place: int, out: Path) -> dict[str, Any]:
    """Writes a model and its card; what the app must know of it."""
    from fer_audit.demo.saved_network import write_network

    folder = f"models/{place}"
    no_heat = write_network(chosen.trained.network, chosen.image_size, out / folder)
    _write(out / f"{folder}.md", card)
    return {
        "name": chosen.cell.id,
        "folder": folder,
        "card": f"{folder}.md",
        "classes": list(chosen.classes),
        "image_size": chosen.image_size,
        "no_heat": no_heat,
    }


def front_matter(grid: str) -> str:
    """The head of a Space's README, by which Hugging Face knows how to start it."""
    known = {
        "title": f"Expressions: {grid}",
        "sdk": "gradio",
        "sdk_version": metadata.version("gradio"),
        "python_version": "3.11",
        "app_file": "app.py",
        "pinned": False,
    }
    return f"---\n{yaml.safe_dump(known, sort_keys=False, allow_unicode=True)}---\n"


def without_front_matter(card: str) -> str:
    """A card without the head that a model's repository would have."""
    return re.sub(r"\A---\n.*?\n---\n+", "", card, flags=re.DOTALL)


def requirements() -> str:
    """The packages of a Space, at the versions of this environment."""
    return "".join(f"{name}=={metadata.version(known)}\n" for name, known in _PACKAGES.items())


def _write_code(folder: Path) -> None:
    root = Path(fer_audit.__file__).parent
    head = f"# From fer-audit {fer_audit.__version__}, Apache License 2.0; changed: its imports are named {_PACKAGE}.\n"
    for module in _MODULES:
        source = root.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        target = folder.joinpath(*module.split(".")).with_suffix(".py")
        _write(target, head + re.sub(r"^(\s*from )fer_audit\.", rf"\1{_PACKAGE}.", source, flags=re.MULTILINE))
    for inner in {target.parent for target in folder.rglob("*.py")}:
        _write(inner / "__init__.py", "")
    licence = _licence(root)
    if licence:
        _write(folder / "LICENSE", licence)


def _licence(root: Path) -> str | None:
    """The licence of the code, of an installed package or of a checkout."""
    installed = metadata.distribution("fer-audit").read_text("licenses/LICENSE")
    beside = root.parent / "LICENSE"
    return installed or (beside.read_text(encoding="utf-8") if beside.is_file() else None)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
