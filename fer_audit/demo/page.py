"""The page of the demo in Gradio: a picture in, what models read out, nothing kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio
from gradio.utils import get_upload_folder

from fer_audit.data.faces.detection import Detector
from fer_audit.demo.drawing import EMPTY, found_text, picture_html, readings_html, status_html
from fer_audit.demo.looked_at import Cut, Part, Picture, Pixels, first_choice, look_at, names
from fer_audit.demo.picture import LARGEST_FILE, read_picture
from fer_audit.demo.reader import Reader, read
from fer_audit.demo.style import CSS, HEADER
from fer_audit.errors import DataError

TITLE = "fer-audit demo"

#: Seconds between two looks for uploads that nobody asked to be read, and the age from which they are removed.
_SWEEP, _OLD = 30, 120
#: Seconds that the cut-out faces of a visitor are kept for choosing another one.
_REMEMBERED = 900
_WELCOME = "Give a picture with a face: drop it, choose a file, paste it, or use the webcam."

Updates = tuple[Any, ...]


@dataclass(frozen=True)
class Demo:
    """What a page shows."""

    readers: tuple[Reader, ...]  #: one or two, of the same image size
    cards: tuple[str, ...]  #: the model card of each, in markdown
    detector: Detector
    cut: Cut = field(default_factory=Cut)
    prefer_whole: bool = False  #: True where models were trained on pictures that nobody cut faces out of
    sample: Callable[[], Pixels] | None = None  #: draws a face to try; None where nothing is drawn
    note: str = ""  #: one sentence below the title


def make_page(demo: Demo) -> Any:
    """The page, a `gradio.Blocks` to be served with `page_options`."""
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_SWEEP, _OLD), fill_width=True) as page:
        gradio.HTML(HEADER.replace("{note}", demo.note), elem_id="head")
        with gradio.Row(elem_id="columns"):
            with gradio.Column(scale=4, min_width=300):
                given = _input()
                drawn = gradio.Button("Draw a face to try", size="sm", elem_id="draw", visible=demo.sample is not None)
                said = gradio.HTML(status_html(_WELCOME), elem_id="status")
                part = gradio.Radio([], label="What is read", visible=False, elem_id="part")
                seen = gradio.HTML("", elem_id="seen-picture")
            with gradio.Column(scale=8, min_width=320):
                answers = gradio.HTML(EMPTY, elem_id="answers")
                _add_cards(demo)
        remembered = gradio.State(None, time_to_live=_REMEMBERED)
        asked = _Asked(demo)
        outputs = [said, part, seen, answers, remembered]
        shared: dict[str, Any] = {"concurrency_id": "read", "concurrency_limit": 1, "api_visibility": "private"}
        given.input(asked.given, given, [given, *outputs], preprocess=False, show_progress_on=[answers], **shared)
        part.input(asked.chosen, [part, remembered], [said, seen, answers], show_progress="hidden", **shared)
        if demo.sample is not None:
            drawn.click(asked.drawn, None, outputs, show_progress_on=[answers], **shared)
    return page


def page_options() -> dict[str, Any]:
    """How the page is served: without a footer, history, or anything from another server."""
    fonts = ["Inter", "Segoe UI", "Helvetica Neue", "Helvetica", "Arial", "sans-serif"]
    theme = gradio.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "Menlo", "Consolas"]
    )
    return {"theme": theme, "css": CSS, "footer_links": [], "run_history": False, "max_file_size": LARGEST_FILE}


def _input() -> Any:
    return gradio.Image(
        label="Picture",
        sources=["upload", "webcam", "clipboard"],
        type="filepath",
        image_mode=None,
        buttons=[],
        height=240,
        placeholder=f"Drop a picture, or click to choose\nJPEG, PNG or WebP up to {LARGEST_FILE >> 20} MB",
        elem_id="picture",
    )


def _add_cards(demo: Demo) -> None:
    for reader, card in zip(demo.readers, demo.cards, strict=True):
        with gradio.Accordion(f"Model card: {reader.name}", open=False, elem_classes="card"):
            gradio.Markdown(card, latex_delimiters=[])


class _Asked:
    """What the page calls."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._size = demo.readers[0].image_size

    def given(self, file: dict[str, Any] | None) -> Updates:
        """A picture was given: its file is read and removed."""
        if not file or not file.get("path"):
            return (None, *self._nothing(_WELCOME, "note"))
        path = Path(file["path"]).resolve()
        if not path.is_relative_to(Path(get_upload_folder()).resolve()):
            # Whoever can reach the page can name any file here, and what is named is read and removed.
            return (None, *self._nothing("This is no picture that was uploaded here; choose a file.", "problem"))
        try:
            image = read_picture(path)
        except DataError as error:
            return (None, *self._nothing(str(error), "problem"))
        finally:
            _remove(path)
        return (None, *self._looked_at(image))

    def drawn(self) -> Updates:
        """A face was asked for."""
        assert self._demo.sample is not None  # noqa: S101 - there is no button otherwise
        return self._looked_at(self._demo.sample())

    def chosen(self, name: str | None, picture: Picture | None) -> Updates:
        """Another face, or the whole picture, was chosen."""
        if picture is None or name is None:
            return status_html("The picture is forgotten; give it again."), "", EMPTY
        return self._shown(picture, picture.part(name))

    def _looked_at(self, image: Pixels) -> Updates:
        picture = look_at(image, self._demo.detector, self._size, self._demo.cut)
        first = first_choice(picture, self._demo.prefer_whole)
        said, seen, answers = self._shown(picture, picture.part(first) if first else None)
        choice = gradio.Radio(choices=list(names(picture)), value=first, visible=True)
        return said, choice, seen, answers, picture

    def _shown(self, picture: Picture, part: Part | None) -> Updates:
        said = status_html(found_text(picture, part), "note" if part else "problem")
        answers = readings_html([read(reader, part) for reader in self._demo.readers]) if part else EMPTY
        return said, picture_html(picture, part), answers

    def _nothing(self, text: str, kind: str) -> Updates:
        return status_html(text, kind), gradio.Radio(choices=[], value=None, visible=False), "", EMPTY, None


def _remove(path: Path) -> None:
    """Removes an upload, and the folder that Gradio made for it."""
    with contextlib.suppress(OSError):
        path.unlink()
        path.parent.rmdir()  # refuses where another upload lies in it
