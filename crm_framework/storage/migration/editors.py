"""Tortoise's schema editors, mended: what they leave out or lose on filled tables.

Both: a new foreign key or indexed column gets its index, `Meta.constraints` are created with their table, and
a column that becomes NOT NULL is filled from its `db_default` first. SQLite: see `migration_rebuild`.
PostgreSQL: text is compared byte by byte, as SQLite does, so that both order and range alike.
"""

from collections.abc import Sequence
from typing import Any

from tortoise.fields import Field
from tortoise.fields.relational import ForeignKeyFieldInstance, ManyToManyFieldInstance
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor, BaseSchemaEditor, SqliteSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.models import Model

from crm_framework.storage.migration.rebuild import rebuild, statements_of

_TEXT_TYPES = ("VARCHAR", "TEXT", "CHAR")
_REFERENCE = ("on_delete", "model_name", "to_field")


class _Mended(BaseSchemaEditor):
    app_label: str
    target: State
    """The state that the running operation leads to."""
    _creating: type[Model] | None = None

    def _get_inner_statements(self) -> list[str]:
        checks = [
            self.CHECK_CONSTRAINT_CREATE_TEMPLATE.format(name=constraint.name, check=constraint.check)
            for constraint in _constraints(self._creating)
            if isinstance(constraint, CheckConstraint)
        ]
        return [*super()._get_inner_statements(), *checks]

    def table_sql(self, model: type[Model]) -> str:
        """CREATE TABLE and CREATE INDEX of a model, checks included."""
        self._creating = model
        try:
            return str(self._get_model_sql_data(model).table_sql)
        finally:
            self._creating = None

    async def create_model(self, model: type[Model]) -> None:
        self._creating = model
        try:
            await super().create_model(model)
        finally:
            self._creating = None
        for constraint in _constraints(model):
            if isinstance(constraint, UniqueConstraint):
                await self.add_constraint(model, constraint)

    async def add_field(self, model: type[Model], field_name: str) -> None:
        await super().add_field(model, field_name)
        field = model._meta.fields_map[field_name]
        if field.index and not field.unique and not isinstance(field, ManyToManyFieldInstance):
            await self.add_index(model, Index(fields=(_column(model, field),)))

    def _escape_default_value(self, default: object) -> str:
        if isinstance(default, str):
            # Tortoise escapes with backslashes, which neither database reads.
            return "'" + default.replace("'", "''") + "'"
        return super()._escape_default_value(default)

    def default_sql(self, model: type[Model], field: Field[Any]) -> str | None:
        """The `db_default` as SQL, or None where there is none."""
        if not field.has_db_default():
            return None
        default = field.db_default
        if hasattr(default, "get_sql"):
            return str(default.get_sql(dialect=self.DIALECT))
        return self._escape_default_value(field.to_db_value(default, model))


class SqliteEditor(_Mended, SqliteSchemaEditor):
    async def _run_sql(self, sql: str) -> None:
        if self.collect_sql:
            self.collected_sql.append(sql)
            return
        # Not execute_script: it commits.
        for statement in statements_of(sql):
            await self.client.execute_query(statement)

    async def add_constraint(self, model: Any, constraint: Any) -> None:
        if isinstance(constraint, UniqueConstraint) and constraint.condition:
            columns = self._resolve_fields_to_columns(model, constraint.fields)
            name = self._constraint_name_for_model(
                model, UniqueConstraint(fields=tuple(columns), name=constraint.name)
            )
            table = self._qualify_table_name(model._meta.db_table, model._meta.schema)
            listed = ", ".join(self.quote(column) for column in columns)
            await self._run_sql(
                f'CREATE UNIQUE INDEX "{name}" ON {table} ({listed}) WHERE {constraint.condition}'
            )
            return
        await super().add_constraint(model, constraint)

    async def remove_constraint(self, model: Any, constraint: Any) -> None:
        if isinstance(constraint, UniqueConstraint):
            if constraint.name:
                await self._run_sql(f'DROP INDEX "{constraint.name}"')
            else:
                # Made with its table it is no index that could be dropped.
                columns = self._resolve_fields_to_columns(model, constraint.fields)
                await self._rebuild(model, without=[(True, tuple(columns))])
            return
        await super().remove_constraint(model, constraint)

    async def add_field(self, model: Any, field_name: str) -> None:
        field = model._meta.fields_map[field_name]
        if field.has_db_default() and hasattr(field.db_default, "get_sql"):
            # ALTER TABLE takes constants only.
            await self._rebuild(model)
            return
        await super().add_field(model, field_name)

    async def _remake_table(
        self, model: Any, create_field: Any = None, delete_field: Any = None, alter_fields: Any = None
    ) -> None:
        table = self.quote(model._meta.db_table)
        removed = [_column(model, delete_field)] if delete_field else []
        fill: dict[str, str] = {}
        without: list[tuple[bool, tuple[str, ...]]] = []
        for old, new in alter_fields or ():
            column, before = _own_column(new), _own_column(old)
            if column != before:
                await self._run_sql(f'ALTER TABLE {table} RENAME COLUMN "{before}" TO "{column}"')
            default = self.default_sql(model, new)
            if old.null and not new.null and default is not None:
                fill[column] = default
            if old.index and not new.index:
                without.append((False, (column,)))
            if old.unique and not new.unique:
                without.append((True, (column,)))
        await self._rebuild(model, removed=removed, fill=fill, without=without)

    async def _rebuild(self, model: Any, **changes: Any) -> None:
        # The table is made from where the operation leads, whichever model it was called with.
        new = self.target.apps.get_model(self.app_label, model.__name__)
        await rebuild(self.client, new._meta.db_table, self.table_sql(new), **changes)


class PostgresEditor(_Mended, AsyncpgSchemaEditor):
    def _get_field_sql(
        self, db_field: str, field_type: str, nullable: bool, unique: bool, is_pk: bool, comment: str
    ) -> str:
        return super()._get_field_sql(db_field, _bytewise(field_type), nullable, unique, is_pk, comment)

    def _get_table_comment_sql(self, table: str, comment: str) -> str:
        return ""

    def _get_column_comment_sql(self, table: str, column: str, comment: str) -> str:
        return ""

    async def _alter_column_comment(self, model: Any, old_field: Any, new_field: Any) -> None:
        """Descriptions are in the code; they are not kept in the database."""

    async def _alter_field(self, model: type[Model], old_field: Field[Any], new_field: Field[Any]) -> None:
        table = self._qualify_table_name(model._meta.db_table, model._meta.schema)
        column, before = _own_column(new_field), _own_column(old_field)
        default = self.default_sql(model, new_field)
        if old_field.null and not new_field.null and default is not None:
            await self._run_sql(f'UPDATE {table} SET "{before}" = {default} WHERE "{before}" IS NULL')
        await super()._alter_field(model, old_field, new_field)
        new_type = new_field.get_for_dialect(self.DIALECT, "SQL_TYPE")
        if old_field.get_for_dialect(self.DIALECT, "SQL_TYPE") != new_type and _is_text(new_type):
            await self._run_sql(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {_bytewise(new_type)}')

    async def alter_field(self, old_model: Any, new_model: Any, field_name: str) -> None:
        await super().alter_field(old_model, new_model, field_name)
        old, new = (model._meta.fields_map[field_name] for model in (old_model, new_model))
        if not isinstance(new, ForeignKeyFieldInstance):
            return
        if all(getattr(old, name, None) == getattr(new, name, None) for name in _REFERENCE):
            return
        key = new_model._meta.fields_map[new.source_field]
        await self._renew_reference(new_model, new, _column(new_model, key))

    async def _renew_reference(self, model: type[Model], field: Any, column: str) -> None:
        table = self._qualify_table_name(model._meta.db_table, model._meta.schema)
        names = await self.client.execute_query_dict(
            "SELECT con.conname FROM pg_constraint con JOIN pg_attribute att"
            " ON att.attrelid = con.conrelid AND att.attnum = ANY (con.conkey)"
            " WHERE con.contype = 'f' AND con.conrelid = $1::regclass AND att.attname = $2",
            [table, column],
        )
        for row in names:
            await self._run_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{row["conname"]}"')
        related = field.related_model._meta
        target = self._qualify_table_name(related.db_table, related.schema)
        key = _own_column(field.to_field_instance)
        await self._run_sql(
            f'ALTER TABLE {table} ADD FOREIGN KEY ("{column}")'
            f' REFERENCES {target} ("{key}") ON DELETE {field.on_delete.value}'
        )


def _constraints(model: type[Model] | None) -> Sequence[Any]:
    return () if model is None else tuple(getattr(model._meta, "constraints", None) or ())


def _column(model: type[Model], field: Field[Any]) -> str:
    name = field.source_field or field.model_field_name
    key = model._meta.fields_map.get(name)
    # A foreign key's source_field is the name of its key field, which knows the column.
    return (key.source_field or name) if key is not None else name


def _own_column(field: Field[Any]) -> str:
    return field.source_field or field.model_field_name


def _is_text(sql_type: str) -> bool:
    return sql_type.upper().startswith(_TEXT_TYPES)


def _bytewise(sql_type: str) -> str:
    return f'{sql_type} COLLATE "C"' if _is_text(sql_type) else sql_type
