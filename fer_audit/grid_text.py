"""The text of a grid: plain YAML whose every value has a line, and that is no larger than it looks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fer_audit.errors import GridError
from fer_audit.plain_file import open_plain

#: Bytes of a grid, and letters of it with its aliases written out: a hundred thousand seeds are a tenth of it.
MOST = 8 << 20

Location = tuple[int | str, ...]

_DEEPEST = 50  #: levels of sections in sections; a grid has six
_UNDER_WAY = (-1, -1)

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "merge"))

#: Letters of a value that an error repeats.
_SHOWN = 160


def shown(value: Any) -> str:
    """A value as an error repeats it: what is long is cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} letters)"


@dataclass(frozen=True)
class GridText:
    """What a text of YAML says, and where."""

    values: dict[Any, Any]
    root: yaml.Node

    def line(self, location: Location) -> int:
        """The line of what stands at `location`, or of the nearest that stands above it."""
        nodes = list(self._descend(location))
        return int(nodes[-1].start_mark.line) + 1 if nodes else 1

    def depth(self, location: Location) -> int:
        """How many parts of `location` the file has."""
        return len(list(self._descend(location)))

    def _descend(self, location: Location) -> Iterator[yaml.Node]:
        node = self.root
        for part in location:
            if part == 0 and not isinstance(node, yaml.SequenceNode):
                yield node  # what stands alone is a list of one
            elif isinstance(node, yaml.MappingNode):
                child = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if child is None:
                    # What is wrong may be that a key is no text, and then it is not known by what it is written as.
                    yield from [key for key, _ in node.value if key.tag != f"{_TAG}str"][:1]
                    return
                yield child[0]
                node = child[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                yield node
            else:
                return


def read_text(path: Path) -> str:
    """The text of the grid at `path`; raises GridError."""
    try:
        with io.TextIOWrapper(open_plain(path, MOST), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise GridError(f"can't read the grid {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GridError(f"the grid {path} is not text; expected a YAML file in UTF-8") from None


def parse_text(text: str, path: Path) -> GridText:
    """The one mapping that the text of the grid at `path` holds; raises GridError with the line of what is wrong."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        _check(root, loader, path)
        values = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise GridError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise GridError(
            f"{path}:{line}: not valid YAML: the letter {chr(int(error.character))!r} can't stand in it"
        ) from None
    except yaml.YAMLError as error:
        raise GridError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise GridError(f"{path}: nested too deeply, more than {_DEEPEST} levels") from None
    finally:
        if loader is not None:
            loader.dispose()
    if root is None or not isinstance(values, dict):
        received = type(values).__name__
        raise GridError(f"{path}: expected a mapping with `dataset` and `models`, received {received}")
    return GridText(values, root)


def _check(root: yaml.Node | None, loader: yaml.SafeLoader, path: Path) -> None:
    """Raises GridError for what YAML allows and no grid needs, before anything is made of it."""
    if root is None:
        return
    _check_size(root, path)
    for node in _walk(root):
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, loader, path)
        elif node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            raise _wrong(node, path, _strange_tag(node))


def _wrong(node: yaml.Node, path: Path, said: str) -> GridError:
    return GridError(f"{path}:{node.start_mark.line + 1}: {said}")


def _strange_tag(node: yaml.Node) -> str:
    return f"not valid YAML of a grid: the tag {shown(node.tag.removeprefix(_TAG))} is not known; leave it out"


def _check_size(root: yaml.Node, path: Path) -> None:
    """Raises GridError where aliases stand for more than a file could hold, or for what they are part of."""
    known: dict[int, tuple[int, int]] = {}

    def measured(node: yaml.Node) -> tuple[int, int]:
        """Letters and levels of a node with its aliases written out."""
        if id(node) not in known:
            known[id(node)] = _UNDER_WAY
            parts = [measured(part) for part in _parts(node)]
            letters = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else sum(size for size, _ in parts))
            levels = 1 + max((level for _, level in parts), default=0)
            if letters > MOST:
                raise _wrong(node, path, f"with its aliases written out this has more than {MOST:,} letters")
            if levels > _DEEPEST:
                raise _wrong(node, path, f"nested too deeply, more than {_DEEPEST} levels")
            known[id(node)] = letters, levels
        elif known[id(node)] == _UNDER_WAY:
            raise _wrong(node, path, "an alias stands within what it stands for; write it out")
        return known[id(node)]

    measured(root)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _walk(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, whatever aliases lead to it."""
    seen, waiting = set[int](), [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(reversed(list(_parts(node))))


def _check_keys(node: yaml.MappingNode, path: Path) -> None:
    """Raises GridError for keys that are no words, and for equal ones: YAML would keep the last without a word."""
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _wrong(key, path, "a list or a mapping can't be a key; expected a word")
        if key.value in seen:
            raise _wrong(key, path, f"the key {shown(key.value)} appears twice; keep one")
        seen.add(key.value)


def _check_scalar(node: yaml.ScalarNode, loader: yaml.SafeLoader, path: Path) -> None:
    """Raises GridError where a value is none of its kind, such as the date 2020-13-45."""
    if node.tag == _MERGE:
        return
    kind = node.tag.removeprefix(_TAG)
    if node.tag not in _SCALARS:
        raise _wrong(node, path, _strange_tag(node))
    try:
        loader.construct_object(node)
    except (ValueError, LookupError, OverflowError):
        raise _wrong(node, path, f"{shown(node.value)} is no {kind} that can be read; quote it, or mend it") from None
