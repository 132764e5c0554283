"""What the page shows, as HTML whose pictures are in it: no file is written for them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from fer_audit.demo.looked_at import Part, Picture, Pixels
from fer_audit.demo.reader import Reading
from fer_audit.explain.heat_map import overlay
from fer_audit.explain.upsampling import upsampled

_SHOWN = 224  #: px a side of the small pictures, so that a heat map is smooth

EMPTY = '<div class="hint">What the model reads appears here.</div>'


def picture_html(picture: Picture, chosen: Part | None) -> str:
    """The picture with a numbered box around each face, the chosen one in full colour."""
    height, width, _ = picture.shown.shape
    boxes = [
        _box(part, place, part is chosen, max(width, height))
        for place, part in enumerate(picture.parts, 1)
        if part.box is not None
    ]
    whole = ' class="whole"' if chosen is not None and chosen.box is None else ""
    told = f"the picture, with {_count(picture.faces)} marked"
    return (
        f'<figure id="seen"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}"{whole}>'
        f'<image href="{data_uri(picture.shown)}" width="{width}" height="{height}"/>{"".join(boxes)}</svg></figure>'
    )


def _box(part: Part, place: int, chosen: bool, side: int) -> str:
    assert part.box is not None  # noqa: S101 - only faces have boxes drawn
    left, top, right, bottom = part.box
    text = side / 24
    name = "chosen" if chosen else "other"
    return (
        f'<g class="{name}"><rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" rx="{side / 120:.1f}"/>'
        f'<text x="{max(left, 0) + text / 3:.1f}" y="{max(top, 0) + text * 1.1:.1f}" '
        f'font-size="{text:.1f}">{place}</text></g>'
    )


def _count(faces: int) -> str:
    return "1 face" if faces == 1 else f"{faces or 'no'} faces"


def status_html(text: str, kind: str = "note") -> str:
    """One sentence; `kind` is note or problem."""
    role = "alert" if kind == "problem" else "status"
    return f'<p id="said" class="{escape(kind)}" role="{role}">{escape(text)}</p>'


def found_text(picture: Picture, chosen: Part | None) -> str:
    """What was found in a picture, and what is read of it."""
    if chosen is None:
        return "No face was found in this picture. To read it all the same, choose the whole picture below."
    found = f"{_count(picture.faces)} found" if picture.faces else "No face was found"
    return f"{found}; what is read is {chosen.name}."


def reading_html(reading: Reading) -> str:
    """One model's answer: the expression, a bar a class, and where in the face it was found."""
    top = reading.top
    rows = "".join(
        _bar(name, float(value), place == top)
        for place, (name, value) in enumerate(zip(reading.classes, reading.probabilities, strict=True))
    )
    return (
        f'<article class="reading" data-model="{escape(reading.reader)}"><h3>{escape(reading.reader)}</h3>'
        f'<p class="verdict"><strong>{escape(reading.classes[top])}</strong>'
        f"<span>{percent(float(reading.probabilities[top]))}</span></p>"
        f"<table><caption>Probability of each expression</caption><tbody>{rows}</tbody></table>"
        f'<div class="pair">{_small(reading.image, "What the model is shown")}{_heat(reading)}</div></article>'
    )


def readings_html(readings: Sequence[Reading]) -> str:
    """The answers side by side."""
    return f'<div class="readings of{len(readings)}">{"".join(map(reading_html, readings))}</div>'


def _bar(name: str, value: float, top: bool) -> str:
    return (
        f'<tr class="{"top" if top else "other"}" data-class="{escape(name)}" data-probability="{value:.6f}">'
        f'<th scope="row">{escape(name)}</th><td class="track"><i style="width:{100 * value:.2f}%"></i></td>'
        f'<td class="n">{percent(value)}</td></tr>'
    )


def percent(value: float) -> str:
    """A probability as it is written: `87.3 %`."""
    return f"{100 * value:.1f}\u202f%"


def _small(image: Pixels, title: str) -> str:
    shown = data_uri(_enlarged(image))
    return f'<figure><img src="{shown}" alt="{escape(title)}"><figcaption>{escape(title)}</figcaption></figure>'


def _heat(reading: Reading) -> str:
    if reading.heat is None:
        return f'<figure class="none"><p>No heat map: {escape(reading.no_heat)}</p></figure>'
    if not reading.heat.any():
        said = f"Grad-CAM finds no place that speaks for {reading.classes[reading.top]}."
        return f'<figure class="none"><p>{escape(said)}</p></figure>'
    title = f"What speaks for {reading.classes[reading.top]} (Grad-CAM)"
    heat = upsampled(reading.heat[None], _SHOWN, _SHOWN)[0]
    return _small(overlay(_enlarged(reading.image), heat), title)


def _enlarged(image: Pixels) -> Pixels:
    if image.shape[0] >= _SHOWN:
        return image
    return np.asarray(Image.fromarray(image).resize((_SHOWN, _SHOWN), Image.Resampling.BICUBIC))


def data_uri(image: Pixels) -> str:
    """`image` (H, W, 3) as a JPEG within an address."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
