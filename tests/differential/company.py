"""A small company for operations to be run over: every kind of record, nulls, ties, and marks in the texts.

A mark is `Z`, a letter, a number and `Z`. The letter says of which kind of record the text is, the number of
which customer, so that an answer shows from where its texts come.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Concatenate, ParamSpec, TypeVar

from crm_loyalty.programs import create_program
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.models import MessageAuthor, TicketPriority, TicketStatus
from crm_ticketing.tickets import NewTicket, change_status, open_ticket, reply_to_ticket

from crm_framework.app import open_service
from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.contacts.rules import ContactRuleFields, create_contact_rule
from crm_framework.domain.customers.attributes import NewAttribute, define_attribute
from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.segments import NewSegment, create_segment
from crm_framework.domain.customers.staff import NewStaff, create_staff
from crm_framework.domain.customers.stages import archive_customer
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
from crm_framework.domain.interactions.refunds import NewRefund, record_refund
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.server.service import Service
from crm_framework.settings import Settings
from crm_framework.storage.clock import frozen
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.migration.migrator import migrate
from crm_framework.storage.unit_of_work import UnitOfWork

P = ParamSpec("P")
T = TypeVar("T")

PLUGINS = ("analytics", "hello", "loyalty", "ticketing", "with_orders")
PLUGIN_DIR = str(Path(__file__).parents[1] / "fixture_plugins")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMERS = 30
MARK = re.compile(r"(?<![\w+/-])Z([a-z])(\d+)Z(?![\w+/=-])")
"""Not within the letters of a cursor or an id, which may happen to spell one."""
MERGED = {25: 3, 26: 3, 27: 26}
"""Loser → winner."""
ERASED = (8,)
ARCHIVED = (9, 10)

_NAMES = ("Ada Brandt", "Benoît Carel", "Elif Yıldız", "東京商店", "O'Neill & 50%_", "ada brandt", "Zoë 😀")
_CITIES = ("Lyon", "Berlin", None, "São Paulo")
CATEGORIES = ("question", "request", "complaint")


def settings(url: str) -> Settings:
    """Small pages, so that there are several of everything."""
    return Settings(
        database_url=url,
        plugins=PLUGINS,
        plugin_dir=PLUGIN_DIR,
        page_size=5,
        max_page_size=20,
        handler_budget_ms=10_000,
        rate_limit_per_minute=0,  # more is asked here than any token may
    )


async def prepare(url: str) -> None:
    """Makes the tables in an empty database and fills them."""
    chosen = settings(url)
    await migrate(url, migrations_of(await load_host(chosen)))
    async with open_service(chosen) as service:
        await _Filling(service).all()
        with frozen(NOW):  # for whoever handles events later
            while await deliver_due(service.database):
                pass


async def _program(tx: UnitOfWork, name: str, currency: str, points_per_unit: int) -> str:
    return await create_program(tx, name, currency, points_per_unit)


class _Filling:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.rng = Random(11)
        self.customers: list[str] = []
        self.staff: list[str] = []
        self.hour = 0

    async def do(
        self,
        function: Callable[Concatenate[UnitOfWork, P], Awaitable[T]],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """One change, in a transaction; several have one and the same moment."""
        self.hour += 1
        with frozen(NOW - timedelta(days=40) + timedelta(hours=self.hour // 4 * 6)):
            async with self.service.database.unit_of_work(Actor.system("filling")) as tx:
                return await function(tx, *arguments, **named)

    async def all(self) -> None:
        await self._settings()
        for number in range(CUSTOMERS):
            await self._customer(number)
        for number in range(CUSTOMERS):
            if number % 4 != 3:
                await self._history(number)
        await self._privacy()

    async def _settings(self) -> None:
        for number in range(4):
            new = NewStaff(name=f"Maya Zs{number}Z", email=None if number == 3 else f"s{number}@example.com")
            self.staff.append((await self.do(create_staff, new)).id)
        for name, kind, choices in (
            ("tier", "CHOICE", ("gold", "silver")),
            ("score", "NUMBER", None),
            ("vip", "BOOLEAN", None),
            ("since", "DATE", None),
            ("note", "TEXT", None),
            ("langs", "CHOICES", ("en", "fr")),
        ):
            new_attribute = NewAttribute(name=name, type=kind, choices=choices, description="Of Za1Z.")
            await self.do(define_attribute, new_attribute)
        for name, condition in (
            ("French Zg1Z", {"city": {"eq": "Lyon"}}),
            ("Everyone Zg2Z", {}),
            ("Rich Zg3Z", {"or": [{"loyaltyBalance": {"gt": 10}}, {"tags": {"any": ["vip"]}}]}),
        ):
            await self.do(create_segment, NewSegment(name=name, condition=condition), lambda value: None)
        await self.do(create_contact_rule, ContactRuleFields(channel="email", max_touches=2, window_hours=72))
        await self.do(create_contact_rule, ContactRuleFields(quiet_from="20:00", quiet_until="08:00"))
        await self.do(_program, "Beans Zl1Z", "EUR", 2)
        await self.do(_program, "Cups Zl2Z", "EUR", 1)
        await self.do(_program, "Yen Zl3Z", "JPY", 1)
        permissions = Permissions.of(self.service.host.declarations)
        for number in range(3):
            await self.do(
                create_token,
                permissions,
                name=f"Token Zk{number}Z",
                grants=["customers.read"] if number else ["*"],
                staff_id=self.staff[0] if number == 2 else None,
                kind=ActorKind.STAFF if number == 2 else ActorKind.INTEGRATION,
            )

    async def _customer(self, number: int) -> None:
        rng, mark = self.rng, f"Zc{number}Z"
        points = []
        if number % 3 == 0:
            points.append(NewContactPoint(channel="phone", value=f"+49301234{number:03d}", label="Office"))
        if number % 5 == 0:
            points.append(
                NewContactPoint(
                    channel="address",
                    address={"street": f"Way {mark}", "city": "Lyon", "country": "FR"},
                    consent="OPTED_IN",
                    consent_source="form",
                )
            )
        attributes: dict[str, object] = {}
        if number % 2:
            attributes = {"tier": rng.choice(("gold", "silver")), "score": rng.choice((1, 2, 2.5))}
        if number % 4 == 0:
            attributes |= {"vip": bool(number % 8), "note": f"Note {mark}", "langs": ["en", "fr"]}
        new = NewCustomer(
            name=_NAMES[number % len(_NAMES)] + ("" if number % 2 else f" {mark}"),
            kind="ORGANISATION" if number % 6 == 5 else "PERSON",
            stage=("PROSPECT", "CUSTOMER", "FORMER")[number % 3],
            company=f"Firm {mark}" if number % 3 else None,
            email=None if number % 4 == 1 else f"zc{number}z@example.com",
            city=_CITIES[number % len(_CITIES)],
            country="FR" if number % 4 == 0 else None,
            contact_points=points,
            owner_id=self.staff[number % 3] if number % 3 else None,
            backup_id=self.staff[3] if number % 3 == 1 else None,
            tags=rng.sample(("vip", "new", "écru"), rng.randrange(3)),
            attributes=attributes,
            locale="fr-FR" if number % 4 == 0 else None,
            time_zone="Europe/Paris" if number % 4 == 0 else None,
            source="shop" if number % 3 == 0 else None,
            reference=f"ref-{number}" if number % 3 == 0 else None,
            confidential=number % 5 == 2,
        )
        self.customers.append((await self.do(create_customer, new)).id)

    async def _history(self, number: int) -> None:
        rng, key = self.rng, self.customers[number]
        touched: list[str] = []
        for _ in range(rng.randrange(0, 5)):
            new = NewInteraction(
                customer_id=key,
                kind=rng.choice(("call", "note", "email", "visit")),
                channel=rng.choice((None, "phone", "email")),
                direction=rng.choice((None, "INBOUND", "OUTBOUND")),
                subject=rng.choice((None, f"About Zi{number}Z", "Same")),
                body=rng.choice((None, f"Said Zi{number}Z")),
                outcome=(None, f"Done Zi{number}Z", "Same")[len(touched) % 3],
                sentiment=rng.choice((None, "POSITIVE", "NEGATIVE")),
                occurred_at=NOW - timedelta(days=rng.randrange(50, 54)),
                duration_seconds=rng.choice((None, 0, 90)),
                staff_id=rng.choice((None, *self.staff)),
                follow_up_at=rng.choice((None, NOW)),
                reply_to_id=rng.choice(touched) if touched and rng.random() < 0.3 else None,
            )
            touched.append(await self.do(log_interaction, new))
        for _ in range(rng.randrange(0, 3)):
            await self._purchase(number, key)
        for _ in range(rng.randrange(0, 3)):
            await self._ticket(number, key)

    async def _purchase(self, number: int, key: str) -> None:
        rng = self.rng
        currency = rng.choice(("EUR", "EUR", "JPY"))
        new = NewPurchase(
            customer_id=key,
            currency=currency,
            subject=f"Bought Zi{number}Z",
            lines=[
                NewLine(
                    sku=f"S{n}",
                    name=rng.choice((None, f"Bean Zi{number}Z")),
                    quantity=n + 1,
                    unit_price_minor=500,
                )
                for n in range(rng.randrange(1, 4))
            ],
        )  # fmt: skip
        bought = await self.do(record_purchase, new)
        if rng.random() < 0.5:
            refund = NewRefund(purchase_id=bought, amount_minor=300)
            await self.do(record_refund, refund)

    async def _ticket(self, number: int, key: str) -> None:
        rng = self.rng
        new = NewTicket(
            customer_id=key,
            subject=f"Broken Zt{number}Z",
            body=f"Help Zt{number}Z",
            category=rng.choice((None, *CATEGORIES)),
            priority=rng.choice(list(TicketPriority)),
            channel=None,
        )
        ticket = await self.do(open_ticket, new, CATEGORIES)
        for _ in range(rng.randrange(3)):
            author = rng.choice(list(MessageAuthor))
            await self.do(reply_to_ticket, ticket, NewMessage(author=author, body=f"Again Zt{number}Z"))
        if rng.random() < 0.4:
            await self.do(change_status, ticket, rng.choice((TicketStatus.RESOLVED, TicketStatus.CLOSED)))

    async def _privacy(self) -> None:
        host = self.service.host
        for loser, winner in ((27, 26), (25, 3), (26, 3)):
            await self.do(merge_customers, self.customers[winner], [self.customers[loser]], plugins=host)
        for number in ERASED:
            await self.do(erase_customer, self.customers[number], plugins=host)
        for number in ARCHIVED:
            await self.do(archive_customer, self.customers[number])


def global_id(kind: str, key: object) -> str:
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


async def customer_keys(service: Service) -> Sequence[str]:
    """The customers' keys by number, those that are gone too."""
    rows = await service.database.fetch("SELECT id FROM crm_customer ORDER BY id")
    return [str(row["id"]) for row in rows]
