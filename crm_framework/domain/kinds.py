"""The vocabulary of touches: kinds of interactions and channels. Plugins add theirs; the core's are fixed.

A process serves one set of plugins, so the vocabulary is one for the process: the app sets it at start-up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crm_framework.domain.values.text import nearest
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.hooks.specs import Channel, InteractionKind

CORE_KINDS: tuple[InteractionKind, ...] = (
    InteractionKind("visit", "The customer came to us, or we to the customer."),
    InteractionKind("call", "A telephone call."),
    InteractionKind("letter", "A letter or another thing sent by post."),
    InteractionKind("email", "An e-mail."),
    InteractionKind("meeting", "A meeting in person."),
    InteractionKind("video", "An audio or video conference."),
    InteractionKind("message", "A short message: SMS, chat or a social network."),
    InteractionKind("purchase", "Something was bought; it has lines and a total."),
    InteractionKind("refund", "Money went back for a purchase."),
    InteractionKind("survey", "The customer answered, or was asked, a question about satisfaction."),
    InteractionKind("self_service", "Customers served themselves, in a portal or at a machine."),
    InteractionKind("note", "Something that staff wrote down; no touch took place."),
)

CORE_CHANNELS: tuple[Channel, ...] = (
    Channel("email", "Electronic mail."),
    Channel("phone", "Voice over the telephone."),
    Channel("sms", "Text messages to a telephone number."),
    Channel("address", "A postal address."),
    Channel("post", "Letters and parcels."),
    Channel("chat", "Chat on a site or in an application."),
    Channel("social", "Direct messages and posts on a social network."),
    Channel("web", "A web site or portal."),
    Channel("video", "Audio and video conferences."),
    Channel("in_person", "Face to face."),
    Channel("shop", "At the counter of a shop or branch."),
    Channel("partner", "Through a partner or reseller."),
)


@dataclass(frozen=True)
class Vocabulary:
    """The kinds and channels that interactions and contact points may name, by name."""

    kinds: Mapping[str, InteractionKind]
    channels: Mapping[str, Channel]


class _Adds(Protocol):
    """The part of a plugin's declaration that is read here."""

    @property
    def name(self) -> str: ...
    @property
    def kinds(self) -> Sequence[InteractionKind]: ...
    @property
    def channels(self) -> Sequence[Channel]: ...


def build(plugins: Iterable[_Adds] = ()) -> Vocabulary:
    """The core's vocabulary and the plugins'. CONFIGURATION when two owners claim one name."""
    kinds = {kind.name: kind for kind in CORE_KINDS}
    channels = {channel.name: channel for channel in CORE_CHANNELS}
    owners = dict.fromkeys(
        [("kind", name) for name in kinds] + [("channel", name) for name in channels], "core"
    )
    for plugin in plugins:
        for kind in plugin.kinds:
            _claim(owners, "kind", kind.name, plugin.name)
            kinds[kind.name] = kind
        for channel in plugin.channels:
            _claim(owners, "channel", channel.name, plugin.name)
            channels[channel.name] = channel
    return Vocabulary(kinds, channels)


def install(vocabulary: Vocabulary) -> None:
    """Makes it the vocabulary of this process."""
    global _current
    _current = vocabulary


def current() -> Vocabulary:
    """The vocabulary of this process; the core's alone until the app has installed another."""
    return _current


def check_kind(name: object, *, path: Sequence[str | int] = ()) -> str:
    """The name, if it is a known kind of interaction; BAD_INPUT with the nearest known one otherwise."""
    return _known(name, _current.kinds, "kind of interaction", path)


def check_channel(name: object, *, path: Sequence[str | int] = ()) -> str:
    """The name, if it is a known channel; BAD_INPUT with the nearest known one otherwise."""
    return _known(name, _current.channels, "channel", path)


def _known(name: object, known: Mapping[str, object], what: str, path: Sequence[str | int]) -> str:
    if isinstance(name, str) and name in known:
        return name
    meant = nearest(name, list(known)) if isinstance(name, str) else None
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(name)} is no {what}.",
        path=path,
        hint=f"Did you mean {meant!r}?" if meant else f"Known are: {', '.join(sorted(known))}.",
    )


def _claim(owners: dict[tuple[str, str], str], what: str, name: str, owner: str) -> None:
    other = owners.setdefault((what, name), owner)
    if other != owner:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The {what} {name!r} of plugin {owner!r} already belongs to {_called(other)}.",
            hint="Rename one of them, or leave one of the plugins out.",
        )


def _called(owner: str) -> str:
    return "the core" if owner == "core" else f"plugin {owner!r}"


_current = build()
