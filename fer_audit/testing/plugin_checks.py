"""What every plug-in must do, whatever its kind."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys

from pydantic import ValidationError

from fer_audit.errors import PluginError
from fer_audit.plugins import Plugin
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, require
from fer_audit.testing.kit import module_of

#: No plug-in has a parameter of this name.
_UNKNOWN = "no_parameter_has_this_name"

#: Seconds that a fresh process may take: importing TensorFlow alone takes some.
_PATIENCE = 120


def parameters_have_defaults(subject: Subject) -> str | None:
    """The plug-in can be made without any parameter but those that it is checked with.

    Give every field of `Params` a default, so that a grid may name the plug-in alone; a place of files has none.
    """
    required = [name for name, info in subject.cls.Params.model_fields.items() if info.is_required()]
    missing = [name for name in required if name not in subject.params]
    require(not missing, f"expected a default for every parameter, {', '.join(missing)} has none")
    subject.cls(**{name: subject.params[name] for name in required})
    return f"but {', '.join(required)}, which was given" if required else None


def unknown_parameters_are_refused(subject: Subject) -> str:
    """A parameter that does not exist is refused, and so is changing one afterwards.

    Derive `Params` from `fer_audit.plugins.Parameters`, which forbids both; a misspelt parameter would be ignored.
    """
    try:
        subject.make(**{_UNKNOWN: 1})
    except PluginError as error:
        require(_UNKNOWN in str(error), f"expected an error that names the parameter, received: {error}")
    else:
        raise CheckFailed(f"expected a PluginError for the parameter {_UNKNOWN!r}, it was accepted")
    params = subject.make().params
    for name in type(params).model_fields:
        try:
            setattr(params, name, getattr(params, name))
        except ValidationError:
            continue
        raise CheckFailed(f"expected frozen parameters, {name!r} could be changed")
    return f"{len(type(params).model_fields)} parameters"


def parameters_survive_json(subject: Subject) -> None:
    """Parameters written as JSON and read again make the same plug-in.

    Use types that JSON has (numbers, text, booleans, lists of them): they are the grid's YAML and the cache key.
    """
    first = subject.make()
    again = subject.cls(**json.loads(json.dumps(first.params.model_dump(mode="json"), allow_nan=False)))
    require(repr(again) == repr(first), f"expected {first!r} from its own JSON, received {again!r}")
    require(again.identity() == first.identity(), "expected the same identity from the plug-in's own JSON")


def docstring_names_its_source(subject: Subject) -> None:
    """The docstring says where the method comes from, and an attack's what the attacker knows.

    Write `Source: authors, "title", year, equation` and, for a membership attack, `Threat model: ...`.
    """
    text = inspect.getdoc(subject.cls) or ""
    inherited = subject.cls.__doc__ is None
    require(bool(text) and not inherited, f"expected a docstring on {subject.cls.__name__}, it has none")
    require(bool(re.search(r"\bsources?:\s*\w", text, re.IGNORECASE)), "expected 'Source: ...' in the docstring")
    if subject.kind == "membership-attack":
        told = re.search(r"\bthreat model:\s*\w", text, re.IGNORECASE)
        require(bool(told), "expected 'Threat model: ...' in the docstring")


def only_the_authors_methods_are_written(subject: Subject) -> None:
    """Final methods, which validate, seed and check, are not overridden.

    Write the one method of the contract (`infer`, `corrupt`, `apply`, `build`, `read`) and leave the others alone.
    """
    for cls in subject.cls.__mro__:
        if not issubclass(cls, Plugin) or (cls.__module__.startswith("fer_audit.") and inspect.isabstract(cls)):
            continue
        for name in vars(cls):
            for base in cls.__mro__[1:]:
                overridden = vars(base).get(name)
                if getattr(overridden, "__final__", False):
                    raise CheckFailed(f"{cls.__name__} overrides {name!r} of {base.__name__}, which is final")


def same_seed_same_result(subject: Subject) -> None:
    """The same parameters and the same seed give the same result, bit for bit.

    Draw everything random from the generator that you are given, or from one made from a parameter `seed`.
    """
    digest = module_of(subject.kind).result_digest
    first = subject.make()
    found = [digest(first), digest(first), digest(subject.make())]
    require(found[0] == found[1], "expected the same result when the plug-in is asked again, received another one")
    require(found[0] == found[2], "expected the same result from a plug-in made again, received another one")


def rebuilt_in_a_fresh_process(subject: Subject) -> None:
    """A fresh process makes the plug-in again from its name, parameters and source, and gets the same result.

    Keep no state outside the plug-in, and depend on no set order or hash: workers are fresh processes.
    """
    plugin = subject.make()
    if not (subject.folders or subject.cls.package or subject.cls.__module__.startswith("fer_audit.")):
        raise NotApplicable("the class lies in no plug-in folder, where a worker would find it")
    wanted = {**plugin.identity(), "folders": [str(folder) for folder in subject.folders]}
    # Another hash seed: what depends on the order of a set shows.
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "fer_audit.testing.rebuild"],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
        env=environment,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise CheckFailed(f"a fresh process could not make {subject.cls.address()!r} again: {last}")
    found = json.loads(done.stdout.strip().rpartition("\n")[2])
    require(found["source"] == wanted["source"], "expected the same source in a fresh process, received another one")
    here = module_of(subject.kind).result_digest(plugin)
    require(found["result"] == here, "expected the same result in a fresh process, received another one")


CHECKS: tuple[Rule, ...] = (
    parameters_have_defaults,
    unknown_parameters_are_refused,
    parameters_survive_json,
    docstring_names_its_source,
    only_the_authors_methods_are_written,
    same_seed_same_result,
    rebuilt_in_a_fresh_process,
)
