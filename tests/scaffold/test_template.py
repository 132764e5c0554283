"""Templates: kinds as users call them, and what is renamed."""

import ast

import pytest

from fer_audit.errors import PluginError
from fer_audit.plugins import KINDS
from fer_audit.scaffold.plugin_name import PluginName
from fer_audit.scaffold.template import TEMPLATES, template_of


def test_every_kind_of_plugin_has_one():
    assert sorted(template.kind for template in TEMPLATES) == sorted(KINDS)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("attack", "membership-attack"),
        ("attacks", "membership-attack"),
        ("membership-attack", "membership-attack"),
        ("membership-attacks", "membership-attack"),
        ("label-attack", "label-attack"),
        ("label-attacks", "label-attack"),
        ("models", "model"),
        ("augmentations", "augmentation"),
        ("datasets", "dataset"),
    ],
)
def test_kinds_as_users_call_them(asked, kind):
    assert template_of(asked).kind == kind


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("atack", "did you mean 'attack'"), ("modell", "did you mean 'model'"), ("", "expected one of: ")],
)
def test_another_kind_is_refused_with_the_nearest(asked, hint):
    with pytest.raises(PluginError, match=hint):
        template_of(asked)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.word)
def test_only_the_name_differs(template):
    """Written under another name, and that name put back, it is the template; nothing of the old name is left."""
    name = PluginName("zq-0")
    files = template.files(name)
    assert list(files) == ["zq_0.py", "test_zq_0.py"]
    back = {name.text: template.name.text, name.module: template.name.module, name.cls: template.name.cls}
    for (_, text), (_, before) in zip(files.items(), template.files(template.name).items(), strict=True):
        assert not any(old in text for old in back.values())
        for new, old in back.items():
            text = text.replace(new, old)  # noqa: PLW2901 - the same text, with less of the new name
        assert text == before


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.word)
def test_identifiers_of_the_file_are_known(template):
    """Everything that the file imports or binds, so that no class is called like it; words of its prose are free."""
    plugin = next(iter(template.files(template.name).values()))
    nodes = list(ast.walk(ast.parse(plugin)))
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    bound = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert {name for name in imported | bound if "." not in name} - {template.name.cls} <= template.used()
    assert "Source" not in template.used()
    assert template.name.cls not in template.used()
