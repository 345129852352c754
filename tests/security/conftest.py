import pytest

from crm_framework.domain.models import Customer, CustomerKind, CustomerStage, Staff
from crm_framework.storage.database import Database


@pytest.fixture
async def customer_id(database: Database) -> str:
    async with database.unit_of_work() as tx:
        made = await Customer.create(
            kind=CustomerKind.PERSON,
            stage=CustomerStage.CUSTOMER,
            name="Ann",
            sort_name="ann",
            created_at=tx.now,
            updated_at=tx.now,
        )
    return str(made.id)


@pytest.fixture
async def staff_id(database: Database) -> str:
    async with database.unit_of_work() as tx:
        made = await Staff.create(name="Sam Seller", created_at=tx.now, updated_at=tx.now)
    return str(made.id)


@pytest.fixture
async def other_customer_id(database: Database) -> str:
    async with database.unit_of_work() as tx:
        made = await Customer.create(
            kind=CustomerKind.PERSON,
            stage=CustomerStage.CUSTOMER,
            name="Anne",
            sort_name="anne",
            created_at=tx.now,
            updated_at=tx.now,
        )
    return str(made.id)
