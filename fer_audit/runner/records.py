"""The exposure of every row, as csv files beside the results."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_audit.attacks.records import Records
from fer_audit.results import write_text

#: Folder of the files, one a cell in the order of the grid.
RECORDS = "records"


def write_records(path: Path, records: Mapping[str, Records], columns: Mapping[str, Sequence[Any]]) -> None:
    """Writes a line for each attack and row: attack, row, `columns` (N,) of the row, and what the attack says of it."""
    lines = [{"attack": attack, **row} for attack, found in records.items() for row in found.csv_rows(columns)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]) if lines else ["attack"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
