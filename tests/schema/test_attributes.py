"""Custom fields over the API."""

from .conftest import Api, create


async def test_attributes_are_defined_changed_and_removed(api: Api) -> None:
    select = "attributeDefinition { id version name type choices required description }"
    made = await api.change(
        "defineAttribute",
        {"name": "colour", "type": "CHOICE", "choices": ["red", "blue"], "required": False},
        select,
    )
    colour = made["attributeDefinition"]
    assert {**colour, "id": ""} == {
        "id": "",
        "version": 1,
        "name": "colour",
        "type": "CHOICE",
        "choices": ["red", "blue"],
        "required": False,
        "description": None,
    }
    await create(api, "Ann", attributes={"colour": "red"})
    (error,) = await api.errors("updateAttribute", {"id": colour["id"], "choices": ["blue"]})
    assert error["code"] == "REFUSED"
    changed = await api.change("updateAttribute", {"id": colour["id"], "choices": ["red"]}, select)
    assert changed["attributeDefinition"]["choices"] == ["red"]
    (error,) = await api.errors("removeAttribute", {"id": colour["id"]})
    assert error["code"] == "REFUSED"
    for name, path in (("a b", ["name"]), ("Colour", ["name"])):
        (error,) = await api.errors("defineAttribute", {"name": name, "type": "TEXT"})
        assert error["path"] == path
    (error,) = await api.errors("defineAttribute", {"name": "x", "type": "CHOICE"})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["choices"])
    assert await api.data("{ attributeDefinitions { name } }") == {
        "attributeDefinitions": [{"name": "colour"}]
    }
    other = (await api.change("defineAttribute", {"name": "size", "type": "NUMBER"}, select))[
        "attributeDefinition"
    ]
    await api.change("removeAttribute", {"id": other["id"]}, select)
    (error,) = await api.errors("removeAttribute", {"id": other["id"]})
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])
