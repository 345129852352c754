"""The address at which kept attachments are read."""

from urllib.parse import quote

from crm_framework import CrmError, ErrorCode, RouteAnswer, RouteRequest, decode_key

from .graphql import TicketAttachment


async def give(request: RouteRequest) -> RouteAnswer:
    """The bytes of an attachment, to be saved and not to be shown: who sent it is not known."""
    key = decode_key(request.args["id"], "TicketAttachment")
    [found] = await request.load(TicketAttachment, [key], columns=("name",))
    rows = await request.reader.fetch(
        "SELECT content FROM ticketing_attachment_content WHERE attachment_id = ?", [key]
    )
    if found is None or not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such attachment.")
    return RouteAnswer(
        body=bytes(rows[0]["content"]),
        media_type="application/octet-stream",
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
        },
    )
