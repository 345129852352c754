import pytest

from crm_framework.engine import PUBLIC, encode_id

from . import library
from .conftest import Library

AUTHORS = frozenset({"authors.read"})
AUTHOR = encode_id("Author", library.key(1))

REFUSED = {
    "a field's own permission": ("{ authors { name secret } }", "Author.secret (secrets.read)"),
    "an alias hides nothing": ("{ authors { name: secret } }", "Author.secret (secrets.read)"),
    "the type that a field leads to": ("{ authors { books { title } } }", "Book (books.read)"),
    "nothing of a type but its name": ("{ authors { books { __typename } } }", "Book (books.read)"),
    "a count alone": ("{ authors { catalogue { totalCount } } }", "Author.catalogue (books.read)"),
    "pages": (
        "{ authors { catalogue { nodes { title } } } }",
        "Author.catalogue (books.read), Book (books.read)",
    ),
    "a fragment": (
        "{ authors { ...A } } fragment A on Author { ...B } fragment B on Author { secret }",
        "Author.secret (secrets.read)",
    ),
    "an inline fragment on an interface": (
        "{ authors { ... on Node { ... on Author { secret } } } }",
        "Author.secret (secrets.read)",
    ),
    "a type of an interface": ("{ node(id: $id) { ... on Book { title } } }", "Book (books.read)"),
    "a field of a type of an interface": (
        "{ node(id: $id) { ... on Author { secret } } }",
        "Author.secret (secrets.read)",
    ),
    "a type of a union": ("{ finds { ... on Poster { headline } ... on Book { id } } }", "Book (books.read)"),
    "an object of a batch": ("{ authors { shelf { top { title } } } }", "Book (books.read)"),
    "several": (
        "{ authors { secret books { reviews { stars } } } }",
        "Author.secret (secrets.read), Book (books.read), Book.reviews (reviews.read), Review (reviews.read)",
    ),
    "an operation among others": ("{ authors { secret } } query Other { authors { name } }", None),
    "introspection": ("{ __schema { types { name } } }", "__schema (introspect)"),
    "introspection of one type": ('{ t: __type(name: "Book") { name } }', "__type (introspect)"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_missing_permission_refuses_the_whole_operation(filled: Library, what: str) -> None:
    text, named = REFUSED[what]
    text = text.replace("$id", f'"{AUTHOR}"')
    if named is None:
        text = text.replace("{ authors { secret", "query First { authors { secret")
        named = "Author.secret (secrets.read)"
    operation = "First" if "First" in text else None
    result = await filled.ask(text, operation=operation, permissions=AUTHORS)
    assert result.response == {
        "errors": [
            {"message": f"permission is missing for {named}", "extensions": {"code": "FORBIDDEN"}},
        ]
    }
    assert filled.reader.log == []
    assert library.CALLS == []


@pytest.mark.parametrize(
    "text",
    [
        "{ authors { name shelf { count author { id } } } }",
        "{ authors { name __typename } }",
        "query ($yes: Boolean = false) { authors { name secret @include(if: $yes) } }",
        "query ($no: Boolean!) { authors { name ...S @skip(if: $no) } } fragment S on Author { secret }",
        "{ authors { name ... @include(if: false) { secret } } }",
        "query First { authors { name } } query Other { authors { secret } }",
        "{ finds { ... on Poster { headline } } }",
    ],
)
async def test_what_is_not_selected_needs_nothing(filled: Library, text: str) -> None:
    operation = "First" if "First" in text else None
    result = await filled.ask(text, {"no": True}, operation=operation, permissions=AUTHORS)
    assert not result.refused
    assert {error["extensions"]["code"] for error in result.errors} <= {"FORBIDDEN"}
    assert len(filled.reader.log) > 0


async def test_directives_are_asked_with_each_requests_variables(filled: Library) -> None:
    text = "query ($yes: Boolean!) { authors { name secret @include(if: $yes) } }"
    for yes, code in ((False, None), (True, "FORBIDDEN"), (False, None), (True, "FORBIDDEN")):
        assert (await filled.ask(text, {"yes": yes}, permissions=AUTHORS)).code == code


async def test_one_document_is_checked_for_each_actor(filled: Library) -> None:
    text = "{ authors { secret } }"
    for permissions, code in ((library.EVERYTHING, None), (AUTHORS, "FORBIDDEN"), (frozenset(), "FORBIDDEN")):
        assert (await filled.ask(text, permissions=permissions)).code == code


async def test_an_object_of_a_type_that_may_not_be_seen(filled: Library) -> None:
    text = "query ($id: ID!) { node(id: $id) { id __typename } }"
    book = encode_id("Book", library.key(1000))
    assert (await filled.data(text, {"id": book}))["node"] == {"id": book, "__typename": "Book"}
    result = await filled.ask(text, {"id": book}, permissions=AUTHORS)
    assert result.data == {"node": None}
    assert [(e["message"], e["extensions"]["code"], e["path"]) for e in result.errors] == [
        ("permission is missing for Book (books.read)", "FORBIDDEN", ["node"])
    ]
    found = await filled.ask("{ finds { __typename } }", permissions=AUTHORS)
    assert found.data is None
    assert {error["extensions"]["code"] for error in found.errors} == {"FORBIDDEN"}


async def test_nobody_is_let_in_by_default(filled: Library) -> None:
    result = await filled.ask("{ authors { name } }", permissions=frozenset())
    assert result.code == "FORBIDDEN"
    result = await filled.ask("{ __schema { types { name } } }", introspection_permission=None)
    assert result.errors[0]["message"] == "permission is missing for __schema (switched off)"
    assert (await filled.ask("{ __typename }", permissions=frozenset())).data == {"__typename": "Query"}
    assert (await filled.ask("{ __schema { __typename } }", introspection_permission=PUBLIC)).code is None


async def test_subscriptions_are_checked_too(filled: Library) -> None:
    result = await filled.listen("subscription { arrivals { author { secret } } }", permissions=AUTHORS)
    assert [one.code for one in result] == ["FORBIDDEN"]
    assert filled.reader.log == []


async def test_every_type_says_whether_it_is_one_of(filled: Library) -> None:
    shown = "{ kind isOneOf ofType { kind isOneOf } }"
    asked = f'{{ __type(name: "Author") {{ isOneOf fields {{ type {shown} }} }} }}'
    result = await filled.ask(asked, introspection_permission=PUBLIC)
    assert result.code is None
    kinds = {field["type"]["kind"]: field["type"]["isOneOf"] for field in result.data["__type"]["fields"]}
    assert kinds["NON_NULL"] is None
    assert result.data["__type"]["isOneOf"] is False
