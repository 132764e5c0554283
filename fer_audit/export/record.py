"""What is known of exported files: the versioned record that lies beside them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fer_audit.export.formats import Format
from fer_audit.results import Estimate, write_text

SCHEMA_VERSION = 1
EXPORT = "export.json"

#: Between logits of a file of floats and of the network, and the share of rows that may be predicted otherwise.
MOST_DIFFERENCE, MOST_UNEQUAL = 1e-3, 1e-3

#: Share of rows that a quantised file should predict as the network does.
LEAST_EQUAL = 0.97


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Exported(_Record):
    """A file that was written, and what it answered when it was loaded again by a runtime of its own."""

    format: Format
    file: str  #: or folder, relative to export.json
    bytes: int  #: of all its files
    sha256: str  #: of the file, or of all files of a folder
    runtime: str  #: that loaded it again, with its version
    rows: int  #: test images that it was asked about
    max_difference: float | None  #: between its logits and those of the network; None where one is not a number
    equal: Estimate  #: share of rows that both predict alike
    accuracy: Estimate  #: on these rows
    original_accuracy: Estimate  #: of the network, on the same rows
    p50_ms: float  #: of a call with one image, on one thread
    p95_ms: float
    calls: int  #: that were timed
    calibrated_on: int | None = None  #: train images that ranges were read from; None where nothing is quantised

    @property
    def quantised(self) -> bool:
        """Whether its numbers are integers, so that its logits may differ."""
        return self.format == "tflite-int8"

    @property
    def agrees(self) -> bool:
        """Whether it answers as the network does, as near as its format allows."""
        equal = self.equal.value or 0.0
        if self.max_difference is None:
            return False
        if self.quantised:
            return equal >= LEAST_EQUAL
        # A share of 0.999 is not quite that in floats.
        return self.max_difference <= MOST_DIFFERENCE and 1 - equal <= MOST_UNEQUAL + 1e-9


class ExportRecord(_Record):
    """All files of an export."""

    schema_version: int = SCHEMA_VERSION
    fer_audit: str
    grid: str
    cell: str  #: id
    training: str  #: content key of what was exported
    classes: list[str]
    image_size: int
    dataset_digest: str
    device: str  #: that latencies were measured on
    exported: list[Exported]


def write_record(record: ExportRecord, path: Path) -> None:
    """Writes export.json."""
    write_text(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path) -> ExportRecord | None:
    """Reads export.json; None where there is none that this version reads."""
    try:
        found = ExportRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.schema_version == SCHEMA_VERSION else None
