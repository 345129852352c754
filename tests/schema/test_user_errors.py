"""Paths of errors, as the client wrote them."""

import pytest
import strawberry

from crm_framework import CrmError, ErrorCode, encode_id
from crm_framework.schema.user_errors import UserError, client_path, user_error
from crm_framework.storage.ids import new_id


@strawberry.input
class Point:
    postal_code: str


@strawberry.input
class Sample:
    contact_points: list[Point] | None = None
    attributes: strawberry.scalars.JSON | None = None
    staff_id: strawberry.ID | None = strawberry.field(name="assignee", default=None)


@pytest.mark.parametrize(
    ("path", "spelt"),
    [
        (("contact_points", "0", "postal_code"), ["contactPoints", "0", "postalCode"]),
        (("contactPoints", "0", "postalCode"), ["contactPoints", "0", "postalCode"]),
        (("attributes", "favourite_colour"), ["attributes", "favourite_colour"]),
        (("staff_id",), ["assignee"]),
        (("nothing_known", "0"), ["nothing_known", "0"]),
        ((), []),
    ],
)
def test_path_is_spelt_as_the_client_did(path: tuple[str, ...], spelt: list[str]) -> None:
    assert client_path(path, Sample) == spelt


def test_user_error_carries_all_of_the_error() -> None:
    error = CrmError(
        ErrorCode.BAD_INPUT, "No postal code.", path=("contact_points", 0, "postal_code"), hint="Do."
    )
    assert user_error(error, Sample) == UserError(
        code=ErrorCode.BAD_INPUT,
        message="No postal code.",
        path=["contactPoints", "0", "postalCode"],
        hint="Do.",
    )
    assert user_error(CrmError(ErrorCode.REFUSED, "No."), Sample).path is None


def test_keys_in_texts_become_the_ids_that_the_client_wrote() -> None:
    known, other = new_id(), new_id()
    error = CrmError(ErrorCode.NOT_FOUND, f"There is no such {known!r}.", hint=f"Try {known} or {other}.")
    given = Sample(contact_points=[Point(postal_code="x")], staff_id=strawberry.ID(encode_id("Staff", known)))
    shown = user_error(error, Sample, given)
    assert shown.message == f"There is no such {encode_id('Staff', known)!r}."
    assert shown.hint == f"Try {encode_id('Staff', known)} or {other}."
