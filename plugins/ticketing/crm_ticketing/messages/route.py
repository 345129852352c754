"""The address at which kept attachments are read."""

from urllib.parse import quote

from crm_framework import CrmError, ErrorCode, RouteAnswer, RouteRequest, decode_key


async def give(request: RouteRequest) -> RouteAnswer:
    """The bytes of an attachment, to be saved and not to be shown: who sent it is not known."""
    key = decode_key(request.args["id"], "TicketAttachment")
    rows = await request.reader.fetch(
        "SELECT a.name, a.sha256, c.content FROM ticketing_attachment AS a"
        " JOIN ticketing_attachment_content AS c ON c.attachment_id = a.id WHERE a.id = ?",
        [key],
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such attachment.")
    return RouteAnswer(
        body=bytes(rows[0]["content"]),
        media_type="application/octet-stream",
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(rows[0]['name'], safe='')}",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
        },
    )
