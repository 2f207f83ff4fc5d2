"""The migrated database holds everything that ``data/schema_contract.json`` lists, column by column."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "schema_contract.json").read_text())
TABLES: dict[str, Any] = CONTRACT["tables"]
COLUMNS = [(table, column) for table, spec in TABLES.items() for column in spec["columns"]]

pytestmark = pytest.mark.django_db


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def indexes(table: str) -> list[tuple[bool, list[str], str]]:
    """(unique, leading columns or expressions, WHERE) of each index."""
    found = rows(
        """
        SELECT i.indisunique, coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
               array(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k)
        FROM pg_index i WHERE i.indrelid = %s::regclass
        """,
        table,
    )
    return [(unique, keys, where) for unique, where, keys in found]


def checks(table: str) -> str:
    return " ; ".join(
        row[0]
        for row in rows(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            table,
        )
    )


def type_fits(wanted: str, data_type: str, length: int | None) -> bool:
    if wanted == "bigint":
        return data_type in {"bigint", "integer"}
    if wanted == "integer":
        return data_type in {"integer", "bigint"}
    if wanted == "timestamptz":
        return data_type == "timestamp with time zone"
    if match := re.fullmatch(r"varchar\((\d+)\)", wanted):
        return data_type == "text" or (data_type == "character varying" and (length is None or length >= int(match[1])))
    return data_type == wanted


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_column_is_as_the_contract_says(table: str, column: str) -> None:
    spec = TABLES[table]["columns"][column]

    found = rows(
        """
        SELECT data_type, character_maximum_length, is_nullable, column_default, identity_generation
        FROM information_schema.columns WHERE table_name = %s AND column_name = %s
        """,
        table,
        column,
    )

    assert len(found) == 1
    data_type, length, nullable, default, identity = found[0]
    assert type_fits(spec["type"], data_type, length), data_type
    assert (nullable == "YES") is spec["null"]
    kind = spec.get("default", {}).get("kind")
    if kind == "value":
        value = spec["default"]["value"]
        expected = str(value).lower() if isinstance(value, bool) else str(value)
        assert default is not None
        assert default.split("::")[0].strip("'") == expected
    elif kind == "now":
        assert default is not None
        assert re.search(r"now\(\)|statement_timestamp\(\)|CURRENT_TIMESTAMP", default, re.IGNORECASE)
    elif kind == "identity":
        assert identity == "BY DEFAULT" or "nextval" in (default or "")
    if "enum" in spec:
        labels = CONTRACT["enums"][spec["enum"]]
        admitted = [
            set(re.findall(r"'([a-z_]+)'", definition))
            for definition in checks(table).split(" ; ")
            if re.search(rf"\(\(?{column}\)?::text = ANY", definition)
        ]
        assert set(labels) in admitted


@pytest.mark.parametrize("table", TABLES)
def test_keys_and_indexes_are_as_the_contract_says(table: str) -> None:
    spec = TABLES[table]
    present = indexes(table)
    full_uniques = [set(keys) for unique, keys, where in present if unique and not where]

    for columns in [spec["primary_key"], *spec["unique"]]:
        assert set(columns) in full_uniques, columns
    for columns in spec.get("forbidden_unique", []):
        assert set(columns) not in full_uniques
    for columns in spec["indexes"]:
        assert any(keys[: len(columns)] == columns for _, keys, _ in present), columns
    for partial in spec.get("partial_unique", []):
        [(column, value)] = partial["where"].items()
        assert any(
            unique and keys == partial["columns"] and column in where and f"'{value}'" in where
            for unique, keys, where in present
        )


@pytest.mark.parametrize("table", TABLES)
def test_foreign_keys_point_where_the_contract_says(table: str) -> None:
    found = {
        (column, target)
        for column, target in rows(
            """
            SELECT a.attname, c.confrelid::regclass::text FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.conrelid = %s::regclass AND c.contype = 'f' AND c.confdeltype = 'a'
            """,
            table,
        )
    }
    for key in TABLES[table]["foreign_keys"]:
        assert (key["column"], key["references"][0]) in found


def test_the_orm_carries_out_what_deleting_a_target_must_do() -> None:
    meant = {"cascade": models.CASCADE, "restrict": models.RESTRICT}
    by_table = {model._meta.db_table: model for model in apps.get_models()}
    for table, spec in TABLES.items():
        fields = {getattr(field, "column", ""): field for field in by_table[table]._meta.get_fields()}
        for key in spec["foreign_keys"]:
            assert fields[key["column"]].remote_field.on_delete is meant[key["on_delete"]], (table, key)  # type: ignore[union-attr]


def test_recommended_rules_are_kept_by_the_database() -> None:
    assert any(unique and keys == ["lower(email::text)"] for unique, keys, _ in indexes("users"))
    assert "remaining_amount <= original_amount" in checks("gift_cards")
    assert "booked_count <= capacity" in checks("calendar_events")
    assert "end_time > start_time" in checks("calendar_events")
    assert any(keys[0] == "created_at" for _, keys, _ in indexes("email_jobs"))
    assert any(keys[0] == "status" for _, keys, _ in indexes("email_jobs"))


@pytest.mark.parametrize("query", CONTRACT["queries"], ids=lambda query: query["name"])
def test_common_query_runs_as_it_stands(query: dict[str, Any]) -> None:
    sql = re.sub(r"\$\d+", "%s", query["sql"].replace("%", "%%"))

    assert rows(sql, *query["params"]) == []


@pytest.mark.parametrize("table", TABLES)
def test_a_row_with_the_contract_s_columns_alone_is_taken(table: str) -> None:
    """What the import and old scripts write: our further columns fill themselves."""
    required = {
        name
        for (name,) in rows(
            """
            SELECT column_name FROM information_schema.columns
            WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND identity_generation IS NULL
            """,
            table,
        )
    }
    assert required <= set(TABLES[table]["columns"])
