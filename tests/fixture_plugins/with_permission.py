"""Adds a query that needs a permission of its own."""

from crm_framework import Permission, Plugin, SchemaParts, hookimpl, root

plugin = Plugin(
    name="with_permission",
    requires_api="1.0",
    summary="Tells a secret.",
    permissions=[Permission("with_permission.see", "See the secret.")],
)


@root(permission="with_permission.see")
async def secret() -> str:
    """What only some may see."""
    return "hidden"


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=[secret])
