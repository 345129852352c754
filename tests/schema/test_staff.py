"""Members of staff over the API."""

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create

FIELDS = "staff { id version name email active awayFrom source reference }"


async def test_create_change_and_list(api: Api) -> None:
    made = await api.change("createStaff", {"name": "Ann", "email": "Ann@Example.com"}, FIELDS)
    ann = made["staff"]
    assert ann["id"]
    assert {**ann, "id": ""} == {
        "id": "",
        "version": 1,
        "name": "Ann",
        "email": "ann@example.com",
        "active": True,
        "awayFrom": None,
        "source": None,
        "reference": None,
    }
    changed = await api.change(
        "updateStaff",
        {"id": ann["id"], "awayFrom": "2026-03-01T09:00:00+02:00", "expectedVersion": 1},
        FIELDS,
    )
    assert changed["staff"] == {**ann, "version": 2, "awayFrom": "2026-03-01T07:00:00Z"}
    found = await api.data("{ staff { nodes { name } totalCount } }")
    assert found == {"staff": {"nodes": [{"name": "Ann"}], "totalCount": 1}}


async def test_staff_leaves_and_returns(api: Api) -> None:
    ann, bob = [
        (await api.change("createStaff", {"name": name}, "staff { id }"))["staff"]["id"]
        for name in ("Ann", "Bob")
    ]
    customer = await create(api, "C", owner=ann)
    (error,) = await api.errors("deactivateStaff", {"id": ann})
    assert (error["code"], error["path"]) == ("REFUSED", ["successor"])
    gone = await api.change("deactivateStaff", {"id": ann, "successor": bob}, "staff { active }")
    assert gone["staff"] == {"active": False}
    owner = await api.data("query($id: ID) { customer(id: $id) { owner { name } } }", id=customer)
    assert owner == {"customer": {"owner": {"name": "Bob"}}}
    back = await api.change("reactivateStaff", {"id": ann}, "staff { active }")
    assert back["staff"] == {"active": True}
    for mutation in ("updateStaff", "deactivateStaff", "reactivateStaff"):
        (error,) = await api.errors(mutation, {"id": encode_id("Staff", new_id())})
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])
    (error,) = await api.errors("createStaff", {"name": "Cy", "email": "nobody"})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["email"])
