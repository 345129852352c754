"""Where the tables of the core or of a plugin come from."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AppMigrations:
    """The models and migrations of one owner of tables.

    `label` is `crm` or the plugin's name and begins the names of the tables; `models` is the module with the
    models, `migrations` the package with their migrations; `depends_on` names the labels of the plugins whose
    tables these refer to. Every plugin depends on the core.
    """

    label: str
    models: str
    migrations: str
    depends_on: Sequence[str] = ()
