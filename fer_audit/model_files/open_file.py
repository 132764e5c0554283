"""Opens a model file of any format, as data: what is in it is looked at before it is loaded."""

from __future__ import annotations

from pathlib import Path

from fer_audit.errors import FerAuditError, ModelFileError
from fer_audit.model_files.archive import open_archive, reason
from fer_audit.model_files.digest import file_digest, files_below, files_digest
from fer_audit.model_files.keras_network import Identity
from fer_audit.model_files.limits import check_bytes, check_shapes
from fer_audit.model_files.opened import Format, Opened
from fer_audit.registry import Registry

#: What is read, for who names something else.
READ = ".keras, .h5, a SavedModel folder, .onnx, .tflite, the weights.npz of a training in a store, or file.py:function"

#: Formats whose reading runs what is in them, and what to do about it.
_PICKLED = frozenset({".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".torch"})

_ZIP, _HDF5 = b"PK", b"\x89HDF\r\n\x1a\n"


def open_file(path: Path, *, address: str, trust: bool, registry: Registry) -> Opened:
    """The model at `path`, which the user calls `address`; raises ModelFileError, in one sentence.

    Args:
        path: of a file or folder; `file.py:function` may end either this or `address`.
        address: what messages call it.
        trust: whether code in the file may run.
        registry: knows the models of our own trainings.
    """
    path, function = _told_apart(path, address)
    try:
        opened = _open(path, function, address, registry, trust=trust)
        check_shapes(opened)
    except FerAuditError as error:
        raise ModelFileError(f"model {address!r}: {error}") from None
    except Exception as error:  # a stranger's file fails in any way, inside libraries of others
        raise ModelFileError(
            f"model {address!r} can't be read ({type(error).__name__}: {reason(error)}); expected {READ}; save or "
            f"export it again"
        ) from error
    return opened


def _told_apart(path: Path, address: str) -> tuple[Path, str]:
    """The path of the file, and the function in it; empty where it is no Python file."""
    name, colon, function = path.name.partition(".py:")
    if colon:
        return path.with_name(f"{name}.py"), function
    return path, address.rpartition(".py:")[2] if path.suffix == ".py" and ".py:" in address else ""


def _open(path: Path, function: str, address: str, registry: Registry, *, trust: bool) -> Opened:
    if path.is_dir():
        return _open_folder(path, address, registry, trust=trust)
    if not path.is_file():
        raise ModelFileError(f"there is no file {path.name!r}; expected {READ}; correct its name")
    if path.suffix == ".py":
        return _open_callable(path, function, address, registry)
    check_bytes(path.stat().st_size, "the file")
    content = path.read_bytes()
    kind = _format(path, content)
    identity = Identity(address, *file_digest(content))
    if kind == "weights":
        return _open_weights(content, path, address, registry)
    return _open_content(kind, content, path, identity, trust=trust)


def _open_content(kind: Format, content: bytes, path: Path, identity: Identity, *, trust: bool) -> Opened:
    if kind == "onnx":
        from fer_audit.model_files.onnx_file import open_onnx

        return open_onnx(content, path, identity)
    from fer_audit.training.quiet import quiet

    if kind == "tflite":
        from fer_audit.model_files.tflite_file import open_tflite

        with quiet():
            return open_tflite(content, identity)
    _start_tensorflow()
    from fer_audit.model_files.keras_archive import open_keras_archive
    from fer_audit.model_files.keras_hdf5 import open_keras_hdf5

    read = open_keras_archive if kind == "keras" else open_keras_hdf5
    with quiet():
        return read(content, identity, trust=trust)


def _open_folder(folder: Path, address: str, registry: Registry, *, trust: bool) -> Opened:
    from fer_audit.model_files.saved_model import GRAPH, open_saved_model
    from fer_audit.model_files.stored_weights import WEIGHTS
    from fer_audit.training.quiet import quiet

    if (folder / GRAPH).is_file():
        identity = Identity(address, *files_digest(folder, files_below(folder)))
        _start_tensorflow()
        with quiet():
            return open_saved_model(folder, identity, trust=trust)
    if (folder / WEIGHTS).is_file():
        return _open(folder / WEIGHTS, "", address, registry, trust=trust)
    raise ModelFileError(f"the folder has neither {GRAPH} nor {WEIGHTS}; expected {READ}; name the model's own folder")


def _open_weights(content: bytes, path: Path, address: str, registry: Registry) -> Opened:
    _start_tensorflow()
    from fer_audit.model_files.stored_weights import open_stored_weights

    return open_stored_weights(content, path, address, registry)


def _open_callable(path: Path, function: str, address: str, registry: Registry) -> Opened:
    from fer_audit.model_files.callable_file import open_callable

    if not function:
        raise ModelFileError(f"it names no function; expected {path.name}:function; add the name of the function")
    return open_callable(path, function, address, registry)


def _start_tensorflow() -> None:
    from fer_audit.training.one_thread import start_on_one_thread

    start_on_one_thread()


def _format(path: Path, content: bytes) -> Format:
    """By what the file holds, and by its name where that does not tell; raises ModelFileError."""
    suffix = path.suffix.lower()
    if not content:
        raise ModelFileError(f"the file is empty; expected {READ}; copy it again")
    if content.startswith(_HDF5):
        return "keras-h5"
    if content.startswith(_ZIP):
        return _archived(content)
    if content[4:8] == b"TFL3" or suffix in (".tflite", ".lite"):
        return "tflite"
    if suffix == ".onnx":
        return "onnx"
    if suffix in _PICKLED or content.startswith(b"\x80"):
        raise _pickled()
    raise ModelFileError(
        f"the file begins with {content[:12]!r}, as none of the formats does that are read here; expected {READ}; "
        f"save or export the model again"
    )


def _archived(content: bytes) -> Format:
    with open_archive(content) as archive:
        names = archive.namelist()
    if any(name.endswith(".pkl") for name in names):
        raise _pickled()
    if names and all(name.endswith(".npy") for name in names):
        return "weights"
    return "keras"


def _pickled() -> ModelFileError:
    return ModelFileError(
        "the file is pickled, which runs the code that it holds as it is read; expected a format that is data alone; "
        "export the model as ONNX"
    )
