"""Members of staff over the API."""

from .conftest import Api

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
