"""Names of plug-ins: what is called after them, and which can't be had."""

import ast
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import PluginError
from fer_audit.scaffold.plugin_name import check_name

USED, KNOWN = frozenset({"Any", "Field"}), frozenset({"rmia", "my-rmia"})


@pytest.mark.parametrize(
    ("text", "module", "cls"),
    [
        ("my-attack", "my_attack", "MyAttack"),
        ("q", "q", "Q"),
        ("lira-2b-x", "lira_2b_x", "Lira2bX"),
        ("a1", "a1", "A1"),
    ],
)
def test_file_and_class_are_called_after_it(text, module, cls):
    name = check_name(text, USED, KNOWN)
    assert (name.text, name.module, name.cls) == (text, module, cls)


@pytest.mark.parametrize(
    ("text", "reason", "instead"),
    [
        ("My_Attack", "in lower case", "try 'my-attack'"),
        ("MyAttack", "in lower case", "try 'my-attack'"),
        ("a--b-", "single hyphens", "try 'a-b'"),
        ("über attack", "in lower case", "try 'uber-attack'"),
        ("3d", "expected a letter", "try 'my-3d'"),
        ("../evil", "expected a letter", "try 'evil'"),
        ("", "expected a letter", "try another"),
        ("-", "expected a letter", "try another"),
        ("攻撃", "expected a letter", "try another"),
        ("x" * 41, "40 characters at most", "try another"),
        ("class", "a word of Python's own", "try 'my-class'"),
        ("none", "a word of Python's own", "try 'my-none'"),
        ("any", "another use for the name Any", "try 'my-any'"),
        ("warning", "another use for the name Warning", "try 'my-warning'"),
        ("test-it", "a file of tests", "try 'my-test-it'"),
        ("it-test", "a file of tests", "try another"),
        ("conftest", "a file of tests", "try 'my-conftest'"),
        ("random", "stand in for the module", "try 'my-random'"),
        ("numpy", "stand in for the module", "try 'my-numpy'"),
        ("fer-audit", "stand in for the module", "try 'my-fer-audit'"),
        ("rmia", "called 'rmia' already", "try another"),
        ("RMIA", "in lower case", "try another"),
    ],
)
def test_others_are_refused_with_the_nearest(text, reason, instead):
    with pytest.raises(PluginError) as refused:
        check_name(text, USED, KNOWN)
    said = str(refused.value)
    assert repr(text) in said
    assert reason in said
    assert said.endswith(instead.replace("try another", "choose another name"))


@given(st.text(alphabet="aBc-_1é .", max_size=12) | st.sampled_from([*keyword.kwlist, "Random", "test"]))
def test_what_is_accepted_and_what_is_suggested_is_fit_for_a_file_and_a_class(text):
    try:
        name = check_name(text, USED, KNOWN)
    except PluginError as refused:
        _, found, suggestion = str(refused).rpartition("; try ")
        if not found:
            return
        name = check_name(ast.literal_eval(suggestion), USED, KNOWN)
    assert name.module.isidentifier()
    assert name.cls.isidentifier()
    assert not keyword.iskeyword(name.module)
    assert name.module == name.text.replace("-", "_")
