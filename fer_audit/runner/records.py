"""The exposure of every row, as csv files beside the results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_audit.attacks.audit import Audited
from fer_audit.results import write_text
from fer_audit.runner.exposed import pseudonym

#: Folder of the files, one a cell in the order of the grid.
RECORDS = "records"


def write_records(path: Path, found: Mapping[str, Audited], columns: Mapping[str, Sequence[Any]], digest: str) -> None:
    """Writes a line for each attack and row, or person, of the dataset with that `digest`.

    A line has the attack, the row, its pseudonym as on the page, `columns` (N,) of the row, and what the attack says of
    it: the file stays with those who may see the pictures.
    """
    lines = [line for attack, one in found.items() for line in _lines(attack, one, columns, digest)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]) if lines else ["attack"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def _lines(attack: str, found: Audited, columns: Mapping[str, Sequence[Any]], digest: str) -> Iterator[dict[str, Any]]:
    for row in found.records.csv_rows(columns):
        yield {"attack": attack, "row": row["row"], "id": pseudonym(digest, found.result.unit, row["row"]), **row}
