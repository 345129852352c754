"""What customers can be filtered, searched and ordered by. Segments keep such a filter as plain JSON."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import strawberry

from crm_framework.domain.models import Consent, CustomerKind, CustomerStage
from crm_framework.domain.values.text import fold, words
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.sql import FALSE, Dialect, Fragment, all_of, listed, none_of
from crm_framework.security.actors import INTERNAL

from . import enums  # noqa: F401  # makes the domain's enumerations known to GraphQL
from .attribute_filter import AttributeFilter, attribute_condition
from .inputs import optional
from .segment_conditions import named_segments

MAX_TAGS = 100
MAX_SEARCH = 200
"""Characters of a search."""


@strawberry.input(description="A condition on tags. All members that are given must hold.")
class TagFilter:
    any: list[str] | None = optional("At least one of these tags.")
    all: list[str] | None = optional("Each of these tags.")
    none: list[str] | None = optional("None of these tags.")


@strawberry.input(description="A contact point of which all that is given holds.")
class ContactPointFilter:
    channel: str | None = optional("Its channel, such as email.")
    value: str | None = optional("Its normal form: e-mail in lower case, telephone in E.164.")
    consent: Consent | None = optional("Whether the customer agreed to be reached there.")
    primary: bool | None = optional("Whether it is the primary one of its channel.")


def _tags(value: Any, dialect: Dialect) -> Fragment:
    if not isinstance(value, Mapping) or set(value) - {"any", "all", "none"}:
        raise RequestError("BAD_INPUT", "an object with any, all or none is expected")
    parts = []
    for name, tags in value.items():
        if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
            raise RequestError("BAD_INPUT", f"{name}: a list of tags is expected")
        if len(tags) > MAX_TAGS:
            raise RequestError("BAD_INPUT", f"{name}: {len(tags)} tags are too many; list {MAX_TAGS} at most")
        wanted = [" ".join(tag.lower().replace("\0", "").split()) for tag in tags]
        if name == "all":
            parts += _tagged_with_all(list(dict.fromkeys(wanted)), dialect)
        else:
            tagged = _tagged(wanted, dialect)
            parts.append(none_of(tagged) if name == "none" else tagged)
    return all_of(parts)


def _tagged(tags: list[str], dialect: Dialect) -> Fragment:
    if not tags:
        return FALSE
    among = _among(tags, dialect)
    return Fragment(
        f"EXISTS (SELECT 1 FROM crm_customer_tag AS g WHERE g.customer_id = t.id AND {among.sql})", among.args
    )


def _among(tags: list[str], dialect: Dialect) -> Fragment:
    # for SQLite no term of the index: it would seek once for each tag and customer
    return listed("+g.tag" if dialect == "sqlite" and len(tags) > 1 else "g.tag", tags)


def _tagged_with_all(tags: list[str], dialect: Dialect) -> list[Fragment]:
    """The first few lead into the index, the rest are counted: a plan for dozens of joins takes seconds."""
    parts = [_tagged([tag], dialect) for tag in tags[:_JOINED_TAGS]]
    if len(tags) > _JOINED_TAGS:
        among = _among(tags, dialect)
        counted = (
            f"(SELECT COUNT(*) FROM crm_customer_tag AS g WHERE g.customer_id = t.id AND {among.sql}) = ?"
        )
        parts.append(Fragment(counted, (*among.args, len(tags))))
    return parts


_JOINED_TAGS = 3


def _contact_points(value: Any, dialect: Dialect) -> Fragment:
    if not isinstance(value, Mapping):
        raise RequestError("BAD_INPUT", "an object of conditions is expected")
    parts = [Fragment("p.customer_id = t.id")]
    for name, wanted in value.items():
        if name not in _POINT_COLUMNS or not isinstance(wanted, _POINT_COLUMNS[name][1]):
            raise RequestError("BAD_INPUT", f"{name}: this value does not fit")
        if isinstance(wanted, str) and "\0" in wanted:
            raise RequestError("BAD_INPUT", f"{name}: a text may not hold the character U+0000")
        parts.append(Fragment(f"p.{_POINT_COLUMNS[name][0]} = ?", (getattr(wanted, "value", wanted),)))
    each = all_of(parts)
    return Fragment(f"EXISTS (SELECT 1 FROM crm_contact_point AS p WHERE {each.sql})", each.args)


_POINT_COLUMNS: Mapping[str, tuple[str, type]] = {
    "channel": ("channel", str),
    "value": ("normalized", str),
    "consent": ("consent", str),
    "primary": ("is_primary", bool),
}


def _lower(text: str) -> str:
    return text.strip().lower()


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit() or c == "+")


CUSTOMER_FILTER = FilterSpec(
    "CustomerFilter",
    [
        Member("id", "id", "The customer.", column="id", of="Customer"),
        Member("kind", "enum", "What the customer is.", column="kind", enum=CustomerKind),
        Member("stage", "enum", "Where the customer stands.", column="stage", enum=CustomerStage),
        Member(
            "name",
            "string",
            "The name. Case and accents do not matter.",
            sql="t.sort_name",
            normalise=fold,
        ),
        Member("company", "string", "The company, in this spelling.", column="company"),
        Member("email", "string", "The primary e-mail address.", column="email", normalise=_lower),
        Member("phone", "string", "The primary telephone, E.164.", column="phone", normalise=_digits),
        Member("city", "string", "The city of the primary address.", column="city"),
        Member("country", "string", "Its country, ISO 3166-1 alpha-2.", column="country"),
        Member("owner", "id", "Who is responsible.", column="owner_id", of="Staff", permission=INTERNAL),
        Member(
            "backup",
            "id",
            "Who stands in for the owner.",
            column="backup_id",
            of="Staff",
            permission=INTERNAL,
        ),
        Member("locale", "string", "The language, BCP 47.", column="locale"),
        Member("timeZone", "string", "The time zone, IANA.", column="time_zone"),
        Member(
            "source", "string", "The system that the record comes from.", column="source", permission=INTERNAL
        ),
        Member("reference", "string", "Its key in that system.", column="reference", permission=INTERNAL),
        Member(
            "confidential",
            "boolean",
            "Whether it is marked confidential.",
            column="confidential",
            permission=INTERNAL,
        ),
        Member("createdAt", "datetime", "When the record was made.", column="created_at"),
        Member("updatedAt", "datetime", "When it last changed.", column="updated_at"),
        Member("convertedAt", "datetime", "When a prospect became a customer.", column="converted_at"),
        Member("formerAt", "datetime", "When the customer left.", column="former_at"),
        Member("returnedAt", "datetime", "When a former one came back.", column="returned_at"),
        Member("archivedAt", "datetime", "When it was archived.", column="archived_at"),
        Member(
            "attributes",
            "custom",
            "Conditions on attributes; all must hold.",
            input=list[AttributeFilter],
            condition=attribute_condition,
            permission=INTERNAL,
        ),
        Member(
            "tags", "custom", "A condition on tags.", input=TagFilter, condition=_tags, permission=INTERNAL
        ),
        Member(
            "contactPoint",
            "custom",
            "At least one contact point is like this.",
            input=ContactPointFilter,
            condition=_contact_points,
        ),
        Member(
            "segment",
            "custom",
            "The customer belongs to this segment. It needs the permission to see segments, `settings.read`.",
            input=strawberry.ID,
            names=named_segments,
            # it tells what the segment's own members would, as `Segment.members` does
            permission="settings.read",
        ),
    ],
)
"""What customers are filtered by; a schema adds the members of its plugins. See `root(filter=…)`."""

CUSTOMER_ORDERS = Orders(
    "CustomerOrder",
    [
        OrderField("NAME", "string", "By name; case and accents do not matter.", column="sort_name"),
        OrderField("CITY", "string", "By the city of the primary address.", column="city", nullable=True),
        OrderField("STAGE", "enum", "By stage.", column="stage"),
        OrderField("CREATED_AT", "datetime", "By the moment the record was made.", column="created_at"),
        OrderField("UPDATED_AT", "datetime", "By the moment of the last change.", column="updated_at"),
        OrderField("CONVERTED_AT", "datetime", "By the conversion.", column="converted_at", nullable=True),
    ],
)


def search_condition(
    info: strawberry.Info,
    search: Annotated[
        str | None,
        strawberry.argument(
            description="Words, or their beginnings, of names, company and contact points; all must be found."
            " Case and accents do not matter."
        ),
    ] = None,
) -> Fragment | None:
    """The customers in whose texts each word of `search` begins a word."""
    if search is None or not search.strip():
        return None
    if len(search) > MAX_SEARCH:
        raise RequestError(
            "BAD_INPUT", f"search: {len(search)} characters are too many; {MAX_SEARCH} are allowed"
        )
    return found_customers(words(search), info.context.reader.dialect)


def found_customers(wanted: Sequence[str], dialect: Dialect) -> Fragment:
    """The customers, as the table `t`, in whose names, company and contact points each of these folded words
    begins a word; none for no words.
    """
    if not wanted:
        return FALSE
    if dialect == "postgres":
        query = " & ".join(f"'{word}':*" for word in wanted)
        return Fragment("to_tsvector('simple', t.search_text) @@ to_tsquery('simple', ?)", (query,))
    query = " ".join(f'"{word}"*' for word in wanted)
    return Fragment(
        "t.id IN (SELECT k.customer_id FROM crm_customer_search AS s JOIN crm_customer_search_key AS k"
        " ON k.number = s.rowid WHERE crm_customer_search MATCH ?)",
        (query,),
    )
