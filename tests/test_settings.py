from pathlib import Path

import pytest

from crm_framework import CrmError, PluginSettings
from crm_framework.settings import Settings, load_settings, plugin_settings, set_plugins


class LoyaltySettings(PluginSettings, frozen=True):
    unit: int = 1
    label: str = "points"
    factors: tuple[float, ...] = ()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "crm.toml"
    path.write_text(text)
    return path


def test_defaults_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}) == Settings()
    assert Settings().database_url == "sqlite://crm.sqlite3"
    assert (Settings().page_size, Settings().max_page_size, Settings().handler_budget_ms) == (50, 100, 250)


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    path = write(tmp_path, 'port = 1\nhost = "file"\ndatabase_url = "sqlite://file"\n')
    settings = load_settings(path, environ={"CRM_PORT": "2", "CRM_HOST": "environment"}, port=3, host=None)
    assert (settings.port, settings.host, settings.database_url) == (3, "environment", "sqlite://file")
    assert settings.config_path == path


def test_the_file_in_the_working_directory_and_the_named_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "port = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("port = 2\n")
    assert load_settings(environ={}).port == 1
    assert load_settings(environ={"CRM_CONFIG": str(other)}).port == 2


def test_environment_reads_lists_and_switches(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    settings = load_settings(path, environ={"CRM_PLUGINS": "loyalty, ticketing,", "CRM_DEBUG": "true"})
    assert settings.plugins == ("loyalty", "ticketing")
    assert settings.debug is True


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("prot = 1", "{path}: unknown key prot.", "Did you mean port?"),
        ('port = "1"', "{path}: port: expected `int`, got `str`.", "Correct the value."),
        ("port = 70000", "{path}: port: expected `int` <= 65535.", "Correct the value."),
        ("page_size = 0", "{path}: page_size: expected `int` >= 1.", "Correct the value."),
        ('plugins = "loyalty"', "{path}: plugins: expected `array`, got `str`.", "Correct the value."),
        (
            "a = 1\nport = = 2",
            "{path} is not valid TOML: Invalid value (at line 2, column 8).",
            "Correct that line.",
        ),
        (
            "page_size = 101",
            "page_size is 101 and max_page_size 100.",
            "A page may not be larger than the largest page: lower the one or raise the other.",
        ),
        (
            'default_time_zone = "Europe/Berlim"',
            "default_time_zone is 'Europe/Berlim', which is no time zone.",
            "Name one of the IANA database, such as Europe/Berlin.",
        ),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CrmError) as caught:
        load_settings(path, environ={})
    assert (caught.value.message, caught.value.hint) == (message.format(path=path), hint)


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CrmError, match="There is no settings file"):
        load_settings(environ={"CRM_CONFIG": str(tmp_path / "none.toml")})


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "crm.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CrmError, match="is not UTF-8 text"):
        load_settings(path, environ={})


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        (
            {"CRM_DATABSE_URL": "x"},
            "environment: CRM_DATABSE_URL is unknown.",
            "Did you mean CRM_DATABASE_URL?",
        ),
        ({"CRM_PORT": "many"}, "environment: CRM_PORT: expected `int`, got `str`.", "Correct the value."),
        (
            {"CRM_PORT": "tcp://10.0.0.1:80"},
            "environment: CRM_PORT: expected `int`, got `str`.",
            "Kubernetes sets such variables for a service called crm: set enableServiceLinks to false.",
        ),
    ],
)
def test_a_faulty_variable_is_refused(
    tmp_path: Path, variables: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(CrmError) as caught:
        load_settings(write(tmp_path, ""), environ=variables)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), environ={"CRM_SERVICE_HOST": "10.0.0.1", "HOME": "/"})
    assert settings == Settings(config_path=tmp_path / "crm.toml")


def test_a_plugins_section(tmp_path: Path) -> None:
    path = write(tmp_path, '[loyalty]\nunit = 2\nlabel = "stars"\n')
    settings = load_settings(path, environ={"CRM_LOYALTY__LABEL": "moons", "CRM_LOYALTY__FACTORS": "1.5, 2"})
    assert plugin_settings(settings, "loyalty", LoyaltySettings) == LoyaltySettings(
        unit=2, label="moons", factors=(1.5, 2.0)
    )
    assert plugin_settings(settings, "ticketing", LoyaltySettings) == LoyaltySettings()


@pytest.mark.parametrize(
    ("text", "environ", "message", "hint"),
    [
        (
            "[loyalty]\nunits = 2",
            {},
            "{path}, section [loyalty]: unknown key units.",
            "Did you mean unit?",
        ),
        (
            '[loyalty]\nunit = "2"',
            {},
            "{path}, section [loyalty]: unit: expected `int`, got `str`.",
            "Correct the value.",
        ),
        (
            "",
            {"CRM_LOYALTY__UNIT": "two"},
            "environment: CRM_LOYALTY__UNIT: expected `int`, got `str`.",
            "Correct the value.",
        ),
        (
            "",
            {"CRM_LOYALTY__UNITS": "2"},
            "environment: unknown key CRM_LOYALTY__UNITS.",
            "Did you mean unit?",
        ),
    ],
)
def test_a_faulty_section_is_refused(
    tmp_path: Path, text: str, environ: dict[str, str], message: str, hint: str
) -> None:
    path = write(tmp_path, text)
    settings = load_settings(path, environ=environ)
    with pytest.raises(CrmError) as caught:
        plugin_settings(settings, "loyalty", LoyaltySettings)
    assert (caught.value.message, caught.value.hint) == (message.format(path=path), hint)


def test_what_has_no_default_must_be_set(tmp_path: Path) -> None:
    class Strict(PluginSettings, frozen=True):
        key: str

    path = write(tmp_path, "")
    with pytest.raises(CrmError) as caught:
        plugin_settings(load_settings(path, environ={}), "strict", Strict)
    assert caught.value.message == f"{path}, section [strict]: object missing required field `key`."
    set_by_variable = load_settings(path, environ={"CRM_STRICT__KEY": "abc"})
    assert plugin_settings(set_by_variable, "strict", Strict) == Strict(key="abc")


def test_setting_the_plugins_keeps_the_rest_and_the_rights(tmp_path: Path) -> None:
    path = write(tmp_path, '# ours\nplugins = ["a"] # more soon\n\n[a]\nx = 1\n')
    path.chmod(0o600)
    set_plugins(path, ["a", "b"])
    assert path.read_text() == '# ours\nplugins = ["a", "b"] # more soon\n\n[a]\nx = 1\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["crm.toml"]


def test_setting_the_plugins_makes_the_file(tmp_path: Path) -> None:
    set_plugins(tmp_path / "crm.toml", ["loyalty"])
    assert (tmp_path / "crm.toml").read_text() == 'plugins = ["loyalty"]\n'


@pytest.mark.parametrize(
    ("text", "message"), [("a = = 1", "is not valid TOML"), ("plugins = 1", "is no list")]
)
def test_a_faulty_file_is_not_edited(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CrmError, match=message):
        set_plugins(path, ["loyalty"])
    assert path.read_text() == text


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CrmError, match=r"cannot be written: No such file or directory\."):
        set_plugins(tmp_path / "none" / "crm.toml", ["loyalty"])


def test_only_persisted_operations_needs_the_file_of_them(tmp_path: Path) -> None:
    with pytest.raises(CrmError) as raised:
        load_settings(write(tmp_path, "only_persisted_operations = true"), environ={})
    assert str(raised.value) == (
        "only_persisted_operations is set without persisted_operations: nothing could be run. "
        "Name the file in persisted_operations; `crm persist` makes it."
    )
