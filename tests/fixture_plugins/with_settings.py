"""Takes a word and a secret from the settings."""

import hmac

from crm_framework import Customer, Plugin, PluginSettings, SchemaParts, Secret, computed, hookimpl


class SalutationSettings(PluginSettings, frozen=True):
    word: str = "Dear"
    key: Secret = Secret("")
    """Seals letters, so that an answer shows that it is one to ours."""


plugin = Plugin(
    name="with_settings", requires_api="1.0", summary="Addresses customers.", settings=SalutationSettings
)


@hookimpl
def schema(settings: SalutationSettings) -> SchemaParts:
    @computed()
    def salutation(name: str) -> str:
        """How a letter begins."""
        return f"{settings.word} {name}"

    @computed()
    def seal(name: str) -> str:
        """What an answer to the letter quotes."""
        return hmac.digest(settings.key.reveal().encode(), name.encode(), "sha256").hex()[:16]

    return SchemaParts(extend={Customer: [salutation, seal]})
