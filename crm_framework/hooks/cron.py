"""When a cron expression is due, by the wall clock of a time zone, also on the days when clocks are put.

As cron itself has it: a time of day (`30 2 * * *`) comes once a day, whatever clocks do. If they skip it, it
comes at the first moment after the gap; if it is there twice, the first time. Where the minute or the hour
begins with `*` (`*/15 * * * *`), it is about time that passes: it comes at every minute whose clock fits.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.zones import is_time_zone


def check_cron(cron: str | None, zone: str) -> None:
    """Raises CrmError CONFIGURATION for an expression that never comes or a zone that is not known."""
    _zone(zone)
    if cron is not None:
        next_run(cron, zone, datetime(2024, 1, 1, tzinfo=UTC))


def next_run(cron: str, zone: str, after: datetime) -> datetime:
    """The first moment after `after`, in UTC, at which the expression is due in that zone."""
    if len(cron.split()) != 5:
        raise _unfit(cron, "it has not five fields")
    try:
        moments = CronSim(cron, after.astimezone(_zone(zone)))
        while True:
            # times of one zone are compared by their clocks, which go back once a year
            moment = next(moments).astimezone(UTC)
            if moment > after:
                return moment
    except CronSimError as error:
        raise _unfit(cron, str(error)) from None
    except StopIteration:
        raise _unfit(cron, "it never comes") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    if not is_time_zone(name):
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"{cut(name, 80)} is no time zone.",
            hint="Name one of the IANA database, such as Europe/Berlin.",
        )
    return ZoneInfo(name)


def _unfit(cron: str, why: str) -> CrmError:
    return CrmError(
        ErrorCode.CONFIGURATION,
        f"{cut(cron, 80)} is no cron expression: {why}.",
        hint='Write minute, hour, day of month, month and day of week, such as "30 2 * * *".',
    )
