"""What belongs to messages: attachments, the words that are searched, and the ids of e-mails."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class Attachment(Model):
    """A file of a message, by reference; `kept` says that its bytes are in `ticketing_attachment_content`."""

    id = key()
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="attachments", on_delete=fields.RESTRICT, db_index=True
    )
    message: Any = fields.ForeignKeyField(
        "ticketing.Message", related_name="attachments", on_delete=fields.RESTRICT, db_index=True
    )
    internal = fields.BooleanField(default=False, db_default=False, description="as its message is")
    name = fields.CharField(max_length=200)
    media_type = fields.CharField(max_length=120)
    size = fields.BigIntField(description="bytes")
    sha256 = fields.CharField(max_length=64, null=True, description="hexadecimal")
    url = fields.CharField(max_length=2000, null=True, description="or a key of the store that has it")
    kept = fields.BooleanField(default=False, db_default=False)

    class Meta:
        app = "ticketing"
        table = "ticketing_attachment"


class AttachmentContent(Model):
    """Bytes of an attachment that came by e-mail, apart from what lists read."""

    id = key()
    attachment: Any = fields.ForeignKeyField(
        "ticketing.Attachment", related_name="contents", on_delete=fields.RESTRICT
    )
    content = fields.BinaryField()

    class Meta:
        app = "ticketing"
        table = "ticketing_attachment_content"
        unique_together = (("attachment_id",),)


class Words(Model):
    """Folded words of a ticket's subject, or of one of its messages, by which it is found."""

    id = fields.BigIntField(primary_key=True)
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="words", on_delete=fields.RESTRICT, db_index=True
    )
    message: Any = fields.ForeignKeyField(
        "ticketing.Message", related_name="words", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    internal = fields.BooleanField(default=False, db_default=False)
    folded = fields.TextField()

    class Meta:
        app = "ticketing"
        table = "ticketing_words"


class Mail(Model):
    """An e-mail that came, was sent, or was ignored, by its Message-ID: answers name it."""

    id = key()
    message_id = fields.CharField(max_length=250, unique=True)
    ticket: Any = fields.ForeignKeyField(
        "ticketing.Ticket", related_name="mails", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    outcome = fields.CharField(max_length=24)
    at = fields.DatetimeField()

    class Meta:
        app = "ticketing"
        table = "ticketing_mail"
