"""What is set up once: segments, attributes, contact rules, staff, roles and tokens."""

from .desk import Desk, Input, Inputs, of


async def segment(desk: Desk) -> Input:
    return {"name": desk.new("Segment"), "filter": {"city": {"eq": "Lyon"}}}


async def segment_there(desk: Desk) -> str:
    return await desk.make("createSegment", "segment", name=desk.new("Segment"), filter={})


async def define(desk: Desk) -> Input:
    return {"name": f"attribute{next(desk.numbers)}", "type": "TEXT"}


async def attribute_there(desk: Desk) -> str:
    return await desk.make("defineAttribute", "attributeDefinition", **await define(desk))


async def rule(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # there is one for each channel
        await tx.execute("DELETE FROM crm_contact_rule")
    return {"channel": "email", "maxTouches": 2, "windowHours": 72}


async def contact_rule_there(desk: Desk) -> str:
    return await desk.make("createContactRule", "contactRule", **await rule(desk))


async def named(desk: Desk) -> Input:
    return {"name": desk.new("Staff")}


async def staff_there(desk: Desk) -> str:
    return await desk.make("createStaff", "staff", name=desk.new("Staff"))


async def leaving(desk: Desk) -> Input:
    staff = await staff_there(desk)
    await desk.customer(owner=staff)
    return {"id": staff, "successor": await staff_there(desk)}


async def inactive(desk: Desk) -> Input:
    staff = await staff_there(desk)
    await desk.run("deactivateStaff", {"id": staff}, "staff { id }")
    return {"id": staff}


async def new_role(desk: Desk) -> Input:
    return {"name": desk.new("Role"), "permissions": ["customers.read"]}


async def role_there(desk: Desk) -> str:
    return await desk.make("createRole", "role", **await new_role(desk))


async def give_role(desk: Desk) -> Input:
    return {"staff": await staff_there(desk), "roles": [await role_there(desk)]}


async def token(desk: Desk) -> Input:
    return {"name": desk.new("Token"), "permissions": ["customers.read"]}


async def revoke(desk: Desk) -> Input:
    return {"id": await desk.make("createToken", "token", **await token(desk))}


INPUTS: Inputs = {
    "createContactRule": (rule, "contactRule { id }"),
    "updateContactRule": (of(contact_rule_there, maxTouches=9), "contactRule { id }"),
    "deleteContactRule": (of(contact_rule_there), "contactRule { id }"),
    "createSegment": (segment, "segment { id }"),
    "updateSegment": (of(segment_there, description="Other"), "segment { id }"),
    "deleteSegment": (of(segment_there), "segment { id }"),
    "defineAttribute": (define, "attributeDefinition { id }"),
    "updateAttribute": (of(attribute_there, description="Other"), "attributeDefinition { id }"),
    "removeAttribute": (of(attribute_there), "attributeDefinition { id }"),
    "createStaff": (named, "staff { id }"),
    "updateStaff": (of(staff_there, name="Renamed"), "staff { id }"),
    "deactivateStaff": (leaving, "staff { id }"),
    "reactivateStaff": (inactive, "staff { id }"),
    "createRole": (new_role, "role { id }"),
    "updateRole": (of(role_there, description="Other"), "role { id }"),
    "deleteRole": (of(role_there), "role { id }"),
    "setStaffRoles": (give_role, "staff { id }"),
    "createToken": (token, "token { id }"),
    "revokeToken": (revoke, "token { id }"),
}
