"""`fer-audit store {list,verify,prune}`: what is kept, whether it is whole, and what nobody wants any more."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fer_audit.cli.options import add_store

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from fer_audit.store import ArtefactName, Store
    from fer_audit.store_contents import Artefact, Leftover

_M = TypeVar("_M", bound="Artefact | Leftover")

_SOME_DAMAGED = 3

_SECONDS_A_DAY = 86400.0

#: Characters of a key that tell artefacts apart for people.
_SHORT = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `store`, and their options."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, line: str) -> argparse.ArgumentParser:
        subparser = actions.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        add_store(subparser)
        return subparser

    listing = action("list", "show what is kept, and how large it is")
    listing.add_argument("kind", nargs="?", metavar="KIND", help="show each artefact of this kind, such as trainings")
    listing.set_defaults(action=_list)
    verifying = action("verify", "check every checksum, and put aside what is damaged (exit code 3)")
    verifying.set_defaults(action=_verify)
    pruning = action("prune", "remove leftovers, and what none of the named grids wants or what is old")
    pruning.add_argument(
        "grids",
        nargs="*",
        type=Path,
        metavar="GRID",
        help="also remove what none of these grids wants: name every grid whose trainings you keep",
    )
    pruning.add_argument(
        "--older-than",
        type=_days,
        metavar="DAYS",
        help="of what the named grids do not want, or of everything where no grid is named, remove what was not "
        "modified for DAYS days, unless something newer was made from it",
    )
    pruning.add_argument("--force", action="store_true", help="also for a grid of which the store has no training")
    pruning.add_argument("--dry-run", action="store_true", help="only show what would be removed")
    pruning.set_defaults(action=_prune)


def execute(options: argparse.Namespace) -> int:
    """Does what the chosen action says; 0 when all is well, 3 when something damaged was found."""
    return int(options.action(options))


def _days(word: str) -> float:
    with contextlib.suppress(ValueError):
        if (days := float(word)) >= 0:
            return days
    raise argparse.ArgumentTypeError(f"expected a number of days, at least 0, received {word!r}")


def _list(options: argparse.Namespace) -> int:
    """Prints a table of the kinds, or a line for each artefact of one kind."""
    from fer_audit.errors import StoreError, did_you_mean
    from fer_audit.store_contents import artefacts, kinds, leftovers, open_store

    store, console = open_store(options.store), _console()
    if options.kind is None:
        _show_kinds(store, artefacts(store), leftovers(store), console)
    elif options.kind in (known := kinds(store)):
        for artefact in artefacts(store, options.kind):
            _say(console, _line(artefact))
    else:
        raise StoreError(f"the store {store.address} has no {options.kind!r}: {did_you_mean(options.kind, known)}")
    return 0


def _show_kinds(store: Store, present: Sequence[Artefact], remains: Sequence[Leftover], console: Console) -> None:
    _say(console, f"store {store.address}")
    if present:
        _show_table(("kind", "artefacts"), _grouped(present), console)
    else:
        _say(console, "no artefacts")
    if remains:
        counts = ", ".join(f"{kind} {len(some)}" for kind, some in _grouped(remains).items())
        _say(console, f"leftovers: {counts} ({_size(remains)}); fer-audit store prune removes them")


def _line(artefact: Artefact) -> str:
    texts = (artefact.key[:_SHORT].ljust(_SHORT), _size([artefact]).rjust(9), _date([artefact]), artefact.title)
    return "  ".join(texts).rstrip()


def _verify(options: argparse.Namespace) -> int:
    """Names every damaged artefact and puts it aside."""
    from fer_audit.store_contents import artefacts, open_store

    store, console = open_store(options.store), _console()
    damaged = 0
    with store.in_use():  # nobody may prune what is being read
        present = artefacts(store)
        with _bar(console) as bar:
            checking = bar.add_task("checking", total=sum(artefact.size for artefact in present))
            for artefact in present:
                damaged += not _is_whole(store, artefact, bar.console)
                bar.advance(checking, artefact.size)
    _say(console, f"{len(present) - damaged} of {len(present)} artefacts are whole ({_size(present)} checked)")
    return _SOME_DAMAGED if damaged else 0


def _is_whole(store: Store, artefact: Artefact, console: Console) -> bool:
    from fer_audit.errors import StoreError
    from fer_audit.store import DAMAGED

    wrong = store.damage(*artefact.name)
    if wrong is None:
        return True
    title = f" ({artefact.title})" if artefact.title else ""
    _say(console, f"damaged: {artefact.kind}/{artefact.key[:_SHORT]}{title}: {wrong}", style="red")
    try:
        store.put_aside(*artefact.name)
        _say(console, f"  put aside in {store.root / DAMAGED}; the next run that needs it makes it again")
    except StoreError as error:
        _say(console, f"  not put aside: {error}")
    return False


def _prune(options: argparse.Namespace) -> int:
    """Shows what goes, then removes it."""
    from fer_audit.store_contents import artefacts, leftovers, open_store, unwanted

    store, console = open_store(options.store), _console()
    wanted = _wanted(options.grids, store, force=options.force) if options.grids else None
    before = None if options.older_than is None else time.time() - options.older_than * _SECONDS_A_DAY
    with contextlib.nullcontext() if options.dry_run else store.alone():
        present, remains = artefacts(store), leftovers(store)
        going = unwanted(present, wanted, before)
        _show_going(going, remains, console)
        if not options.dry_run:
            _remove(store, going, remains)
    if going or remains:
        gone = {artefact.name for artefact in going}
        staying = [artefact for artefact in present if artefact.name not in gone]
        done = "dry run: nothing was removed" if options.dry_run else "removed"
        _say(console, f"{done}; artefacts that stay: {len(staying)} ({_size(staying)})")
    return 0


def _wanted(grids: Sequence[Path], store: Store, *, force: bool) -> set[ArtefactName]:
    """All that the grids want; planning raises what is wrong with one before anything is removed.

    Raises StoreError for a grid of which nothing is there: pruning for it would empty the store.
    """
    from fer_audit.errors import StoreError
    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan

    wanted: set[ArtefactName] = set()
    for grid in grids:
        # A dataset that the store has not is read for this: what a grid wants depends on its images.
        plan = make_plan(read_grid(grid), store)
        kept = sum(training.fitted for training in plan.trainings.values())
        if not kept and not force:
            raise StoreError(
                f"none of the {len(plan.trainings)} trainings of {grid} are in the store: it was never run, or a "
                f"plug-in or a package changed since; nothing was removed. Name another grid, or add --force"
            )
        wanted |= plan.wanted()
    return wanted


def _show_going(going: Sequence[Artefact], remains: Sequence[Leftover], console: Console) -> None:
    if going or remains:
        _show_table(("to remove", "number"), _grouped([*going, *remains]), console)
    else:
        _say(console, "nothing to remove")


def _remove(store: Store, going: Sequence[Artefact], remains: Sequence[Leftover]) -> None:
    from fer_audit.store_contents import discard

    for leftover in remains:
        discard(leftover)
    for artefact in going:
        store.remove(*artefact.name)


def _show_table(
    headers: tuple[str, str], groups: Mapping[str, Sequence[Artefact | Leftover]], console: Console
) -> None:
    """A row for each group and one for all: name, number, bytes, date of the newest."""
    from rich.table import Table

    table = Table(headers[0], box=None, header_style="bold", pad_edge=False)
    table.add_column(headers[1], justify="right")
    table.add_column("size", justify="right")
    table.add_column("newest")
    for name, members in groups.items():
        table.add_row(name, str(len(members)), _size(members), _date(members))
    everything = [member for members in groups.values() for member in members]
    table.add_row("total", str(len(everything)), _size(everything), _date(everything), style="bold")
    console.print(table)


def _grouped(members: Iterable[_M]) -> dict[str, list[_M]]:
    """The members of each kind, in the order in which the kinds appear."""
    groups: dict[str, list[_M]] = {}
    for member in members:
        groups.setdefault(member.kind, []).append(member)
    return groups


def _size(members: Iterable[Artefact | Leftover]) -> str:
    from rich.filesize import decimal

    return decimal(sum(member.size for member in members))


def _date(members: Iterable[Artefact | Leftover]) -> str:
    newest = max(member.modified for member in members)
    return f"{datetime.fromtimestamp(newest, UTC).astimezone():%Y-%m-%d %H:%M}"


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _bar(console: Console) -> Progress:
    """A bar of bytes where `console` is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _say(console: Console, line: str, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, soft_wrap=True)
