"""The plugins: which there are, whether they work, and what they add."""

import strawberry

from crm_framework.engine.fields import batch, root
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.rows import Batch
from crm_framework.hooks.loaded import LoadedPlugin, PluginStatus
from crm_framework.hooks.specs import Plugin as Declared

from . import enums  # noqa: F401  # makes PluginStatus an enumeration of the API
from .compose import CrmSchema


@strawberry.type(description="A right that a token may carry.")
class Permission:
    name: str = strawberry.field(description="Its name, as tokens carry it.")
    description: str = strawberry.field(description="What it allows.")


@strawberry.type(description="A plugin that was found, or asked for in the settings.")
class Plugin:
    name: str = strawberry.field(description="Its name: in the settings, and before all that is its own.")
    version: str | None = strawberry.field(description="Its release; null where it is not known.")
    status: PluginStatus = strawberry.field(description="Whether it works, and if not, why.")
    reason: str | None = strawberry.field(description="What is wrong; null where nothing is.")
    hint: str | None = strawberry.field(description="What to do about it.")
    summary: str | None = strawberry.field(description="What it is for.")
    requires: list[str] = strawberry.field(description="Plugins that it cannot be without.")
    uses: list[str] = strawberry.field(description="Plugins that it works with where they are enabled.")
    permissions: list[Permission] = strawberry.field(description="The rights that it adds.")
    kinds: list[str] = strawberry.field(description="The kinds of interactions that it adds.")
    channels: list[str] = strawberry.field(description="The channels that it adds.")

    @batch(needs=("name",))
    @staticmethod
    def adds(plugins: Batch["Plugin"], info: strawberry.Info) -> list[list[str]]:
        """What it adds to this API: its types, and `Type.member` for what it adds to types of others."""
        schema = info.schema
        assert isinstance(schema, CrmSchema)  # nothing else has this field
        return [schema.composed.added_by(name) for name in plugins.column("name")]

    @batch(needs=("name",))
    @staticmethod
    async def migrations(plugins: Batch["Plugin"], info: strawberry.Info) -> list[list[str]]:
        """Which of its migrations the database has, in order. What is switched off keeps its tables."""
        rows = await info.context.reader.fetch("SELECT app, name FROM crm_migration ORDER BY name")
        found: dict[str, list[str]] = {name: [] for name in plugins.column("name")}
        for row in rows:
            if row["app"] in found:
                found[row["app"]].append(row["name"])
        return [found[name] for name in plugins.column("name")]


@root(permission="plugins.read", restricted=True)
def plugins(info: strawberry.Info) -> list[Plugin]:
    """Every plugin that was found or asked for, the enabled ones first and in the order of their calls."""
    return [_shown(found) for found in info.context.host.plugins]


def _shown(found: LoadedPlugin) -> Plugin:
    declared = found.plugin or Declared(name=found.name, requires_api="", summary="")
    return Plugin(
        name=found.name,
        version=found.version,
        status=found.status,
        reason=found.reason,
        hint=found.hint,
        summary=found.summary or declared.summary or None,
        requires=list(declared.requires),
        uses=list(declared.uses),
        permissions=[
            Permission(name=each.name, description=each.description) for each in declared.permissions
        ],
        kinds=[kind.name for kind in declared.kinds],
        channels=[channel.name for channel in declared.channels],
    )


parts = SchemaParts(query=[plugins])
