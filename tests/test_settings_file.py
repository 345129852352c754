import pytest

from crm_framework.settings_file import replace_plugins


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("", ["a"], 'plugins = ["a"]\n'),
        ("port = 1", ["a"], 'port = 1\nplugins = ["a"]\n'),
        ("# sec\n[a]\nx=1\n", ["a"], 'plugins = ["a"]\n\n# sec\n[a]\nx=1\n'),
        ("port = 1 # p\n\n# sec\n[a]\n", ["a"], 'port = 1 # p\n\nplugins = ["a"]\n\n# sec\n[a]\n'),
        ('plugins = ["a", "b"] # keep\n', ["b", "c"], 'plugins = ["b", "c"] # keep\n'),
        ('plugins = ["b", "a"]\n', ["a", "b"], 'plugins = ["a", "b"]\n'),
        ('plugins = ["a"]', [], "plugins = []"),
        (
            'plugins = [\n  "a", # why a\n  "b" # why b\n]\n[a]\nplugins = ["z"]\n',
            ["a", "b", "c"],
            'plugins = [\n  "a", # why a\n  "b", # why b\n  "c",\n]\n[a]\nplugins = ["z"]\n',
        ),
        (
            'plugins = [\n  "a", # why a\n  # about b\n  "b", # why b\n]\n',
            ["b"],
            'plugins = [\n  # about b\n  "b", # why b\n]\n',
        ),
        ('plugins = [\r\n  "a",\r\n]\r\n', ["a", "b"], 'plugins = [\r\n  "a",\r\n  "b",\r\n]\r\n'),
        (
            'x = """\nplugins = ["no"]\n[no]\n"""\n"plugins" = [\'a]\']\n',
            ["b"],
            'x = """\nplugins = ["no"]\n[no]\n"""\n"plugins" = ["b"]\n',
        ),
        ('x = """\n[no]\n"""\n', ["b"], 'x = """\n[no]\n"""\nplugins = ["b"]\n'),
        ("x = [\n  [1],\n]\n[t]\n", ["b"], 'x = [\n  [1],\n]\nplugins = ["b"]\n\n[t]\n'),
    ],
)
def test_the_list_changes_and_nothing_else(text: str, names: list[str], expected: str) -> None:
    assert replace_plugins(text, names) == expected


def test_another_type_is_left_alone() -> None:
    assert replace_plugins("plugins = 1\n", ["a"]) is None
