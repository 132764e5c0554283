"""What an audited model answers, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.accuracy import accuracy, balanced_accuracy, confusion_matrix, per_class_recall
from fer_audit.results import AuditedFile, Utility
from fer_audit.runner.model_audit.references import References
from fer_audit.runner.model_audit.subjects import Audited, Logits, answers


@dataclass(frozen=True)
class Asked:
    """What a model answered."""

    pool: Logits  #: (N, Q, C)
    population: Logits  #: (Z, Q, C)
    test: Logits  #: (T, C)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(T,)."""
        return np.asarray(self.test.argmax(axis=1), np.int64)


def ask(audited: Audited, queries: tuple[str, ...]) -> Asked:
    """Everything that an audit asks a model; raises ModelFileError."""
    data = audited.rows.data
    pool = answers(audited.model, data.pool.images, queries)
    population = answers(audited.model, data.population.images, queries)
    return Asked(pool, population, answers(audited.model, data.test.images, ("identity",))[:, 0])


def audited_file(audited: Audited, references: References | None) -> AuditedFile:
    """What the report says of the file."""
    opened, section = audited.opened, audited.section
    return AuditedFile(
        file=Path(section.file).name,
        format=opened.format,
        sha256=opened.sha256,
        bytes=opened.bytes,
        input_shape=None if opened.input_shape is None else list(opened.input_shape),
        outputs=audited.model.outputs,
        preprocessing=section.preprocessing.model_dump(mode="json"),
        trusted=section.trust,
        checkpoint=section.checkpoint,
        references=references.words if references else "",
    )


def utility(audited: Audited, asked: Asked) -> Utility:
    """Accuracy on the test split, and on the members."""
    rows, classes = audited.rows, len(audited.rows.data.classes)
    labels, test = np.asarray(rows.data.test.labels), rows.data.test
    fitted = asked.pool[rows.member, 0].argmax(axis=1) == np.asarray(rows.data.pool.labels)[rows.member]
    return Utility(
        training="",
        accuracy=accuracy(labels, asked.predicted, test.units),
        balanced_accuracy=balanced_accuracy(labels, asked.predicted, classes),
        per_class=per_class_recall(labels, asked.predicted, classes),
        confusion=confusion_matrix(labels, asked.predicted, classes).tolist(),
        train_accuracy=float(fitted.mean()),
        history=[],
    )
