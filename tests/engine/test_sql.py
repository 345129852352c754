import json

import pytest

from crm_framework.engine import Fragment
from crm_framework.engine.sql import (
    FALSE,
    TRUE,
    all_of,
    among,
    any_of,
    join,
    json_list,
    listed,
    name,
    none_of,
)

A, B = Fragment("a = ?", (1,)), Fragment("b < ?", ("x",))


def test_fragments_keep_their_arguments_in_order() -> None:
    assert all_of([A, None, B, TRUE]) == Fragment("(a = ?) AND (b < ?)", (1, "x"))
    assert any_of([B, A]) == Fragment("(b < ?) OR (a = ?)", ("x", 1))
    assert none_of(any_of([A, B])) == Fragment("((a = ?) OR (b < ?)) IS NOT TRUE", (1, "x"))
    assert join(" ", [A, Fragment("LIMIT ?", (2,))]) == Fragment("a = ? LIMIT ?", (1, 2))


def test_none_and_one_need_no_brackets() -> None:
    assert (all_of([]), any_of([]), all_of([A]), any_of([A])) == (TRUE, FALSE, A, A)


def test_places_and_arguments_must_be_as_many() -> None:
    with pytest.raises(ValueError, match=r"1 places for 2 arguments in: a = \?"):
        Fragment("a = ?", (1, 2))


def test_one_argument_holds_all_keys() -> None:
    assert among("t.id", ["a", "b"], "sqlite") == Fragment(
        "t.id IN (SELECT value FROM json_each(?))", ('["a","b"]',)
    )
    assert among("t.id", ["a", "b"], "postgres") == Fragment("t.id = ANY(?)", (["a", "b"],))


def test_values_are_listed() -> None:
    assert listed("a", []) == FALSE
    assert listed("a", [1, 2]) == Fragment("a IN (?, ?)", (1, 2))


@pytest.mark.parametrize("bad", ["", "1a", "a b", "a;", 'a"', "a.b", "é", "a\n"])
def test_names_are_plain(bad: str) -> None:
    assert name("crm_customer") == "crm_customer"
    with pytest.raises(ValueError, match="no plain SQL name"):
        name(bad)


@pytest.mark.parametrize("count", [50, 51, 3000])
def test_many_conditions_stand_in_brackets_of_a_few(count: int) -> None:
    where = any_of([Fragment("a = ?", (n,)) for n in range(count)])
    assert where.args == tuple(range(count))
    assert where.sql.count("a = ?") == count
    depth = longest = 0
    for sign in where.sql:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        longest = max(longest, depth)
    assert (depth, longest <= 3) == (0, True)


def test_a_condition_on_one_column_holds_of_another() -> None:
    reached = Fragment("EXISTS (SELECT 1 FROM c AS r WHERE r.id = t.owner_id AND r.part = ?)", ("x",))
    assert reached.about("t.owner_id", "g._parent") == Fragment(
        "EXISTS (SELECT 1 FROM c AS r WHERE r.id = g._parent AND r.part = ?)", ("x",)
    )
    assert Fragment("t.owner_id = ? AND NOT t.secret", ("x",)).about("t.owner_id", "g._parent") is None
    assert Fragment("t.id = ?", ("x",)).about("t.owner_id", "g._parent") is None
    assert FALSE.about("t.owner_id", "g._parent") is None


def test_a_condition_with_a_table_of_its_own_that_is_called_t_is_left_as_it_is() -> None:
    within = Fragment("t.owner_id IN (SELECT t.owner_id FROM c AS t WHERE t.owner_id = ?)", ("x",))
    assert within.about("t.owner_id", "g._parent") is None


def test_a_list_for_sqlite() -> None:
    assert json.loads(json_list(["a", 1, None])) == ["a", 1, None]
    assert json.loads(json_list(["\ud800", 2**70])) == ["\ud800", 2**70]
