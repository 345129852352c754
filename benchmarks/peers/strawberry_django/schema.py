# mypy: ignore-errors
# It runs in an environment of its own, whose packages are not installed where types are checked.
"""Django's models of the tables, and Strawberry's types of the models."""

from datetime import UTC, datetime
from enum import Enum
from uuid import uuid4

import strawberry
import strawberry_django
from django.db import models
from django.db.models.expressions import RawSQL
from strawberry import auto
from strawberry_django.optimizer import DjangoOptimizerExtension


class CustomerRow(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    version = models.IntegerField(default=1)
    kind = models.CharField(max_length=24, default="PERSON")
    stage = models.CharField(max_length=24, default="PROSPECT")
    name = models.CharField(max_length=300)
    sort_name = models.CharField(max_length=300)
    company = models.CharField(max_length=300, null=True)
    email = models.CharField(max_length=320, null=True)
    phone = models.CharField(max_length=40, null=True)
    city = models.CharField(max_length=200, null=True)
    country = models.CharField(max_length=2, null=True)
    attributes = models.JSONField(default=dict)
    confidential = models.BooleanField(default=False)
    search_text = models.TextField(default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    merged_into = models.ForeignKey("self", models.RESTRICT, null=True)

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "crm_customer"


class InteractionRow(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    version = models.IntegerField(default=1)
    customer = models.ForeignKey(CustomerRow, models.RESTRICT, related_name="interactions")
    kind = models.CharField(max_length=40)
    channel = models.CharField(max_length=40, null=True)
    direction = models.CharField(max_length=24, null=True)
    subject = models.CharField(max_length=500, null=True)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "crm_interaction"


Stage = strawberry.enum(Enum("Stage", {name: name for name in ("PROSPECT", "CUSTOMER", "FORMER")}, type=str))
Direction = strawberry.enum(Enum("Direction", {name: name for name in ("INBOUND", "OUTBOUND")}, type=str))


@strawberry_django.filter_type(CustomerRow)
class CustomerFilter:
    stage: strawberry_django.BaseFilterLookup[Stage] | None
    city: strawberry_django.StrFilterLookup[str] | None

    @strawberry_django.filter_field
    def search(self, queryset, value: str, prefix: str):
        found = RawSQL(
            "to_tsvector('simple', search_text) @@ to_tsquery('simple', %s)",
            (value,),
            output_field=models.BooleanField(),
        )
        return queryset.filter(found), models.Q()


@strawberry_django.order_type(CustomerRow)
class CustomerOrder:
    id: auto
    sort_name: auto


@strawberry_django.order_type(InteractionRow)
class InteractionOrder:
    id: auto
    occurred_at: auto


@strawberry_django.type(InteractionRow, ordering=InteractionOrder, pagination=True)
class Interaction:
    id: auto
    kind: auto
    subject: auto
    occurred_at: auto


@strawberry_django.type(CustomerRow, filters=CustomerFilter, ordering=CustomerOrder, pagination=True)
class Customer:
    id: auto
    name: auto
    email: auto
    phone: auto
    company: auto
    city: auto
    country: auto
    stage: Stage
    created_at: auto
    updated_at: auto
    interactions: list[Interaction]

    @classmethod
    def get_queryset(cls, queryset, info, **arguments):
        return queryset.filter(merged_into__isnull=True)


@strawberry.type
class Query:
    customer: Customer | None = strawberry_django.field()
    customers: list[Customer] = strawberry_django.field()


@strawberry.type
class Mutation:
    @strawberry_django.mutation
    def create_customer(self, name: str, email: str) -> Customer:
        now = datetime.now(UTC)
        text = f"{name} {email}".lower()
        return CustomerRow.objects.create(
            name=name,
            sort_name=name.lower(),
            email=email.lower(),
            search_text=text,
            created_at=now,
            updated_at=now,
        )

    @strawberry_django.mutation
    def log_interaction(
        self, customer: strawberry.ID, kind: str, direction: Direction, subject: str
    ) -> Interaction:
        now = datetime.now(UTC)
        return InteractionRow.objects.create(
            customer_id=customer,
            kind=kind,
            channel="phone",
            direction=direction.value,
            subject=subject,
            occurred_at=now,
            created_at=now,
        )


schema = strawberry.Schema(query=Query, mutation=Mutation, extensions=[DjangoOptimizerExtension])
