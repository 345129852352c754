"""Subscriptions: how one starts or is refused, and what each event comes to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry

from crm_framework.engine import PUBLIC, Batch, Context, EngineSchema, Limits, Result, batch, root, subscribe
from tests.engine.conftest import Library

from .harness import REFUSED, Answer, Asking, Fault, Nowhere, answer, answering, null, told


@strawberry.type
class Email:
    sender: str = strawberry.field(name="from")
    subject: str
    message: str = ""
    unread: bool = True

    @strawberry.field
    async def async_subject(self) -> str:
        await asyncio.sleep(0)
        return self.subject


@strawberry.type
class Inbox:
    emails: list[Email]

    @strawberry.field
    def total(self) -> int:
        return len(self.emails)

    @batch(needs=("emails",))
    @staticmethod
    async def unread(inboxes: Batch[Any]) -> list[int]:
        "How many were not read."
        return [sum(email.unread for email in inbox.emails) for inbox in inboxes]


@strawberry.type
class Arrival:
    email: Email
    inbox: Inbox


class Post:
    """Mails come in and are handed to everyone who listens."""

    def __init__(self) -> None:
        self.inbox = [Email(sender="joe@example.com", subject="Hello", unread=False)]
        self.listeners: list[asyncio.Queue[Email]] = []

    def send(self, sender: str, subject: str) -> bool:
        """Whether anyone listens."""
        email = Email(sender=sender, subject=subject)
        self.inbox.append(email)
        for listener in self.listeners:
            listener.put_nowait(email)
        return bool(self.listeners)

    async def listen(self, priority: int = 0) -> AsyncIterator[Arrival]:
        queue: asyncio.Queue[Email] = asyncio.Queue()
        self.listeners.append(queue)
        try:
            while True:
                email = await queue.get()
                yield Arrival(email=email, inbox=Inbox(emails=list(self.inbox)))
        finally:
            self.listeners.remove(queue)


class Words:
    """An async iterable of its own kind, which can be closed."""

    def __init__(self, *words: Any) -> None:
        self.words = list(words)
        self.closed = False

    def __aiter__(self) -> "Words":
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        if not self.words:
            raise StopAsyncIteration
        word = self.words.pop(0)
        if isinstance(word, Fault):
            raise word
        return word

    async def aclose(self) -> None:
        self.closed = True


@strawberry.type
class Message:
    text: strawberry.Private[str]

    @strawberry.field
    def said(self) -> str | None:
        if self.text == "Goodbye":
            raise Fault("never leave")
        return self.text

    @batch(needs=("text",))
    @staticmethod
    async def said_together(messages: Batch[Any]) -> list[str]:
        "The text, unless it is a farewell."
        found: list[Any] = [
            Fault("never leave") if message.text == "Goodbye" else message.text for message in messages
        ]
        return found


def _schema(post: Post | None = None, source: Any = None) -> EngineSchema:
    @root(permission=PUBLIC)
    async def important_email(priority: int = 0) -> AsyncIterator[Arrival]:
        "Mails as they come."
        assert post is not None
        stream = post.listen(priority)
        try:
            async for arrival in stream:
                yield arrival
        finally:
            await stream.aclose()  # type: ignore[attr-defined]  # a generator

    @root(permission=PUBLIC)
    async def words(arg: int = 0) -> AsyncIterator[str | None]:
        "Words, one by one."
        async for word in source() if callable(source) else source:
            yield word

    @root(permission=PUBLIC)
    async def messages() -> AsyncIterator[Message | None]:
        "Messages, one by one."
        async for word in source:
            yield None if word is None else Message(text=word)

    @root(permission=PUBLIC)
    async def must() -> AsyncIterator[Message]:
        "Messages, one by one."
        async for word in source:
            yield None if word is None else Message(text=word)  # type: ignore[misc]  # against its type

    return _of(important_email, words, messages, must)


def _of(*subscriptions: Any) -> EngineSchema:
    query = type("Query", (), {"a": answering("a", str, lambda: "a")})
    subscription = type("Subscription", (), {field.python_name: field for field in subscriptions})
    return EngineSchema(strawberry.type(query), subscription=strawberry.type(subscription))


async def _listen(
    schema: EngineSchema, text: str, variables: dict[str, Any] | None = None, context: Context | None = None
) -> Any:
    return await subscribe(schema, text, variables, None, context or Asking(Nowhere()))


async def _all(schema: EngineSchema, text: str, **options: Any) -> list[Answer]:
    found = await _listen(schema, text, **options)
    return [answer(found)] if isinstance(found, Result) else [answer(result) async for result in found]


MAIL = """subscription ($priority: Int! = 0, $later: Boolean! = false) {
  importantEmail(priority: $priority) {
    email { from subject ... @include(if: $later) { asyncSubject } } inbox { unread total } } }"""


def _mail(sender: str, subject: str, unread: int, **more: Any) -> dict[str, Any]:
    email = {"from": sender, "subject": subject, **more}
    return {"importantEmail": {"email": email, "inbox": {"unread": unread, "total": unread + 1}}}


async def _begun(stream: Any) -> "asyncio.Task[Any]":
    waiting: asyncio.Task[Any] = asyncio.ensure_future(anext(stream))
    for _ in range(20):
        await asyncio.sleep(0)
    return waiting


async def test_one_of_several_fields() -> None:
    found = await _all(_schema(source=Words("one", "two")), "subscription { words }")
    assert found == [({"words": "one"}, set()), ({"words": "two"}, set())]


async def test_a_source_without_events() -> None:
    assert await _all(_schema(source=Words()), "subscription { words }") == []


async def test_a_field_under_another_key_and_of_a_fragment() -> None:
    text = "subscription { ...F } fragment F on Subscription { said: words }"
    assert await _all(_schema(source=Words("x")), text) == [({"said": "x"}, set())]


@pytest.mark.parametrize(
    "text",
    [
        "subscription { words messages { said } }",
        "subscription { ...F words } fragment F on Subscription { other: words }",
        "subscription { unknownField }",
        "subscription { __typename }",
        "subscription {",
        "{ a }",
        "subscription A { words } subscription B { words }",
        'subscription { words(arg: "x") }',
    ],
    ids=[
        "two fields",
        "a second field of a fragment",
        "an unknown field",
        "introspection alone",
        "half a document",
        "a query",
        "two operations",
        "an argument that does not fit",
    ],
)
async def test_what_is_no_subscription_is_refused_before_anything_runs(text: str) -> None:
    source = Words("one")
    [found] = await _all(_schema(source=source), text)
    assert (found.data, len(source.words)) == (REFUSED, 1)


async def test_a_schema_without_subscriptions_refuses_one() -> None:
    @strawberry.type
    class Query:
        a = answering("a", str, lambda: "a")

    [found] = await _all(EngineSchema(Query), "subscription { unknownField }")
    assert found.data == REFUSED


async def test_variables_that_do_not_fit_refuse_it() -> None:
    text = "subscription ($arg: Int!) {\n  words(arg: $arg)\n}"
    result = await _listen(_schema(source=Words("one")), text, {"arg": "meow"})
    assert isinstance(result, Result)
    assert (result.refused, result.code) == (True, "BAD_INPUT")
    assert result.errors[0]["locations"] == [{"line": 1, "column": 15}]


async def test_a_source_that_fails_before_its_first_event_ends_the_stream() -> None:
    def source() -> Any:
        raise Fault("no source")

    found = await _all(_schema(source=source), "subscription { words }")
    assert len(found) == 1
    assert found[0].data in (None, REFUSED)
    assert [fault.rpartition(": ")[2] for fault in found[0].faults] == ["no source"]


async def test_a_source_that_is_no_stream_is_an_error() -> None:
    async def no_stream() -> str:
        return "test"

    test = answering("test", str, no_stream)
    test.is_subscription = True
    result = await _listen(_of(test), "subscription { test }")
    assert isinstance(result, Result)
    assert (result.data, result.code) == (None, "INTERNAL")


async def test_each_subscription_gets_each_event() -> None:
    post = Post()
    schema = _schema(post)
    streams = [await _listen(schema, MAIL) for _ in range(2)]
    waiting = [await _begun(stream) for stream in streams]
    assert post.send("yuzhi@example.com", "Alright") is True
    for each in waiting:
        assert answer(await each) == (_mail("yuzhi@example.com", "Alright", 1), set())
    for stream in streams:
        await stream.aclose()
    assert post.listeners == []


async def test_fields_of_an_event_may_wait() -> None:
    post = Post()
    stream = await _listen(_schema(post), MAIL, {"later": True})
    waiting = await _begun(stream)
    post.send("yuzhi@example.com", "Alright")
    expected = _mail("yuzhi@example.com", "Alright", 1, asyncSubject="Alright")
    assert answer(await waiting) == (expected, set())
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_result_for_each_event_until_it_is_closed() -> None:
    post = Post()
    stream = await _listen(_schema(post), MAIL)
    waiting = await _begun(stream)
    assert post.send("yuzhi@example.com", "Alright") is True
    assert answer(await waiting) == (_mail("yuzhi@example.com", "Alright", 1), set())
    assert post.send("hyo@example.com", "Tools") is True  # before anyone asks for it
    assert answer(await anext(stream)) == (_mail("hyo@example.com", "Tools", 2), set())
    await stream.aclose()
    assert post.send("adam@example.com", "Important") is False
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_events_keep_their_order() -> None:
    post = Post()
    stream = await _listen(_schema(post), MAIL)
    waiting = await _begun(stream)
    post.send("yuzhi@example.com", "Message")
    post.send("yuzhi@example.com", "Message 2")
    # the inbox is looked at when the event is taken from the queue
    assert answer(await waiting) == (_mail("yuzhi@example.com", "Message", 2), set())
    assert answer(await anext(stream)) == (_mail("yuzhi@example.com", "Message 2", 2), set())
    await stream.aclose()


@pytest.mark.parametrize("field", ["said", "saidTogether"])
async def test_an_error_of_one_event_does_not_end_the_stream(field: str) -> None:
    source = Words("Hello", "Goodbye", None, "Bonjour")
    found = await _all(_schema(source=source), f"subscription {{ messages {{ {field} }} }}")
    farewell = {"messages": {"said": None}} if field == "said" else {"messages": None}
    assert found == [
        ({"messages": {field: "Hello"}}, set()),
        (farewell, {f"1:27 messages.{field}: never leave"}),
        ({"messages": None}, set()),
        ({"messages": {field: "Bonjour"}}, set()),
    ]


async def test_a_null_event_where_none_may_be_nulls_the_data_of_that_event() -> None:
    found = await _all(_schema(source=Words(None, "Hello")), "subscription { must { said } }")
    assert found == [
        (None, {f"1:16 must: {null('Subscription.must')}"}),
        ({"must": {"said": "Hello"}}, set()),
    ]


async def test_a_source_that_fails_ends_the_stream_with_an_error() -> None:
    found = await _all(_schema(source=Words("Hello", Fault("test error"))), "subscription { words }")
    assert found[0] == ({"words": "Hello"}, set())
    assert len(found) == 2
    assert found[1].data is None
    assert [fault.rpartition(": ")[2] for fault in found[1].faults] == ["test error"]


async def test_each_event_is_resolved_anew_from_the_database(filled: Library) -> None:
    visit = filled.visit(translate=told, limits=Limits(max_rows=10))
    filled.reader.log.clear()
    found = await _all(
        filled.schema, "subscription { arrivals(upto: 3) { author { name books { title } } } }", context=visit
    )
    assert [each.data["arrivals"]["author"]["name"] for each in found] == ["A000", "A001", "A002"]
    assert len(filled.reader.log) == 1 + 3 * 2
    # each event has the whole limit: together they read 3 + 3 * 6 rows
    assert [each.faults for each in found] == [set()] * 3
