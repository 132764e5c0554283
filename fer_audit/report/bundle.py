"""A finished run in one file: results, page, csv files and pictures, with the digest of each."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

import fer_audit
from fer_audit.errors import ResultsError
from fer_audit.report.bundle_archive import read_archive, write_archive
from fer_audit.report.pictures import shown
from fer_audit.results import Results, read_results, write_text

VERSION = 1
CONTENTS = "bundle.json"
PAGE = "report.html"

_RESULTS, _RECORD = "results.json", "run.json"
_START = b"PK"  #: of every zip file


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Version(BaseModel):
    """What a bundle of any version says of itself."""

    bundle_version: int


class Environment(_Record):
    """Where the results were made."""

    fer_audit: str
    python: str
    packages: dict[str, str]
    platform: str


class Contents(_Record):
    """What is in a bundle."""

    bundle_version: int = VERSION
    fer_audit: str  #: that rendered the page
    environment: Environment
    files: dict[str, str]  #: name -> SHA-256 (hex) of every other file


def is_bundle(path: Path) -> bool:
    """Whether `path` is meant as a bundle: a file that is called so, or that begins as zip files do."""
    if path.suffix.lower() == ".zip":
        return not path.is_dir()
    if path.name == _RESULTS or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_START)) == _START


def write_bundle(folder: Path, target: Path) -> None:
    """Writes the finished run in `folder` into one file; the same run gives the same bytes.

    The page is rendered for the files that are in the bundle, so that it can be rendered again from them. Who is on
    pictures stands in the csv files of records, as far as the folder has them; pictures of real people are in the
    bundle only where the page may show them. Raises ResultsError.
    """
    from fer_audit.report.page import render  # which draws charts, and is not needed to read a bundle

    results = read_results(folder / _RESULTS)
    check_target(target)
    with tempfile.TemporaryDirectory(prefix="fer-audit-") as place:
        made = Path(place)
        for name in _names(results, folder):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes((folder / name).read_bytes())
        render(made)
        files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    files[CONTENTS] = _contents(results, files)
    write_archive(files, target)


def check_target(target: Path) -> None:
    """Raises ResultsError where no bundle can be written to `target`."""
    if not target.absolute().parent.is_dir():
        raise ResultsError(f"can't write the bundle {target}: its folder does not exist; make it first")
    if target.is_dir():
        raise ResultsError(f"can't write the bundle {target}: it is a folder; expected a file such as out.zip")
    if target.suffix.lower() != ".zip":
        raise ResultsError(f"can't write the bundle {target}: expected a file that ends in .zip, such as out.zip")


def _names(results: Results, folder: Path) -> list[str]:
    """The files of a run that its results name, as far as they are in `folder`."""
    cells = results.cells
    named = [_RESULTS, _RECORD]
    named += [cell.privacy.records for cell in cells if cell.privacy and cell.privacy.records]
    named += [cell.label_errors.file for cell in cells if cell.label_errors]
    named += [cell.canaries.file for cell in cells if cell.canaries]
    if shown(results):
        named += [sheet.file for sheet in results.sheets]
        named += [tile.file for one in results.galleries for row in one.rows for tile in row.tiles if tile.file]
    found = (_inside(name, folder) for name in dict.fromkeys(named))
    return [name for name in found if name]


def _inside(name: str, folder: Path) -> str:
    """The plain name of a file that really lies in `folder`; empty where there is none."""
    path, base = (folder / name).resolve(), folder.resolve()
    if not path.is_relative_to(base) or not path.is_file():
        return ""
    return path.relative_to(base).as_posix()


def _contents(results: Results, files: dict[str, bytes]) -> bytes:
    origin = results.provenance
    environment = Environment.model_validate({name: getattr(origin, name) for name in Environment.model_fields})
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    contents = Contents(fer_audit=fer_audit.__version__, environment=environment, files=digests)
    return (contents.model_dump_json(indent=1) + "\n").encode()


@contextlib.contextmanager
def opened_bundle(path: Path) -> Iterator[Path]:
    """A folder with the files of a bundle, which is gone afterwards; raises ResultsError.

    A bundle is data of a stranger: nothing is written before all of it was looked at, and nothing outside the folder.
    Digests tell that a file is whole, not who made it.
    """
    if not path.is_file():
        raise ResultsError(f"can't read the bundle {path}: there is no such file")
    files = read_archive(path)
    contents = read_contents(path, files)
    _check_files(path, contents, files)
    with tempfile.TemporaryDirectory(prefix="fer-audit-") as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        try:
            yield folder
        except ResultsError as error:
            raise ResultsError(str(error).replace(f"{folder}/", f"{path}: ")) from None


def page_of_bundle(path: Path, page: Path) -> str:
    """Renders the page of a bundle again, into the file `page`; raises ResultsError.

    Returns why it is not the page that the bundle holds, such as which fer-audit made that; empty where it is.
    """
    from fer_audit.report.page import render

    with opened_bundle(path) as folder:
        kept = folder / PAGE
        held = kept.read_text(encoding="utf-8") if kept.exists() else None
        contents = Contents.model_validate_json((folder / CONTENTS).read_bytes())
        rendered = render(folder).read_text(encoding="utf-8")
    write_text(page, rendered)
    if rendered == held:
        return ""
    return "which has none" if held is None else f"which fer-audit {contents.fer_audit} made"


def read_contents(path: Path, files: dict[str, bytes]) -> Contents:
    """What the bundle says of itself; raises ResultsError."""
    if CONTENTS not in files:
        raise ResultsError(f"{path} has no {CONTENTS}; expected a file that fer-audit wrote with --bundle")
    try:
        version = _Version.model_validate_json(files[CONTENTS]).bundle_version
        contents = Contents.model_validate_json(files[CONTENTS]) if version == VERSION else None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ResultsError(
            f"{CONTENTS} in {path} can't be read: {f'{place}: ' if place else ''}{first['msg']}"
        ) from None
    if contents is None:
        raise ResultsError(
            f"{path} is a bundle of version {version}, this fer-audit reads version {VERSION}; write it again"
        )
    return contents


def _check_files(path: Path, contents: Contents, files: dict[str, bytes]) -> None:
    there, listed = files.keys() - {CONTENTS}, contents.files.keys()
    for names, problem in ((there - listed, f"is not listed in {CONTENTS}"), (listed - there, "is not there")):
        if names:
            raise ResultsError(f"{path}: {min(names)!r} {problem}; the bundle was changed, ask for it again")
    for name, digest in contents.files.items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise ResultsError(
                f"{path}: {name!r} is not what its digest says; the bundle was changed, ask for it again"
            )
    if _RESULTS not in files:
        raise ResultsError(f"{path} has no {_RESULTS}; expected a file that fer-audit wrote with --bundle")
