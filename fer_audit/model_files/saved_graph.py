"""The graph of a SavedModel, read as data: what in it would do more than compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import leads_out
from fer_audit.model_files.graph_operators import may_run, may_save


def check_graph(meta: Any) -> None:
    """Raises ModelFileError where a `MetaGraphDef` reads or writes files, runs code, or may do so."""
    for asset in meta.asset_file_def:
        if leads_out(asset.filename):
            raise ModelFileError(
                f"it names {asset.filename!r}, outside of its folder; expected files below it; save the model again"
            )
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    savers = _saver_nodes(meta, nodes)
    run = [node for node in nodes.values() if node.name not in savers]
    run += _upstream(_signature_nodes(meta), nodes)
    called = _called(run, functions) | {*meta.object_graph_def.concrete_functions} & {*functions}
    called |= _called((node for name in called for node in functions[name].node_def), functions)
    _check(run, may_run, functions)
    for name, function in functions.items():
        _check(function.node_def, may_run if name in called else may_save, functions)
    _check((nodes[name] for name in savers), may_save, functions)


def _check(nodes: Iterable[Any], allowed: Callable[[str], bool], functions: dict[str, Any]) -> None:
    for node in nodes:
        if node.op not in functions and not allowed(node.op):
            raise ModelFileError(
                f"node {node.name!r} is the operator {node.op!r}, which is none that networks of images infer with and "
                f"may read, write or run something; expected operators that compute alone; say `trust: true` "
                f"(--trust) if the file is yours"
            )


def _saver_nodes(meta: Any, nodes: dict[str, Any]) -> set[str]:
    """Names of what saves and restores, and of all that only this needs."""
    saver = meta.saver_def
    ends = [_node_of(name) for name in (saver.save_tensor_name, saver.restore_op_name, saver.filename_tensor_name)]
    return {node.name for node in _upstream((name for name in ends if name), nodes)}


def _signature_nodes(meta: Any) -> Iterator[str]:
    for signature in meta.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            yield _node_of(tensor.name)


def _upstream(names: Iterable[str], nodes: dict[str, Any]) -> list[Any]:
    """The nodes of these names and all that they get their inputs from."""
    found: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found[name] = nodes[name]
            waiting.extend(_node_of(given) for given in nodes[name].input)
    return list(found.values())


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _called(nodes: Iterable[Any], functions: dict[str, Any]) -> set[str]:
    """Names of the functions that `nodes` call, and of those that these call."""
    found: set[str] = set()
    waiting = [name for node in nodes for name in _named(node)]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in found:
            found.add(name)
            waiting.extend(inner for node in functions[name].node_def for inner in _named(node))
    return found


def _named(node: Any) -> Iterator[str]:
    """Functions that a node may call: by its operator, or by an attribute."""
    yield node.op
    for value in node.attr.values():
        yield from ([value.func.name] if value.HasField("func") else [])
        yield from (function.name for function in value.list.func)
