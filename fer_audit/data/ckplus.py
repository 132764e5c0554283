"""CK+ as its authors give it out: sequences of frames from neutral to the peak of an expression."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from fer_audit.data.class_folders import folder_named, image_files, subfolders
from fer_audit.data.codes import CK_PLUS, code_of
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Item, Listing
from fer_audit.data.text_tables import spaced_lines
from fer_audit.errors import DataError

_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images")
_LABELS = ("Emotion", "Emotion_labels")


class CkPlus(RootedDataset):
    """CK+: the last frames of every sequence that has a label, split at random by subject.

    `root` holds `cohn-kanade-images/S005/001/*.png` and `Emotion/S005/001/*_emotion.txt`. Sequences without a label
    are left out and counted.

    Source: Lucey et al., "The Extended Cohn-Kanade Dataset (CK+): A Complete Dataset for Action Unit and
    Emotion-Specified Expression", CVPR workshops 2010.
    """

    name = "ckplus"

    class Params(RootParameters):
        """Parameters of CK+."""

        peak_frames: int = Field(3, ge=1, description="last frames of a sequence, which show its expression")
        neutral_frames: int = Field(1, ge=0, description="first frames of a sequence, which show a neutral face")

    params: Params

    def found(self, root: Path) -> Listing:
        """The first and last frames of all sequences with a label."""
        images, labels = folder_named(root, *_IMAGES), folder_named(root, *_LABELS)
        if images is None or labels is None:
            raise DataError(f"{root} is no CK+: expected folders cohn-kanade-images and Emotion")
        images = folder_named(images, *_IMAGES) or images  # the archive may have been unpacked into itself
        items: list[Item] = []
        documents: list[Path] = []
        unlabelled = 0
        for subject in subfolders(images):
            for sequence in subfolders(subject):
                folder = labels / subject.name / sequence.name
                found = sorted(folder.glob("*_emotion.txt")) if folder.is_dir() else []
                if not found:
                    unlabelled += 1
                    continue
                documents.append(found[0])
                items += self._frames(root, sequence, _label(found[0]), subject.name)
        remarks = [f"{unlabelled} sequences without a label; left out"] if unlabelled else []
        return Listing.of(str(root), items, documents=documents, remarks=remarks)

    def _frames(self, root: Path, sequence: Path, label: str, subject: str) -> Iterator[Item]:
        frames = image_files(sequence)
        first = min(self.params.neutral_frames, max(0, len(frames) - self.params.peak_frames))
        for path in frames[:first]:
            yield Item(path.relative_to(root).as_posix(), path, "neutral", subject=subject)
        for path in frames[max(first, len(frames) - self.params.peak_frames) :]:
            yield Item(path.relative_to(root).as_posix(), path, label, subject=subject)


def _label(path: Path) -> str:
    lines = list(spaced_lines(path, values=1))
    if len(lines) != 1:
        raise DataError(f"{path}: expected one label code, received {len(lines)} lines")
    return code_of(lines[0][1][0], CK_PLUS, str(path))
