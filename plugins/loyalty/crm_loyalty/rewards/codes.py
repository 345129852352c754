"""Voucher codes: generated ones cannot be guessed, and each is given out once."""

import re
import secrets
from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 letters and digits, without those that are taken for each other: 5 bits each."""
LENGTH = 16
MOST_CODES = 10_000
"""That are added to a pool at once."""
_CODE = re.compile(r"[\x21-\x7e]{4,64}")


def new_code() -> str:
    """80 random bits, in groups of four."""
    letters = [secrets.choice(ALPHABET) for _ in range(LENGTH)]
    return "-".join("".join(letters[start : start + 4]) for start in range(0, LENGTH, 4))


async def add_codes(tx: UnitOfWork, reward_id: str, codes: Sequence[str]) -> int:
    """Adds codes to a reward's pool; how many there were. The caller holds the reward and keeps its stock.

    BAD_INPUT, with its place, for one that does not fit; CONFLICT for one that another reward has.
    """
    if not 1 <= len(codes) <= MOST_CODES:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{len(codes)} codes were given; 1 to {MOST_CODES} are taken at once.",
            path=("codes",), hint="Add them in several parts.",
        )  # fmt: skip
    for index, code in enumerate(codes):
        if _CODE.fullmatch(code) is None:
            raise CrmError(
                ErrorCode.BAD_INPUT, "A code has 4 to 64 printable characters without blanks.",
                path=("codes", index), hint="Check the file that they come from.",
            )  # fmt: skip
    unique = list(dict.fromkeys(codes))
    where = among("code", unique, tx.dialect)
    # inserted first: whoever adds the same ones at the same moment is waited for
    await tx.execute_many(
        "INSERT INTO loyalty_voucher_code (id, reward_id, code, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (code) DO NOTHING",
        [(new_id(), reward_id, code, tx.now) for code in unique],
    )
    rows = await tx.fetch(f"SELECT code, reward_id FROM loyalty_voucher_code WHERE {where.sql}", where.args)
    others = {row["code"] for row in rows if str(row["reward_id"]) != reward_id}
    for index, code in enumerate(codes):
        if code in others:
            raise CrmError(
                ErrorCode.CONFLICT, "Another reward has this code.", path=("codes", index),
                hint="Leave it out.",
            )  # fmt: skip
    return len(unique)


async def take_code(tx: UnitOfWork, reward_id: str, redemption_id: str, *, generated: bool) -> None:
    """Gives a code to a redemption. The reward is held by the caller."""
    if generated:
        tx.insert(
            "loyalty_voucher_code",
            {
                "id": new_id(), "reward_id": reward_id, "code": new_code(), "redemption_id": redemption_id,
                "spent": True, "created_at": tx.now,
            },
        )  # fmt: skip
        return
    rows = await tx.fetch(
        "SELECT id FROM loyalty_voucher_code WHERE reward_id = ? AND spent = FALSE ORDER BY id LIMIT 1",
        [reward_id],
    )
    if not rows:
        raise CrmError(
            ErrorCode.REFUSED, "The reward has no codes left.", path=("reward",),
            hint="Add codes to its pool.",
        )  # fmt: skip
    await tx.execute(
        "UPDATE loyalty_voucher_code SET spent = TRUE, redemption_id = ? WHERE id = ?",
        [redemption_id, rows[0]["id"]],
    )
