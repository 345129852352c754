from crm_framework import Customer, Plugin, SchemaParts, computed, hookimpl

plugin = Plugin(name="hello", requires_api="1.0", summary="Greets customers.")


@computed()
def greeting(name: str) -> str:
    """A friendly word to begin a letter with."""
    return f"Hello, {name}!"


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(extend={Customer: [greeting]})
