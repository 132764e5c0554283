"""The rows, or people, that an attack exposes most, under names that say nothing of them."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import Audited
from fer_audit.attacks.frame import Unit
from fer_audit.attacks.records import Records
from fer_audit.results import Exposed, ExposedRecord

#: Units that are named for each attack.
MOST = 10

#: A mean over fewer targets that trained on a unit is left out where other units have more.
_FEWEST_TARGETS = 2


def pseudonym(digest: str, unit: Unit, row: int) -> str:
    """The name of the unit whose first row in the pool is `row`, such as `r-0f3a91c2d7`; `digest` is the dataset's.

    The same in all cells and attacks of a dataset. It keeps a reader of the page from the picture and from its place in
    a list, such as one by name. It is no secret: whoever knows the digest, which the results hold, can try all rows and
    so find the row's number, and whoever has the dataset too finds the picture.
    """
    # Ten digits: among 100,000 rows two share a name in one dataset of two hundred.
    return f"{unit[0]}-{hashlib.sha256(f'{digest} {unit} {row}'.encode()).hexdigest()[:10]}"


def most_exposed(
    found: Audited, digest: str, given: npt.NDArray[np.int64], corrupted: npt.NDArray[np.bool_], most: int = MOST
) -> Exposed:
    """The `most` units with the highest mean exposure as members, ties by true positives and then by name.

    Args:
        found: what an attack found on a pool of N rows.
        digest: of the dataset.
        given: (N,) labels that were trained on.
        corrupted: (N,), whether they are wrong; a subject counts by its first row.
        most: how many units.
    """
    records, unit = found.records, found.result.unit
    names = {place: pseudonym(digest, unit, int(records.first[place])) for place in _candidates(records, most)}
    order = sorted(names, key=lambda place: (*_rank(records, place), names[place]))
    return Exposed(
        attack=found.result.attack,
        unit=unit,
        records=[_record(records, place, names[place], given, corrupted) for place in order[:most]],
    )


def _candidates(records: Records, most: int) -> list[int]:
    """The `most` exposed units and those that tie with the last of them."""
    fewest = min(_FEWEST_TARGETS, max(1, int(records.member_targets.max())))
    known = np.flatnonzero(records.member_targets >= fewest)
    ranks = {place: _rank(records, place) for place in known.tolist()}
    last = sorted(ranks.values())[:most][-1:]
    return [place for place, rank in ranks.items() if [rank] <= last]


def _rank(records: Records, place: int) -> tuple[float, int]:
    return -float(records.exposure[place]), -int(records.true_positives[place])


def _record(
    records: Records, place: int, name: str, given: npt.NDArray[np.int64], corrupted: npt.NDArray[np.bool_]
) -> ExposedRecord:
    row = records.first[place]
    return ExposedRecord(
        id=name,
        label=int(given[row]),
        corrupted=bool(corrupted[row]),
        member_targets=int(records.member_targets[place]),
        true_positives=int(records.true_positives[place]),
        exposure=float(records.exposure[place]),
        exposure_sd=_known(records.exposure_sd[place]),
        nonmember_exposure=_known(records.nonmember_exposure[place]),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
