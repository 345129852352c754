"""Takes a word from the settings."""

from crm_framework import Customer, Plugin, PluginSettings, SchemaParts, computed, hookimpl


class SalutationSettings(PluginSettings, frozen=True):
    word: str = "Dear"


plugin = Plugin(
    name="with_settings", requires_api="1.0", summary="Addresses customers.", settings=SalutationSettings
)


@hookimpl
def schema(settings: SalutationSettings) -> SchemaParts:
    @computed()
    def salutation(name: str) -> str:
        """How a letter begins."""
        return f"{settings.word} {name}"

    return SchemaParts(extend={Customer: [salutation]})
