"""Enumerations of other rooms as GraphQL ones: the values are theirs, the words about them stand here."""

from enum import EnumMeta

from strawberry.types.enum import EnumValue, StrawberryEnumDefinition

from crm_framework.domain.contacts.policy import ContactReason
from crm_framework.domain.customers.duplicates import DuplicateReason
from crm_framework.domain.models import (
    AttributeType,
    Consent,
    CustomerKind,
    CustomerStage,
    DeliveryStatus,
    Direction,
    JobStatus,
    MessageState,
    Sentiment,
    WebhookDeliveryStatus,
    WebhookStatus,
)
from crm_framework.errors import ErrorCode
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.security.actors import ActorKind
from crm_framework.security.scopes import ScopeKind


def describe(kind: EnumMeta, description: str, *, name: str | None = None, **values: str) -> None:
    """Makes `kind` a GraphQL enumeration. Raises `TypeError` unless every member is described."""
    if set(values) != set(kind.__members__):
        missing = sorted(set(kind.__members__) ^ set(values))
        raise TypeError(f"{kind.__name__}: described and existing values differ: {', '.join(missing)}")
    definition = StrawberryEnumDefinition(
        wrapped_cls=kind,
        name=name or kind.__name__,
        values=[
            EnumValue(member, kind.__members__[member].value, description=text)
            for member, text in values.items()
        ],
        description=description,
    )
    kind.__strawberry_definition__ = definition  # type: ignore[attr-defined]  # where Strawberry looks for it


describe(
    CustomerKind,
    "What a customer is.",
    PERSON="A natural person.",
    ORGANISATION="A company, an association, a public body.",
)
describe(
    CustomerStage,
    "Where a customer stands with us.",
    PROSPECT="Has not bought yet.",
    CUSTOMER="Has been converted.",
    FORMER="Was a customer and has left.",
)
describe(
    Consent,
    "Whether a customer agreed to be reached at a contact point.",
    OPTED_IN="Agreed.",
    OPTED_OUT="Refused.",
    UNKNOWN="Never asked, or not answered.",
)
describe(
    Direction,
    "Who began a touch.",
    INBOUND="The customer.",
    OUTBOUND="We did: counted by the contact policy.",
)
describe(
    Sentiment,
    "How the customer felt about it.",
    POSITIVE="Content.",
    NEUTRAL="Neither content nor discontent.",
    NEGATIVE="Discontent.",
)
describe(
    AttributeType,
    "What values an attribute takes.",
    TEXT="A text.",
    NUMBER="A number.",
    BOOLEAN="True or false.",
    DATE="A day, `YYYY-MM-DD`.",
    CHOICE="One of the listed choices.",
    CHOICES="A list of the listed choices.",
)
describe(
    ErrorCode,
    "Why a mutation was refused.",
    name="UserErrorCode",
    BAD_INPUT="A value does not fit: wrong type, out of range, malformed.",
    NOT_FOUND="An id or a reference names nothing that this actor may see.",
    CONFLICT="The record changed meanwhile, or a key is taken by another record.",
    FORBIDDEN="The actor lacks a permission.",
    UNAUTHENTICATED="No token, or one that is unknown, expired or revoked.",
    REFUSED="A business rule or a plugin refused the change.",
    UNAVAILABLE="The database is full, read-only, locked or away; trying again later may help.",
    CONFIGURATION="A setting, a plugin or the database does not fit this program.",
    INTERNAL="A fault of the program itself.",
)
describe(
    ActorKind,
    "What acts.",
    STAFF="A member of staff.",
    INTEGRATION="Another program.",
    CUSTOMER="A customer, on their own data.",
    PARTNER="Another company, on some of the customers.",
    SYSTEM="The CRM itself: its commands and jobs.",
)
describe(
    ScopeKind,
    "Which customers a role is about.",
    EVERYTHING="All of them.",
    OWN="Those whose owner or backup the member of staff is.",
    SEGMENT="Those that belong to a segment at that moment.",
)
describe(
    ContactReason,
    "Why a customer may be contacted or not; of several reasons the first in this order.",
    ALLOWED="Nothing speaks against it.",
    REPLY="It answers the customer's own message, which is always allowed.",
    ERASED="The customer's data has been erased.",
    ARCHIVED="The customer is archived.",
    OPTED_OUT="The customer refused to be reached on this channel.",
    CONSENT_UNKNOWN="No consent to this channel is known, and one is needed.",
    NO_TOUCHES="A rule allows no touches at all.",
    OVERALL_LIMIT="There were as many touches over all channels as a rule allows.",
    CHANNEL_LIMIT="There were as many touches on this channel as a rule allows.",
    SUPPORT_REST="The customer is left alone after a support case.",
    QUIET_HOURS="It is a quiet hour where the customer lives.",
)
describe(
    DeliveryStatus,
    "What becomes of an event that a plugin's handler owes.",
    PENDING="It is tried again.",
    PARKED="It is left, after too many attempts, until somebody has it retried.",
)
describe(
    JobStatus,
    "What has become of a job.",
    WAITING="It runs when its time has come.",
    RUNNING="A worker has it.",
    DONE="It is done.",
    FAILED="It failed as often as it may, and is left until somebody has it run again.",
    CANCELLED="It was cancelled while it ran, or another one under its key took its place.",
)
describe(
    MessageState,
    "What has become of a message.",
    QUEUED="It is sent, or tried again, when its time has come.",
    SENT="A plugin or the mail server took it.",
    FAILED="It was given up; its job, run again, tries once more.",
)
describe(
    WebhookStatus,
    "Whether a webhook is sent to.",
    ACTIVE="It is sent to.",
    PAUSED="Nothing is sent, until it is resumed.",
)
describe(
    WebhookDeliveryStatus,
    "What has become of an event that is owed to a webhook.",
    PENDING="It is sent, or tried again, when its time has come.",
    DELIVERED="The receiver answered with a status from 200 to 299.",
    FAILED="It did not arrive, after all attempts.",
)
describe(
    DuplicateReason,
    "What speaks for two customers being the same.",
    SAME_EMAIL="They have an e-mail address in common.",
    SAME_PHONE="They have a telephone number in common.",
    SIMILAR_NAME="Their names are similar.",
)
describe(
    PluginStatus,
    "Whether a plugin works, and if not, why.",
    ENABLED="It is enabled and in order.",
    DISABLED="It is installed and not enabled; none of its code ran.",
    MISSING="It is enabled and not installed.",
    INCOMPATIBLE="It was written for another version of the contract.",
    BROKEN="It cannot be imported, or does not keep to the contract.",
    MISCONFIGURED="Its section of the settings does not fit.",
    BLOCKED="A plugin that it requires is not there.",
    REFUSED="It clashes with another plugin or with the core.",
)
