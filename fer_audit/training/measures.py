"""What is measured on a trained network itself: corrupted and adversarial images, batches, and heat maps."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.data.dataset import FaceData
from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.grad_cam import GradCam
from fer_audit.explain.row_measures import measure_maps
from fer_audit.robustness.adversarial import ATTACKS, LossGradient, attack
from fer_audit.robustness.batch_invariance import probe
from fer_audit.robustness.corruptions import corrupt
from fer_audit.specs import MeasureSpec, corrupted_key
from fer_audit.store import ArtefactName, Store

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class Asked(Protocol):
    """A network that can be asked, such as a program with its weights."""

    @property
    def logits(self) -> Callable[[Images], npt.NDArray[np.float32]]:
        """Logits float32 (N, C) of images uint8 (N, H, W, 3)."""

    @property
    def network(self) -> Any:
        """The `keras.Model` from such images to logits, its weights up to date."""


class Instruments:
    """What is traced once for a program, and then measures every training of it."""

    def __init__(self, program: Asked) -> None:
        """Nothing is traced before it is used."""
        self._program = program
        self._gradients: list[LossGradient] = []
        self._cams: dict[str | None, GradCam] = {}

    def gradient(self) -> LossGradient:
        """The gradient of the loss, with the weights that the program has now."""
        network = self._program.network  # brings its weights up to date
        if not self._gradients:
            self._gradients.append(LossGradient(network))
        return self._gradients[0]

    def cam(self, layer: str | None) -> GradCam:
        """Grad-CAM, with the weights that the program has now; raises ExplanationError."""
        network = self._program.network
        if layer not in self._cams:
            self._cams[layer] = GradCam(network, layer)
        return self._cams[layer]


@dataclass(frozen=True)
class Trained:
    """A trained network, and what it is measured with."""

    program: Asked
    instruments: Instruments
    faces: FaceData
    augmentations: Sequence[Augmentation]  #: that it was trained with
    batch_size: int  #: that it is asked with
    test_pixels: str  #: digest of the images of the test split
    versions: dict[str, str]  #: of what corrupts images
    data: str  #: address of the dataset
    store: Store


@dataclass(frozen=True)
class Found:
    """What a measure leaves in the store."""

    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)  #: JSON
    uses: Sequence[ArtefactName] = ()  #: artefacts beside the training that it was made from

    def save(self, folder: Path) -> None:
        """Writes arrays and facts."""
        np.savez(folder / "arrays.npz", **self.arrays)
        (folder / "facts.json").write_text(json.dumps(self.facts, indent=1), encoding="utf-8")


def measured(trained: Trained, measure: MeasureSpec) -> Found:
    """What `measure` finds on the test split."""
    return _MEASURES[measure.kind](trained, measure)


def chosen_rows(rows: int, wanted: int | None, seed: int) -> Rows:
    """Indices (K,) of `wanted` of `rows` rows, drawn at random and in order; all of them for None."""
    drawn = np.random.default_rng(seed).permutation(rows)[: rows if wanted is None else wanted]
    return np.sort(drawn).astype(np.int64)


def _corruption(trained: Trained, measure: MeasureSpec) -> Found:
    """Predictions (severities, K) on the chosen rows of the test split."""
    name = _corrupted_images(trained, measure)
    folder, severities = trained.store.path(*name), measure.params["severities"]
    predictions = [
        trained.program.logits(np.load(folder / f"{severity}.npy", mmap_mode="r")).argmax(axis=1)
        for severity in severities
    ]
    rows = chosen_rows(len(trained.faces.test), measure.params["rows"], measure.params["seed"])
    return Found({"rows": rows, "predictions": np.stack(predictions).astype(np.int16)}, uses=[name])


def _corrupted_images(trained: Trained, measure: MeasureSpec) -> ArtefactName:
    """The corrupted test images, made once for a dataset and kept: all models are asked about the same ones."""
    name = ("corrupted", corrupted_key(trained.test_pixels, measure, trained.versions))
    if trained.store.has(*name):
        return name
    params, test = measure.params, trained.faces.test
    images = np.asarray(test.images[chosen_rows(len(test), params["rows"], params["seed"])])

    def fill(folder: Path) -> None:
        for severity in params["severities"]:
            np.save(folder / f"{severity}.npy", corrupt(images, params["corruption"], severity, params["seed"]))

    title = f"{len(images)} test images, {params['corruption']} at severities {params['severities']}"
    trained.store.write(*name, fill, title=title, uses=[("datasets", trained.data)])
    return name


def _adversarial(trained: Trained, measure: MeasureSpec) -> Found:
    params, test = measure.params, trained.faces.test
    rows = chosen_rows(len(test), params["rows"], params["seed"])
    found = attack(
        trained.instruments.gradient(),
        np.asarray(test.images[rows]),
        np.asarray(test.labels)[rows],
        epsilons=params["epsilons"],
        steps=params["steps"],
        batch_size=trained.batch_size,
        seed=params["seed"],
    )
    return Found({"rows": rows, **vars(found)}, {"attacks": list(ATTACKS)})


def _batch_invariance(trained: Trained, measure: MeasureSpec) -> Found:
    params, test = measure.params, trained.faces.test
    rows = chosen_rows(len(test), params["rows"], params["seed"])
    found = probe(
        trained.program.logits,
        np.asarray(test.images[rows]),
        np.asarray(test.labels)[rows],
        batch_size=trained.batch_size,
        seed=params["seed"],
    )
    # JSON knows no infinity, which is the difference to a logit that is not finite.
    difference = min(found.max_difference, sys.float_info.max)
    facts = {"rows": len(rows), "max_difference": difference, "tolerance": found.tolerance}
    verdict = {"changed": found.changed, "passed": found.passed, "explanation": found.explanation}
    return Found({}, facts | verdict)


def _explanation(trained: Trained, measure: MeasureSpec) -> Found:
    """Measures of the heat maps of the chosen rows, and the maps of one row of each class."""
    params, test = measure.params, trained.faces.test
    try:
        cam = trained.instruments.cam(params["layer"])
    except ExplanationError as error:
        return Found({}, {"refused": str(error)})
    labels = np.asarray(test.labels)
    rows = chosen_rows(len(test), params["rows"], params["seed"])
    masks = None if test.masks is None else np.asarray(test.masks[rows])
    images = np.asarray(test.images[rows])
    found = measure_maps(trained.program.logits, cam, images, masks, steps=params["steps"], seed=params["seed"])
    shown = first_of_each(labels)
    views: dict[str, Images | None] = {"shown": np.asarray(test.images[shown]), "augmented": _augmented(trained, shown)}
    maps: dict[str, npt.NDArray[Any]] = {"rows": rows, "shown": shown}
    for name, view in views.items():
        if view is not None:
            predicted = trained.program.logits(view).argmax(axis=1)
            maps |= {
                f"{name}_images": view,
                f"{name}_predicted": predicted,
                f"{name}_maps": _quantised(cam(view, predicted)),
            }
    empty = int((found.maps.max(axis=(1, 2)) == 0).sum())
    facts = {"layer": cam.layer, "map_size": list(cam.map_shape), "empty": empty}
    return Found({**maps, **found.values}, facts)


def first_of_each(labels: Rows) -> Rows:
    """The first row of each class that has one, by class."""
    return np.array([np.flatnonzero(labels == label)[0] for label in np.unique(labels)], np.int64)


def _augmented(trained: Trained, rows: Rows) -> Images | None:
    """The test images `rows` as a training batch would have seen them, or None where nothing is augmented."""
    if not trained.augmentations:
        return None
    images, rng = np.asarray(trained.faces.test.images[rows]), np.random.default_rng(0)
    labels = np.eye(len(trained.faces.classes), dtype=np.float32)[np.asarray(trained.faces.test.labels)[rows]]
    for augmentation in trained.augmentations:
        images, labels = augmentation(images, labels, rng)
    return images


def _quantised(maps: npt.NDArray[np.float32]) -> Images:
    return np.asarray(np.rint(255 * maps), np.uint8)


_MEASURES: Mapping[str, Callable[[Trained, MeasureSpec], Found]] = {
    "corruption": _corruption,
    "adversarial": _adversarial,
    "batch-invariance": _batch_invariance,
    "explanation": _explanation,
}
