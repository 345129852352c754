"""Refused attempts on their way to the audit log, whichever way they came."""

from starlette.types import Scope

from crm_framework.engine.result import Result
from crm_framework.security.actors import Actor
from crm_framework.security.verify import TokenRefused

from .operations import Operation, name_of
from .request_ids import request_id
from .service import Service


def address_of(scope: Scope) -> str:
    """Where the request came from, as far as the server knows it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def note_unauthenticated(service: Service, scope: Scope, refused: TokenRefused) -> None:
    """A token that opens nothing."""
    service.refusals.unauthenticated(
        why=refused.why,
        hint=refused.begins,
        holder=refused.holder,
        request_id=request_id(),
        source=address_of(scope) or None,
    )


def note_forbidden(
    service: Service, scope: Scope, actor: Actor, operation: Operation, result: Result
) -> None:
    """What the actor may not see or do, if that is among the result's errors."""
    for error in result.errors:
        if error["extensions"]["code"] == "FORBIDDEN":
            note_lacking(service, scope, actor, error["message"], name_of(operation))
            return


def note_lacking(service: Service, scope: Scope, actor: Actor, reason: str, operation: str | None) -> None:
    """An actor asked for what it may not see or do."""
    service.refusals.forbidden(
        actor, reason, operation=operation, request_id=request_id(), source=address_of(scope) or None
    )
