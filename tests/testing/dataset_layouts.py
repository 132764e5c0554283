"""A tiny dataset in the layout of each built-in one: noise in place of faces."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CODES = range(1, 8)
FOLDERS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def face(path: Path, size: tuple[int, int] = (24, 24), mode: str = "L") -> Path:
    """Writes noise that depends on the name of the file alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32("/".join(path.parts[-4:]).encode()))
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).convert(mode).save(path)
    return path


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def class_folders(root: Path, splits: tuple[str, ...], count: int = 2) -> dict[str, Any]:
    for split in splits:
        for name in FOLDERS:
            for number in range(count):
                face(root / split / name / f"{number}.png")
    return {"root": str(root)}


def affectnet(folder: Path) -> dict[str, Any]:
    for split in ("train_set", "val_set"):
        for code in range(8):
            face(folder / split / "images" / f"{code}.jpg", mode="RGB")
            annotations = folder / split / "annotations"
            annotations.mkdir(exist_ok=True)
            np.save(annotations / f"{code}_exp.npy", np.array(code))
    return {"root": str(folder)}


def ckplus(folder: Path) -> dict[str, Any]:
    for subject in ("S005", "S010", "S011", "S999"):
        for code in CODES:
            sequence = f"{subject}/{code:03d}"
            for frame in range(1, 6):
                face(folder / "cohn-kanade-images" / sequence / f"{subject}_{code:03d}_{frame:08d}.png")
            text(folder / "Emotion" / sequence / f"{subject}_{code:03d}_00000005_emotion.txt", f"   {code}.0000000e+00")
    return {"root": str(folder)}


def ckplus48(folder: Path) -> dict[str, Any]:
    for name in ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"):
        for subject in range(6):
            face(folder / name / f"S{subject:03d}_004_00000017.png")
    return {"root": str(folder)}


def expw(folder: Path) -> dict[str, Any]:
    lines = []
    for number in range(6):
        face(folder / "image" / "origin" / f"p{number}.png", size=(140, 40), mode="RGB")
        lines += [
            f"p{number}.png {code} 10 {20 * code} {20 * code + 20} 30 {20 + 10 * code} {code}" for code in range(7)
        ]
    text(folder / "label" / "label.lst", *lines)
    return {"root": str(folder)}


def fer2013(folder: Path) -> dict[str, Any]:
    uses = ("Training", "PublicTest", "PrivateTest")
    rows = [(code, use) for code in range(7) for use in uses]
    text(folder / "fer2013.csv", "emotion,pixels,Usage", *_pixels(rows))
    return {"root": str(folder)}


def ferplus(folder: Path) -> dict[str, Any]:
    emotions = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    rows = [(code, use) for code in range(8) for use in ("Training", "PublicTest", "PrivateTest")]
    votes = [",".join("8" if code == column else "0" for column in range(8)) for code, _ in rows]
    named = [f"{use},fer{number:07d}.png,{votes[number]},1,0" for number, (_, use) in enumerate(rows)]
    text(folder / "fer2013new.csv", f"Usage,Image name,{','.join(emotions)},unknown,NF", *named)
    text(folder / "fer2013.csv", "emotion,pixels,Usage", *_pixels([(0, use) for _, use in rows]))
    return {"root": str(folder)}


def _pixels(rows: list[tuple[int, str]]) -> list[str]:
    rng = np.random.default_rng(0)
    return [f"{code},{' '.join(map(str, rng.integers(0, 256, 48 * 48)))},{use}" for code, use in rows]


def folders(folder: Path) -> dict[str, Any]:
    for name in FOLDERS:
        for subject in range(4):
            face(folder / name / f"S{subject:03d}_1.png")
    return {"root": str(folder), "subject_pattern": r"S\d+"}


def jaffe(folder: Path) -> dict[str, Any]:
    for subject in ("KA", "KL", "KM", "KR"):
        for number, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU"), 39):
            face(folder / f"{subject}.{code}1.{number}.tiff")
    return {"root": str(folder)}


def manifest(folder: Path) -> dict[str, Any]:
    lines = ["image,label,subject,light"]
    for number in range(28):
        path = face(folder / "images" / f"{number:02d}.png")
        lines.append(f"images/{path.name},{FOLDERS[number % 7]},p{number // 4},{'day' if number % 2 else 'lamp'}")
    return {"path": str(text(folder / "faces.csv", *lines))}


def member_lists(folder: Path) -> dict[str, Any]:
    lists = {}
    for side in ("members", "nonmembers", "population", "test"):
        lines = ["image,label,subject"]
        for number in range(28):
            path = face(folder / side / f"{number:02d}.png")
            lines.append(f"{side}/{path.name},{FOLDERS[number % 7]},{side}{number // 4}")
        lists[side] = str(text(folder / f"{side}.csv", *lines))
    return lists


def mmafedb(folder: Path) -> dict[str, Any]:
    return class_folders(folder, ("train", "valid", "test"))


def rafdb(folder: Path) -> dict[str, Any]:
    files = [(f"{split}_{code:05d}.jpg", code) for split in ("train", "test") for code in CODES]
    for row, (name, _) in enumerate(files):
        face(folder / "Image" / "aligned" / name.replace(".jpg", "_aligned.jpg"), mode="RGB")
        points = [f"{10 + point}.5\t{20 + point}.25" for point in range(5)]
        described = folder / "Annotation" / "manual" / f"{name[:-4]}_manu_attri.txt"
        text(described, *points, str(row % 3), str(row % 3), str(row % 5))
    votes = [f"{name} {' '.join('0.9' if code == of else '0.0166667' for of in CODES)}" for name, code in files]
    text(folder / "EmoLabel" / "distribution_basic.txt", *votes)
    text(folder / "EmoLabel" / "list_patition_label.txt", *(f"{name} {code}" for name, code in files))
    return {"root": str(folder)}


def sfew(folder: Path) -> dict[str, Any]:
    return class_folders(folder, ("Train", "Val"))


def synthface(folder: Path) -> dict[str, Any]:
    return {}


#: Name of a built-in dataset -> what writes its layout into a folder and returns the parameters that read it there.
LAYOUTS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "affectnet": affectnet,
    "ckplus": ckplus,
    "ckplus48": ckplus48,
    "expw": expw,
    "fer2013": fer2013,
    "ferplus": ferplus,
    "folders": folders,
    "jaffe": jaffe,
    "manifest": manifest,
    "member-lists": member_lists,
    "mmafedb": mmafedb,
    "rafdb": rafdb,
    "sfew": sfew,
    "synthface": synthface,
}
