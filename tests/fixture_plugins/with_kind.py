"""Adds a kind of interaction and a channel."""

from crm_framework import Channel, InteractionKind, Plugin

plugin = Plugin(
    name="with_kind",
    requires_api="1.0",
    summary="Records demonstrations and pigeons.",
    kinds=[InteractionKind("demonstration", "A product was shown.")],
    channels=[Channel("pigeon", "A carrier pigeon.")],
)
