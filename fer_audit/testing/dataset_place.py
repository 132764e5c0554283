"""Where a dataset is read from while it is checked: its own example, or the files that its parameters name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fer_audit.data.dataset import Dataset, FaceData
from fer_audit.errors import PluginError
from fer_audit.testing.check import CheckFailed, NotApplicable, require

SIZE = 32  #: px, of most checks


@dataclass(frozen=True)
class DatasetPlace:
    """A dataset, its parameters with paths relative to `base`, and where its files lie."""

    cls: type[Dataset]
    params: Mapping[str, Any]
    base: Path
    roots: tuple[Path, ...]  #: folders and files, below `base`, in which all of its files lie

    def make(self, **changes: Any) -> Dataset:
        """The dataset with its parameters, some of them changed; raises PluginError."""
        return self.cls(**{**self.params, **changes})

    def load(self, size: int = SIZE) -> FaceData:
        """The rows, by a fresh plug-in; raises DataError."""
        return self.make().load(size, self.base)

    def fingerprint(self, size: int = SIZE) -> str:
        """The key, by a fresh plug-in; raises DataError."""
        return self.make().fingerprint(size, self.base)

    def sources(self) -> list[Path]:
        """What the dataset says that it reads; raises CheckFailed where that is no file."""
        found = [_absolute(path) for path in self.make().sources(self.base)]
        absent = [path for path in found if not path.is_file()]
        require(not absent, f"expected files as `sources`, there is no file {str(next(iter(absent), ''))!r}")
        return found

    def files(self) -> list[Path]:
        """All files and folders in `roots`, sorted."""
        inside = {path for root in self.roots for path in [root, *root.rglob("*")]}
        return sorted(inside)

    def copied(self, folder: Path) -> DatasetPlace:
        """The same with `folder` as base, into which the sources alone are copied; raises NotApplicable."""
        sources = self.sources()
        outside = [path for path in sources if not path.is_relative_to(self.base)]
        if outside:
            raise NotApplicable(f"{outside[0]} is read by an absolute path, wherever the dataset lies")
        # Last things first: an order that depends on when files were written shows.
        for path in sorted(set(sources), reverse=True):
            place = folder / path.relative_to(self.base)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        return replace(self, base=folder, roots=(folder,))


@contextmanager
def dataset_place(cls: type[Dataset], params: Mapping[str, Any]) -> Iterator[DatasetPlace]:
    """The files that `params` name, where they do; else an example of the dataset, in a folder of its own.

    Raises CheckFailed where there is neither and the defaults do not make the dataset.
    """
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        example = cls.example(folder)
        own = _existing(params, None if example is None else tuple(example))
        wanted = {**(example or {}), **params}
        try:
            place = _of_files(cls, wanted, own) if own else _of_example(cls, wanted, folder)
            place.make()
        except PluginError as error:
            if wanted:
                raise
            hint = "write `example` (see `Dataset`), or give parameters that name a small dataset of this layout"
            raise CheckFailed(f"{error}; {hint}") from error
        yield place


def given_params(plugin: Dataset) -> dict[str, Any]:
    """The parameters of `plugin` that are not the defaults."""
    fields = type(plugin.params).model_fields
    defaults = {name: info.get_default(call_default_factory=True) for name, info in fields.items()}
    return {name: value for name, value in plugin.params if value != defaults[name]}


def _existing(params: Mapping[str, Any], names: tuple[str, ...] | None) -> dict[str, Path]:
    """The parameters, among those of `names`, that are the path of something on disk."""
    paths = {
        key: _absolute(Path(value))
        for key, value in params.items()
        if isinstance(value, str) and value and (names is None or key in names)
    }
    return {key: path for key, path in paths.items() if path.exists()}


def _of_files(cls: type[Dataset], params: Mapping[str, Any], own: Mapping[str, Path]) -> DatasetPlace:
    absolute = {**params, **{key: str(path) for key, path in own.items()}}
    sources = [_absolute(path) for path in cls(**absolute).sources(Path.cwd())]
    base = Path(os.path.commonpath([path.parent for path in [*own.values(), *sources]]))
    relative = {key: path.relative_to(base).as_posix() for key, path in own.items()}
    return DatasetPlace(cls, {**params, **relative}, base, (*own.values(), *sources))


def _of_example(cls: type[Dataset], params: Mapping[str, Any], folder: Path) -> DatasetPlace:
    inside = {
        key: Path(value).relative_to(folder).as_posix()
        for key, value in params.items()
        if isinstance(value, str) and Path(value).is_absolute() and Path(value).is_relative_to(folder)
    }
    return DatasetPlace(cls, {**params, **inside}, folder, (folder,))


def _absolute(path: Path) -> Path:
    # Links are kept as they are: what they lead to lies elsewhere.
    return Path(os.path.abspath(path))  # noqa: PTH100
