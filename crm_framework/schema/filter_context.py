"""What members of filters look up by: in a request, and where nobody asks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crm_framework.engine.context import Context, Reader

if TYPE_CHECKING:
    from crm_framework.hooks.answers import Signalled
    from crm_framework.hooks.dispatch import PluginHost


class FilterContext(Protocol):
    """What the `lookup` of a `Member` is given: the context of a request, or the CRM's own, where a segment
    is the scope of a role, a webhook's filter is compared, or a job goes by members."""

    @property
    def reader(self) -> Reader: ...

    async def signalled(self) -> "Signalled":
        """Of whom `signals` would tell something, by the plugins' hook `signalled`: of a request, where its
        actor may know."""


@dataclass(kw_only=True)
class SystemContext(Context):
    """It sees everything, and has no permissions to ask for more by."""

    host: "PluginHost"

    async def signalled(self) -> "Signalled":
        """Of whom `signals` would tell something, by the plugins' hook `signalled`."""
        return await self.host.signalled(self.reader)
