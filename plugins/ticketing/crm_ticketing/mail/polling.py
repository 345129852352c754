"""The job that looks into the mailbox every minute, and takes in what is unread.

A message is marked as read after it was taken in. When the process dies in between, it comes once more, and
is known by its id. One that cannot be taken in is flagged for people to look at, and holds nothing up.
"""

import asyncio
import logging
from contextlib import ExitStack

from crm_framework import CrmError, ErrorCode, JobRun
from crm_ticketing.settings import TicketingSettings

from .content import read_mail
from .intake import take_in
from .mailbox import Mailbox, Waiting, opened

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50
LARGEST = 40 * 1024 * 1024
"""Bytes of a message that is still fetched."""


async def poll(job: JobRun) -> None:
    """Takes in up to `MOST_AT_ONCE` messages; without a mailbox in the settings, none."""
    settings: TicketingSettings = job.settings
    if not settings.imap_host:
        return
    with ExitStack() as stack:
        mailbox = await asyncio.to_thread(stack.enter_context, opened(settings))
        try:
            failures: list[Exception] = []
            for waiting in await asyncio.to_thread(mailbox.waiting, MOST_AT_ONCE):
                try:
                    await _take(job, settings, mailbox, waiting)
                except CrmError:
                    raise
                except Exception as error:  # whatever it is, the messages behind it must not wait for it
                    failures.append(error)
            if failures:
                raise failures[0]
        finally:
            await asyncio.to_thread(stack.close)


async def _take(job: JobRun, settings: TicketingSettings, mailbox: Mailbox, waiting: Waiting) -> None:
    flagged = waiting.size > LARGEST
    if flagged:
        log.warning("A message of %s bytes is too large to be taken in; it is flagged.", waiting.size)
    else:
        raw = await asyncio.to_thread(mailbox.fetch, waiting.uid)
        if raw is None:
            return
        mail = await asyncio.to_thread(read_mail, raw)
        try:
            async with job.unit_of_work() as tx:
                await take_in(tx, mail, settings)
        except CrmError as error:
            if error.code not in (ErrorCode.BAD_INPUT, ErrorCode.REFUSED, ErrorCode.CONFLICT):
                raise
            flagged = True
            log.warning("A message cannot be taken in, and is flagged: %s", error.message)
    await asyncio.to_thread(mailbox.mark, waiting.uid, flagged=flagged)
