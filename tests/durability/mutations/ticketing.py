"""The mutations of the plugin ticketing."""

from .desk import Desk, Input, Inputs, of
from .settings import staff_there


async def ticket(desk: Desk) -> Input:
    return {"customer": await desk.customer(), "subject": desk.new("Ticket"), "body": "Help"}


async def ticket_there(desk: Desk) -> str:
    return await desk.make("openTicket", "ticket", **await ticket(desk))


async def two_tickets(desk: Desk) -> tuple[str, str]:
    owner = await desk.customer()
    first, second = [
        await desk.make("openTicket", "ticket", customer=owner, subject=desk.new("Ticket"), body="Help")
        for _ in range(2)
    ]
    return first, second


async def reply(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "body": "Done"}


async def change_status(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "status": "RESOLVED"}


async def urgent(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "priority": "URGENT"}


async def other_category(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "category": "complaint"}


async def assigned(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "assignee": await staff_there(desk)}


async def note(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "body": "Between us"}


async def received(desk: Desk) -> Input:
    return {
        "ticket": await ticket_there(desk),
        "body": "Well?",
        "source": "chat",
        "reference": desk.new("message"),
    }


async def merge_of_tickets(desk: Desk) -> Input:
    winner, loser = await two_tickets(desk)
    return {"winner": winner, "losers": [loser]}


async def link(desk: Desk) -> Input:
    one, other = await two_tickets(desk)
    return {"ticket": one, "other": other, "kind": "RELATED"}


async def linked(desk: Desk) -> Input:
    input_ = await link(desk)
    await desk.run("linkTickets", input_, "ticket { id }")
    return input_


async def follower(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "add": [await staff_there(desk)]}


async def ticket_tag(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "add": ["late"]}


async def ticket_attributes(desk: Desk) -> Input:
    return {"ticket": await ticket_there(desk), "attributes": {}}


async def many_tickets(desk: Desk) -> Input:
    return {"tickets": list(await two_tickets(desk)), "status": "OPEN"}


async def rating(desk: Desk) -> Input:
    resolved = await ticket_there(desk)
    await desk.run("changeTicketStatus", {"ticket": resolved, "status": "RESOLVED"}, "ticket { id }")
    return {"ticket": resolved, "rating": 4}


OPEN_ALWAYS: Input = {"timeZone": "Europe/Berlin", "alwaysOpen": True}


async def calendar(desk: Desk) -> Input:
    return {"name": desk.new("Calendar"), "rules": OPEN_ALWAYS}


async def calendar_there(desk: Desk) -> str:
    return await desk.make("createBusinessCalendar", "calendar", **await calendar(desk))


PROMISE: Input = {"targets": [{"clock": "FIRST_RESPONSE", "target": "PT4H"}]}


async def policy(desk: Desk) -> Input:
    return {"name": desk.new("Policy"), "calendar": await calendar_there(desk), "rules": PROMISE}


async def policy_there(desk: Desk) -> str:
    return await desk.make("createSlaPolicy", "policy", **await policy(desk))


async def switched(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # one without conditions is on, and no other
        await tx.execute("UPDATE ticketing_policy SET active_number = NULL")
    return {"on": [await policy_there(desk)]}


async def ordered(desk: Desk) -> Input:
    async with desk.service.database.unit_of_work() as tx:  # all must be named
        await tx.execute("UPDATE ticketing_ticket SET policy_version_id = NULL")
        await tx.execute("DELETE FROM ticketing_policy_version")
        await tx.execute("DELETE FROM ticketing_policy")
    return {"policies": [await policy_there(desk), await policy_there(desk)][::-1]}


async def recalculated(desk: Desk) -> Input:
    ticket = await ticket_there(desk)
    await desk.run("switchSlaPolicies", await switched(desk), "changed")
    return {"tickets": [ticket]}


async def tried(desk: Desk) -> Input:
    return {"policy": await policy_there(desk)}


async def team(desk: Desk) -> Input:
    return {"name": desk.new("Team"), "members": [await staff_there(desk)]}


async def team_there(desk: Desk) -> str:
    return await desk.make("createTicketTeam", "team", **await team(desk))


async def ticket_template(desk: Desk) -> Input:
    return {"name": desk.new("Template"), "body": "Dear {{customer.name}}"}


async def template_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveTicketTemplate", "template", **await ticket_template(desk))}


async def knowledge_note(desk: Desk) -> Input:
    return {"name": desk.new("Note"), "body": "Known.", "category": "question"}


async def knowledge_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveKnowledgeNote", "note", **await knowledge_note(desk))}


async def ticket_view(desk: Desk) -> Input:
    return {"name": desk.new("View"), "filter": {"status": {"eq": "OPEN"}}, "shared": True}


async def view_there(desk: Desk) -> Input:
    return {"id": await desk.make("saveTicketView", "view", **await ticket_view(desk)), "shared": True}


INPUTS: Inputs = {
    "openTicket": (ticket, "ticket { id }"),
    "replyToTicket": (reply, "ticket { id }"),
    "changeTicketStatus": (change_status, "ticket { id }"),
    "changeTicketPriority": (urgent, "ticket { id }"),
    "changeTicketCategory": (other_category, "ticket { id }"),
    "assignTicket": (assigned, "ticket { id }"),
    "recalculateTickets": (recalculated, "changed"),
    "createBusinessCalendar": (calendar, "calendar { id }"),
    "updateBusinessCalendar": (of(calendar_there, rules=OPEN_ALWAYS), "calendar { id }"),
    "createSlaPolicy": (policy, "policy { id }"),
    "updateSlaPolicy": (of(policy_there, rules=PROMISE), "policy { id }"),
    "switchSlaPolicies": (switched, "changed"),
    "reorderSlaPolicies": (ordered, "changed"),
    "trySlaPolicy": (tried, "taken"),
    "createTicketTeam": (team, "team { id }"),
    "updateTicketTeam": (of(team_there, categories=["complaint"]), "team { id }"),
    "addTicketNote": (note, "ticket { id }"),
    "receiveTicketMessage": (received, "ticket { id }"),
    "mergeTickets": (merge_of_tickets, "ticket { id }"),
    "linkTickets": (link, "ticket { id }"),
    "unlinkTickets": (linked, "ticket { id }"),
    "followTicket": (follower, "ticket { id }"),
    "tagTicket": (ticket_tag, "ticket { id }"),
    "setTicketAttributes": (ticket_attributes, "ticket { id }"),
    "changeTickets": (many_tickets, "changed"),
    "rateTicket": (rating, "ticket { id }"),
    "saveTicketTemplate": (ticket_template, "template { id }"),
    "deleteTicketTemplate": (template_there, "template { id }"),
    "saveKnowledgeNote": (knowledge_note, "note { id }"),
    "deleteKnowledgeNote": (knowledge_there, "note { id }"),
    "saveTicketView": (ticket_view, "view { id }"),
    "deleteTicketView": (view_there, "view { id }"),
}
