"""A counter at which a reward is redeemed again and again: a process of its own. Run by the tests.

python -m tests.durability.counter URL REWARD CUSTOMER,CUSTOMER… TIMES

It prints the keys of the redemptions that it made.
"""

import asyncio
import json
import sys

from crm_loyalty.rewards.redeeming import redeem_reward

from crm_framework import CrmError, ErrorCode, Settings
from crm_framework.app import open_service


async def work(url: str, reward: str, customers: list[str], times: int) -> list[str]:
    """Keys of the redemptions that succeeded."""
    made: list[str] = []
    async with open_service(Settings(database_url=url, plugins=("loyalty",))) as service:
        for number in range(times):
            try:
                async with service.database.unit_of_work() as tx:
                    key = await redeem_reward(tx, customers[number % len(customers)], reward)
                made.append(key)
            except CrmError as error:
                if error.code is not ErrorCode.REFUSED:
                    raise
    return made


if __name__ == "__main__":
    database, wanted, people, rounds = sys.argv[1:]
    made_here = asyncio.run(work(database, wanted, people.split(","), int(rounds)))
    sys.stdout.write(json.dumps(made_here))
