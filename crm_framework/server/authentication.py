"""Who sends a request: the Bearer token in its header, and the refusal where there is none that opens."""

from collections.abc import Awaitable, Callable, Mapping

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor
from crm_framework.security.verify import TokenRefused

from .answers import Refusal
from .limits.guesses import Guesses

Verify = Callable[[str], Awaitable[Actor]]
REALM = 'Bearer realm="crm"'


async def authenticate(
    headers: Mapping[bytes, bytes],
    verify: Verify,
    guesses: Guesses,
    address: str,
    told: Callable[[TokenRefused], None],
) -> Actor:
    """The actor of a request from an address. `told` gets to know why a token opens nothing.

    Raises `Refusal`: 401 without a token that opens, 429 for one more of too many, 503 without a database.
    """
    scheme, _, rest = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    secret = rest.strip()
    if not scheme:
        raise Refusal(
            401,
            "UNAUTHENTICATED",
            "A token is needed: send the header 'Authorization: Bearer crm_…'.",
            headers={"WWW-Authenticate": REALM},
        )
    if scheme.lower() != "bearer" or not secret:
        raise Refusal(
            401,
            "UNAUTHENTICATED",
            "The header Authorization must read 'Bearer crm_…'.",
            headers={"WWW-Authenticate": f'{REALM}, error="invalid_request"'},
        )
    try:
        return await verify(secret)
    except CrmError as error:
        if error.code is ErrorCode.UNAUTHENTICATED:
            if isinstance(error, TokenRefused):
                told(error)
            if wait := guesses.note(address):
                raise Refusal(
                    429,
                    "RATE_LIMITED",
                    f"Too many tokens that open nothing came from your address. Wait {wait} s.",
                    headers={"Retry-After": str(wait)},
                ) from None
            raise Refusal(
                401,
                "UNAUTHENTICATED",
                str(error),
                headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
            ) from None
        if error.code is ErrorCode.UNAVAILABLE:
            raise Refusal(
                503, "TIMEOUT", "Tokens cannot be checked now; try again.", headers={"Retry-After": "1"}
            ) from error
        raise
