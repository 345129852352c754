"""The mutations of the plugin analytics."""

from .customers import purchase_there
from .desk import Desk, Input, Inputs
from .settings import segment_there


async def summed_up(desk: Desk) -> Input:
    """One purchase since figures were last summed up, however often that was tried in vain."""
    await desk.run("rebuildDailyFigures", {}, "customers")
    return await bought(desk)


async def bought(desk: Desk) -> Input:
    await purchase_there(desk)
    return {}


async def rates(desk: Desk) -> Input:
    return {"rates": [{"currency": "JPY", "base": "EUR", "validFrom": "2024-01-01", "rate": "0.0061"}]}


async def frozen(desk: Desk) -> Input:
    return {"segments": [await segment_there(desk)]}


INPUTS: Inputs = {
    "rebuildDailyFigures": (summed_up, "customers"),
    "verifyFigures": (bought, "customers"),
    "setExchangeRates": (rates, "count"),
    "freezeSegments": (frozen, "members"),
}
