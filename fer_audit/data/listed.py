"""What all datasets on disk have in common: a listing of images, read and split alike."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from pydantic import Field

from fer_audit.data.dataset import Dataset, FaceData
from fer_audit.data.listing import Listing
from fer_audit.data.splits import ListedParameters
from fer_audit.errors import DataError


class RootParameters(ListedParameters):
    """Parameters of a dataset that lies in one folder."""

    root: str = Field(description="the folder of the dataset, relative to the folder of the grid")


class ListedDataset(Dataset):
    """A dataset whose images are listed before they are read. Authors write `listing`."""

    params: ListedParameters

    @abstractmethod
    def listing(self, base: Path) -> Listing:
        """All images and what is known of them, unread; raises DataError."""

    def read(self, size: int, base: Path) -> FaceData:
        """Reads all images of the listing."""
        listing = self.listing(base)
        if listing.splits is not None and self.params.population_fraction:
            raise DataError(
                f"{listing.source} says which rows are which split, so that nothing is left to split: expected "
                f"population_fraction 0, received {self.params.population_fraction}"
            )
        return listing.load(size, self.params)

    def sources(self, base: Path) -> list[Path]:
        """All images of the listing, and the files that describe them."""
        listing = self.listing(base)
        # Many faces may lie in one photograph.
        return list(dict.fromkeys([*listing.documents, *listing.paths]))


class RootedDataset(ListedDataset):
    """A listed dataset that lies in one folder. Authors write `found`."""

    class Params(RootParameters):
        """The folder."""

    params: RootParameters

    def listing(self, base: Path) -> Listing:
        """All images below `root`; raises DataError."""
        root = base / self.params.root
        if not root.is_dir():
            raise DataError(f"no folder {str(root)!r}: expected `root` relative to the folder of the grid")
        return self.found(root)

    @abstractmethod
    def found(self, root: Path) -> Listing:
        """All images below `root`, which is there; raises DataError."""
