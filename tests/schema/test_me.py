"""Who asks: what an actor is told of itself."""

from datetime import UTC, datetime

from crm_framework.engine.ids import decode_key
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.verify import TokenVerifier
from crm_framework.storage.clock import frozen

from .conftest import Api

ALL = "{ me { kind name permissions expiresAt staff { name } customer { name } } }"
OPEN = "{ me { kind name permissions expiresAt } }"


async def test_a_member_of_staff(api: Api) -> None:
    ann = (await api.change("createStaff", {"name": "Ann"}, "staff { id }"))["staff"]["id"]
    wanted = {
        "name": "Ann's laptop",
        "kind": "STAFF",
        "staff": ann,
        "permissions": ["staff.read", "customers.read"],
        "expiresAt": "2027-01-01T00:00:00Z",
    }
    with frozen(datetime(2026, 1, 1, tzinfo=UTC)):
        secret = (await api.change("createToken", wanted, "secret"))["secret"]
        verifier = TokenVerifier(api.database)
        actor = await verifier.verify(secret)
        await verifier.close()
    assert await api.data(ALL, actor) == {
        "me": {
            "kind": "STAFF",
            "name": "Ann",
            "permissions": ["customers.read", "staff.read"],
            "expiresAt": "2027-01-01T00:00:00Z",
            "staff": {"name": "Ann"},
            "customer": None,
        }
    }
    assert len(api.statements) == 2  # the token's end, the member of staff


async def test_nothing_is_read_that_is_not_asked_for(api: Api) -> None:
    assert await api.data("{ me { kind name } }") == {"me": {"kind": "INTEGRATION", "name": "tests"}}
    assert api.statements == []


async def test_an_actor_without_any_permission(api: Api) -> None:
    zoe = (await api.change("createCustomer", {"name": "Zoe"}, "customer { id }"))["customer"]["id"]
    key = decode_key(zoe, "Customer")
    actor = Actor(kind=ActorKind.CUSTOMER, id=key, name="Zoe's", permissions=frozenset(), customer_id=key)
    assert await api.data(OPEN, actor) == {
        "me": {"kind": "CUSTOMER", "name": "Zoe's", "permissions": [], "expiresAt": None}
    }
    code, message = await api.refused(ALL, actor)
    assert code == "FORBIDDEN"
    assert "Staff (staff.read)" in message
    assert "Customer (customers.read)" in message


async def test_the_system(api: Api) -> None:
    system = Actor.system("a job")
    assert await api.data(OPEN, system) == {
        "me": {"kind": "SYSTEM", "name": "a job", "permissions": ["*"], "expiresAt": None}
    }
