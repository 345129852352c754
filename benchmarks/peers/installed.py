"""`--peers`: installs those that can be, and says of the others why not."""

from collections.abc import Sequence

from rich.console import Console

from benchmarks.peers import Peer


def installed(console: Console) -> Sequence[Peer]:
    """The peers that can be started here."""
    return []
