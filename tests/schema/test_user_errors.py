"""Paths of errors, as the client wrote them."""

import pytest
import strawberry

from crm_framework import CrmError, ErrorCode
from crm_framework.schema.user_errors import UserError, client_path, user_error


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
