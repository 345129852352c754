"""For each mutation of the schema an input that succeeds, and what must be there for it."""

from . import analytics, customers, loyalty, passing, settings, ticketing
from .desk import Inputs

INPUTS: Inputs = {
    **customers.INPUTS,
    **settings.INPUTS,
    **passing.INPUTS,
    **loyalty.INPUTS,
    **ticketing.INPUTS,
    **analytics.INPUTS,
}
