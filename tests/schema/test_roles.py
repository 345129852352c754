"""Roles and scopes: who may do what, on which customers, and that nobody gives more than they have."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from crm_framework.engine.ids import decode_key
from crm_framework.schema.scopes import SegmentReaches
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.security.verify import TokenVerifier

from .conftest import Api, create, names

Acting = Callable[..., Awaitable[Actor]]
READS = ["customers.read", "interactions.read", "staff.read", "settings.read"]
WRITES = [*READS, "customers.write", "interactions.write"]


@pytest.fixture
async def acting(api: Api) -> AsyncIterator[Acting]:
    """`await acting(kind=…, staff=…, permissions=[…])`: the actor of a new token."""
    known = Permissions.of([])
    verifier = TokenVerifier(
        api.database,
        self_service=known.self_service,
        segments=SegmentReaches(api.schema, api.database, api.host),
    )

    async def act(permissions: list[str] | None = None, **arguments: Any) -> Actor:
        async with api.database.unit_of_work(Actor.system()) as tx:
            issued = await create_token(tx, known, name="T", grants=permissions or (), **arguments)
        return await verifier.verify(issued.secret)

    yield act
    await verifier.close()


async def staff(api: Api, name: str) -> str:
    made = await api.change("createStaff", {"name": name}, "staff { id }")
    found: str = made["staff"]["id"]
    return found


async def with_roles(api: Api, acting: Acting, id: str, *roles: dict[str, Any]) -> Actor:
    ids = []
    for role in roles:
        made = await api.change("createRole", role, "role { id }")
        ids.append(made["role"]["id"])
    await api.change("setStaffRoles", {"staff": id, "roles": ids}, "staff { roles { name } }")
    return await acting(kind=ActorKind.STAFF, staff_id=decode_key(id, "Staff"))


async def company(api: Api) -> tuple[str, str, str]:
    """Ids of Sam, who owns Ann, of Ann, and of Bea, whose owner is somebody else."""
    sam, pat = await staff(api, "Sam"), await staff(api, "Pat")
    ann = await create(api, "Ann", owner=sam, email="ann@example.com", source="shop", reference="1")
    bea = await create(
        api, "Bea", owner=pat, email="bea@example.com", tags=["gold"], source="shop", reference="2"
    )
    for id in (ann, bea):
        await api.change(
            "logInteraction", {"customer": id, "kind": "call", "direction": "INBOUND"}, "interaction { id }"
        )
    return sam, ann, bea


EVERYTHING = """{
  customers { nodes { name contactPoints { value } interactions { nodes { kind customer { name } } } }
              totalCount }
  interactions { nodes { customer { name } } totalCount }
  search: customers(search: "bea") { nodes { name } }
  bySource: customer(source: "shop", reference: "2") { name }
  duplicateCustomers { totalCount }
}"""


async def test_staff_with_own_customers_see_these_and_what_hangs_on_them(api: Api, acting: Acting) -> None:
    sam, ann, bea = await company(api)
    actor = await with_roles(api, acting, sam, {"name": "Sales", "permissions": READS, "scope": "OWN"})
    assert await api.data(EVERYTHING, actor) == {
        "customers": {
            "nodes": [
                {
                    "name": "Ann",
                    "contactPoints": [{"value": "ann@example.com"}],
                    "interactions": {"nodes": [{"kind": "call", "customer": {"name": "Ann"}}]},
                }
            ],
            "totalCount": 1,
        },
        "interactions": {"nodes": [{"customer": {"name": "Ann"}}], "totalCount": 1},
        "search": {"nodes": []},
        "bySource": None,
        "duplicateCustomers": {"totalCount": 0},
    }
    both = await api.data("query($a: ID!, $b: ID!) { nodes(ids: [$a, $b]) { id } }", actor, a=ann, b=bea)
    assert both == {"nodes": [{"id": ann}, None]}
    await api.change("assignOwner", {"id": ann, "owner": None, "backup": None}, "customer { id }")
    assert (await api.data(EVERYTHING, actor))["customers"]["totalCount"] == 0


async def test_admins_pay_nothing_for_scopes(api: Api) -> None:
    await company(api)
    await api.data("{ customers { nodes { name } } }")
    assert [sql for sql in api.statements if "EXISTS" in sql or "confidential" in sql] == []


async def test_a_segments_customers_are_those_who_belong_to_it_now(api: Api, acting: Acting) -> None:
    sam, _, bea = await company(api)
    segment = await api.change(
        "createSegment", {"name": "Gold", "filter": {"tags": {"any": ["gold"]}}}, "segment { id }"
    )
    key = segment["segment"]["id"]
    role = {"name": "Gold", "permissions": READS, "scope": "SEGMENT", "segment": key}
    actor = await with_roles(api, acting, sam, role)
    assert (await api.data(EVERYTHING, actor))["interactions"]["nodes"] == [{"customer": {"name": "Bea"}}]
    members = "{ segments { nodes { name previewCount members { nodes { name } totalCount } } } }"
    await api.change("createSegment", {"name": "All", "filter": {}}, "segment { id }")
    assert (await api.data(members, actor))["segments"]["nodes"] == [
        {"name": name, "previewCount": 1, "members": {"nodes": [{"name": "Bea"}], "totalCount": 1}}
        for name in ("All", "Gold")
    ]
    [error] = await api.errors("deleteSegment", {"id": key})
    assert (error["code"], error["path"]) == ("REFUSED", ["id"])
    await api.change("tagCustomers", {"customers": [bea], "remove": ["gold"]}, "changed")
    assert (await api.data(EVERYTHING, actor))["customers"]["totalCount"] == 0


async def test_partners_see_the_customers_with_their_tag(api: Api, acting: Acting) -> None:
    await company(api)
    actor = await acting(READS, kind=ActorKind.PARTNER, tag="Gold")
    found = await api.data(EVERYTHING, actor)
    assert [node["name"] for node in found["customers"]["nodes"]] == ["Bea"]
    assert found["interactions"]["totalCount"] == 1


async def test_roles_add_up_each_with_its_own_customers(api: Api, acting: Acting) -> None:
    sam, ann, bea = await company(api)
    actor = await with_roles(
        api,
        acting,
        sam,
        {"name": "Reader", "permissions": READS},
        {"name": "Writer", "permissions": ["customers.write"], "scope": "OWN"},
    )
    assert await names_as(api, actor) == ["Ann", "Bea"]
    text = "mutation($i: UpdateCustomerInput!) { updateCustomer(input: $i) { errors { code path } } }"
    mine = await api.data(text, actor, i={"id": ann, "company": "A"})
    assert mine["updateCustomer"]["errors"] == []
    theirs = await api.data(text, actor, i={"id": bea, "company": "B"})
    assert theirs["updateCustomer"]["errors"] == [{"code": "NOT_FOUND", "path": ["id"]}]


async def names_as(api: Api, actor: Actor) -> list[str]:
    found = await api.data("{ customers { nodes { name } } }", actor)
    return [node["name"] for node in found["customers"]["nodes"]]


@pytest.mark.parametrize(
    ("mutation", "input", "code"),
    [
        ("updateCustomer", {"id": "BEA", "company": "x"}, "NOT_FOUND"),
        ("archiveCustomer", {"id": "BEA"}, "NOT_FOUND"),
        ("assignOwner", {"id": "BEA", "owner": "SAM"}, "NOT_FOUND"),
        ("tagCustomers", {"customers": ["ANN", "BEA"], "add": ["x"]}, "NOT_FOUND"),
        ("addContactPoint", {"customer": "BEA", "contactPoint": {"channel": "phone", "value": "+4930123456"}},
         "NOT_FOUND"),
        ("setConsent", {"customer": "BEA", "channel": "email", "consent": "OPTED_OUT"}, "NOT_FOUND"),
        ("mergeCustomers", {"winner": "ANN", "losers": ["BEA"]}, "NOT_FOUND"),
        ("mergeCustomers", {"winner": "BEA", "losers": ["ANN"], "dryRun": True}, "NOT_FOUND"),
        ("eraseCustomer", {"id": "BEA"}, "NOT_FOUND"),
        ("exportCustomer", {"id": "BEA"}, "NOT_FOUND"),
        ("logInteraction", {"customer": "BEA", "kind": "note"}, "NOT_FOUND"),
        ("logInteraction", {"customer": "ANN", "kind": "note", "replyTo": "CALL"}, "NOT_FOUND"),
        ("updateInteraction", {"id": "CALL", "subject": "x"}, "NOT_FOUND"),
        ("recordPurchase", {"customer": "BEA", "lines": [], "total": {"amount": "1", "currency": "EUR"}},
         "NOT_FOUND"),
        ("createCustomer", {"name": "Bea", "source": "shop", "reference": "2", "owner": "SAM"}, "CONFLICT"),
        ("updateCustomer", {"id": "ANN", "source": "shop", "reference": "2"}, "CONFLICT"),
        ("createCustomer", {"name": "Cleo"}, "REFUSED"),
    ],
)  # fmt: skip
async def test_nothing_can_be_done_to_customers_out_of_reach(
    api: Api, acting: Acting, mutation: str, input: dict[str, Any], code: str
) -> None:
    sam, ann, bea = await company(api)
    calls = await api.data("{ interactions { nodes { id customer { name } } } }")
    [call] = [one["id"] for one in calls["interactions"]["nodes"] if one["customer"]["name"] == "Bea"]
    granted = [*WRITES, "customers.merge", "customers.erase", "customers.export"]
    actor = await with_roles(api, acting, sam, {"name": "S", "permissions": granted, "scope": "OWN"})
    known = {"ANN": ann, "BEA": bea, "SAM": sam, "CALL": call}
    given = {
        name: [known.get(one, one) for one in value] if isinstance(value, list) else known.get(value, value)
        if isinstance(value, str) else value
        for name, value in input.items()
    }  # fmt: skip
    before = [await api.count(table) for table in ("crm_audit", "crm_customer", "crm_interaction")]
    mine = Api(api.schema, api.database, api.host, actor)
    [error] = await mine.errors(mutation, given)
    assert error["code"] == code
    assert "Bea" not in error["message"].replace(repr(given.get("name")), "")
    if bea not in str(given):  # else it is told what it said itself
        assert decode_key(bea, "Customer") not in str(error)
        assert bea not in str(error)
    assert [await api.count(table) for table in ("crm_audit", "crm_customer", "crm_interaction")] == before


async def test_what_is_confidential_is_seen_by_those_who_may(api: Api, acting: Acting) -> None:
    _, ann, bea = await company(api)
    await api.change("updateCustomer", {"id": bea, "confidential": True}, "customer { confidential }")
    everyone = await acting(READS)
    assert await names_as(api, everyone) == ["Ann"]
    assert (await api.data(EVERYTHING, everyone))["interactions"]["totalCount"] == 1
    trusted = await acting([*READS, "customers.confidential"])
    assert await names_as(api, trusted) == ["Ann", "Bea"]
    writer = Api(api.schema, api.database, api.host, await acting(WRITES))
    [error] = await writer.errors("updateCustomer", {"id": bea, "company": "x"})
    assert error["code"] == "NOT_FOUND"
    for name, input in (
        ("updateCustomer", {"id": ann, "confidential": True}),
        ("createCustomer", {"name": "C", "confidential": True}),
        ("importCustomers", {"rows": [{"name": "C", "confidential": True}]}),
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await writer.errors(name, input)
    assert await api.count("crm_customer") == 2


async def test_imports_leave_alone_what_is_out_of_reach(api: Api, acting: Acting) -> None:
    sam, ann, bea = await company(api)
    actor = await with_roles(api, acting, sam, {"name": "S", "permissions": WRITES, "scope": "OWN"})
    mine = Api(api.schema, api.database, api.host, actor)
    made = await mine.change(
        "importCustomers",
        {
            "rows": [
                {"name": "A", "source": "shop", "reference": "1"},
                {"name": "B", "source": "shop", "reference": "2"},
                {"name": "New", "owner": sam},
            ]
        },
        "created existing rows { index id created error { code path } }",
    )
    assert (made["created"], made["existing"]) == (1, 1)
    assert made["rows"][1]["error"] == {"code": "CONFLICT", "path": ["rows", "1", "reference"]}
    touched = await mine.change(
        "importInteractions",
        {
            "rows": [
                {"kind": "call", "customer": ann},
                {"kind": "call", "customer": bea},
                {"kind": "call", "customerSource": "shop", "customerReference": "2"},
            ]
        },
        "created rows { error { code } }",
    )
    assert touched["created"] == 1
    assert [row["error"] and row["error"]["code"] for row in touched["rows"]] == [
        None, "NOT_FOUND", "NOT_FOUND",
    ]  # fmt: skip


async def test_nobody_gives_what_they_do_not_have(api: Api, acting: Acting) -> None:
    sam, _, _ = await company(api)
    boss = await staff(api, "Boss")
    await with_roles(api, acting, boss, {"name": "Boss", "permissions": ["*"]})
    manager = ["roles.manage", "roles.read", "tokens.manage", "tokens.impersonate", "staff.write"]
    few = Api(api.schema, api.database, api.host, await acting([*manager, "customers.read"]))
    made = await few.change("createRole", {"name": "R", "permissions": ["customers.read"]}, "role { id }")
    own = made["role"]["id"]
    roles = await api.data("{ roles { nodes { id name } } }")
    strong = next(role["id"] for role in roles["roles"]["nodes"] if role["name"] == "Boss")
    for name, input in (
        ("createRole", {"name": "X", "permissions": ["customers.write"]}),
        ("createRole", {"name": "X", "permissions": ["customers.*"]}),
        ("createRole", {"name": "X", "permissions": ["*"]}),
        ("updateRole", {"id": own, "permissions": ["customers.read", "customers.write"]}),
        ("updateRole", {"id": strong, "permissions": ["customers.read"]}),
        ("setStaffRoles", {"staff": sam, "roles": [strong]}),
        ("setStaffRoles", {"staff": boss, "roles": []}),
        ("createToken", {"name": "X", "permissions": ["customers.write"]}),
        ("createToken", {"name": "X", "kind": "STAFF", "staff": boss}),
        ("updateStaff", {"id": boss, "email": "me@example.com"}),
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await few.errors(name, input)
    without = [one for one in manager if one != "tokens.impersonate"]
    plain = Api(api.schema, api.database, api.host, await acting([*without, "customers.read"]))
    for input in (
        {"name": "X", "kind": "STAFF", "staff": sam, "permissions": ["customers.read"]},
        {"name": "X", "kind": "CUSTOMER", "customer": (await api.data(ONE))["customers"]["nodes"][0]["id"]},
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await plain.errors("createToken", input)
    assert await api.count("crm_role") == 2


ONE = "{ customers(first: 1) { nodes { id } } }"


async def test_who_sees_some_customers_passes_nothing_on(api: Api, acting: Acting) -> None:
    sam, _, _ = await company(api)
    granted = [*READS, "roles.manage", "tokens.manage", "tokens.impersonate", "settings.write"]
    actor = await with_roles(api, acting, sam, {"name": "S", "permissions": granted, "scope": "OWN"})
    mine = Api(api.schema, api.database, api.host, actor)
    for name, input in (
        ("createRole", {"name": "X", "permissions": ["customers.read"], "scope": "OWN"}),
        ("createToken", {"name": "X", "permissions": ["customers.read"]}),
        ("createToken", {"name": "X", "kind": "PARTNER", "tag": "gold", "permissions": ["customers.read"]}),
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await mine.errors(name, input)
    before = await api.count("crm_token")
    for_themselves = {"name": "Mine", "kind": "STAFF", "staff": sam, "permissions": ["customers.read"]}
    made = await mine.change("createToken", for_themselves, "secret")
    assert made["secret"]
    assert await api.count("crm_token") == before + 1


async def test_a_staff_token_narrows_what_roles_give(api: Api, acting: Acting) -> None:
    sam, _, _ = await company(api)
    await with_roles(api, acting, sam, {"name": "S", "permissions": READS, "scope": "OWN"})
    key = decode_key(sam, "Staff")
    narrow = await acting(["customers.*", "audit.read"], kind=ActorKind.STAFF, staff_id=key)
    assert narrow.permissions == frozenset({"customers.read"})
    assert await names_as(api, narrow) == ["Ann"]
    await api.change("setStaffRoles", {"staff": sam, "roles": []}, "staff { roles { name } }")
    nothing = await acting(["*"], kind=ActorKind.STAFF, staff_id=key)
    assert nothing.permissions == frozenset()


async def test_staff_without_roles_have_what_their_token_says(api: Api, acting: Acting) -> None:
    sam, _, _ = await company(api)
    actor = await acting(READS, kind=ActorKind.STAFF, staff_id=decode_key(sam, "Staff"))
    assert await names_as(api, actor) == ["Ann", "Bea"]


async def test_roles_are_listed_changed_and_deleted(api: Api) -> None:
    sam = await staff(api, "Sam")
    made = await api.change("createRole", {"name": "R", "permissions": ["customers.read"]}, "role { id }")
    id = made["role"]["id"]
    await api.change("setStaffRoles", {"staff": sam, "roles": [id]}, "staff { id }")
    listed = await api.data("{ roles { nodes { name permissions scope segment { name } staff { name } } } }")
    assert listed["roles"]["nodes"] == [
        {
            "name": "R",
            "permissions": ["customers.read"],
            "scope": "EVERYTHING",
            "segment": None,
            "staff": [{"name": "Sam"}],
        }
    ]
    [error] = await api.errors("deleteRole", {"id": id})
    assert error["code"] == "REFUSED"
    [error] = await api.errors("updateRole", {"id": id, "name": "Q", "expectedVersion": 9})
    assert error["code"] == "CONFLICT"
    changed = await api.change("updateRole", {"id": id, "name": "Q"}, "role { name version }")
    assert changed["role"] == {"name": "Q", "version": 2}
    await api.change("setStaffRoles", {"staff": sam, "roles": []}, "staff { id }")
    await api.change("deleteRole", {"id": id}, "role { id }")
    assert await api.count("crm_role") == 0
    audit = await api.data('{ auditLog(filter: {subjectType: {eq: "Role"}}) { totalCount } }')
    assert audit["auditLog"]["totalCount"] == 3


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"name": " ", "permissions": []}, "BAD_INPUT", ["name"]),
        ({"name": "R", "permissions": ["customers.raed"]}, "BAD_INPUT", ["permissions"]),
        ({"name": "R", "permissions": [], "scope": "SEGMENT"}, "BAD_INPUT", ["segment"]),
        ({"name": "R", "permissions": ["*"], "scope": "OWN"}, "BAD_INPUT", ["permissions"]),
        (
            {
                "name": "R",
                "permissions": [],
                "scope": "SEGMENT",
                "segment": "U2VnbWVudDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=",
            },
            "NOT_FOUND",
            ["segment"],
        ),
    ],
)
async def test_roles_that_do_not_fit_are_refused(
    api: Api, input: dict[str, Any], code: str, path: list[str]
) -> None:
    [error] = await api.errors("createRole", input)
    assert (error["code"], error["path"]) == (code, path)
    assert await api.count("crm_role") == 0


async def test_customers_see_and_change_what_is_theirs(api: Api, acting: Acting) -> None:
    _, ann, bea = await company(api)
    await api.change("logInteraction", {"customer": ann, "kind": "note", "body": "odd"}, "interaction { id }")
    actor = await acting(kind=ActorKind.CUSTOMER, customer_id=decode_key(ann, "Customer"))
    assert actor.permissions == frozenset({"customers.read", "interactions.read"})
    data = await api.data(
        "{ customers { nodes { name email } totalCount } interactions { nodes { kind } } }",
        actor,
    )
    assert data["customers"] == {"nodes": [{"name": "Ann", "email": "ann@example.com"}], "totalCount": 1}
    assert data["interactions"] == {"nodes": [{"kind": "call"}]}
    mine = Api(api.schema, api.database, api.host, actor)
    for field in ("tags", "attributes", "confidential", "source", "mergedIds", "owner { name }"):
        assert (await api.refused(f"{{ customers {{ nodes {{ {field} }} }} }}", actor))[0] == "FORBIDDEN"
    for text in (
        '{ customers(filter: {tags: {any: ["gold"]}}) { totalCount } }',
        "{ interactions(orderBy: [{field: FOLLOW_UP_AT}]) { totalCount } }",
        "{ customers { nodes { timeline { nodes { title } } } } }",
        "{ duplicateCustomers { totalCount } }",
        "{ auditLog { totalCount } }",
    ):
        assert (await api.refused(text, actor))[0] == "FORBIDDEN"
    changed = await mine.change("updateCustomer", {"id": ann, "city": "Bonn"}, "customer { city }")
    assert changed["customer"] == {"city": "Bonn"}
    await mine.change(
        "setConsent", {"customer": ann, "channel": "email", "consent": "OPTED_OUT"}, "customer { id }"
    )
    said = {"customer": ann, "kind": "message", "direction": "INBOUND", "body": "Hello"}
    await mine.change("logInteraction", said, "interaction { body }")
    before = await api.count("crm_audit")
    for name, input in (
        ("updateCustomer", {"id": bea, "city": "Bonn"}),
        ("updateCustomer", {"id": ann, "tags": ["gold"]}),
        ("setConsent", {"customer": bea, "channel": "email", "consent": "OPTED_IN"}),
        ("logInteraction", {**said, "customer": bea}),
        ("logInteraction", {**said, "kind": "note"}),
        ("logInteraction", {**said, "direction": "OUTBOUND"}),
        ("logInteraction", {**said, "sentiment": "POSITIVE"}),
        ("createCustomer", {"name": "C"}),
        ("archiveCustomer", {"id": ann}),
        ("exportCustomer", {"id": ann}),
    ):
        with pytest.raises(AssertionError, match="FORBIDDEN"):
            await mine.errors(name, input)
    assert await api.count("crm_audit") == before
    assert await names(api) == ["Ann", "Bea"]
