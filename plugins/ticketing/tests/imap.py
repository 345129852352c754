"""A small IMAP server (RFC 3501) with one folder, on a socket: what a client that reads mail needs of one."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Stored:
    """A message in the folder."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class Folder:
    """`broken` closes the connection instead of an answer to the next command of this name, once."""

    messages: list[Stored] = field(default_factory=list)
    broken: str = ""
    port: int = 0
    commands: list[str] = field(default_factory=list)

    def add(self, raw: bytes) -> Stored:
        message = Stored(len(self.messages) + 1, raw)
        self.messages.append(message)
        return message


@asynccontextmanager
async def serving(user: str = "help", password: str = "sesame") -> AsyncIterator[Folder]:
    """The folder, served on `port` of the loopback as long as the block lasts."""
    folder = Folder()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _session(folder, reader, writer, (user, password))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    folder.port = server.sockets[0].getsockname()[1]
    try:
        yield folder
    finally:
        server.close()
        await server.wait_closed()


async def _session(
    folder: Folder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, known: tuple[str, str]
) -> None:
    async def say(*lines: bytes) -> None:
        writer.write(b"".join(line + b"\r\n" for line in lines))
        await writer.drain()

    await say(b"* OK ready")
    let_in = False
    while line := (await reader.readline()).decode().rstrip("\r\n"):
        tag, _, rest = line.partition(" ")
        command, _, rest = rest.partition(" ")
        command = command.upper()
        if command == "UID":
            command, _, rest = rest.partition(" ")
            command = f"UID {command.upper()}"
        folder.commands.append(command)
        if folder.broken == command:
            folder.broken = ""
            return
        done = f"{tag} OK done".encode()
        if command == "CAPABILITY":
            await say(b"* CAPABILITY IMAP4rev1", done)
        elif command == "LOGIN":
            let_in = [part.strip('"') for part in rest.split(" ")] == list(known)
            await say(done if let_in else f"{tag} NO [AUTHENTICATIONFAILED] no".encode())
        elif command == "LOGOUT":
            await say(b"* BYE", done)
            return
        elif not let_in:
            await say(f"{tag} BAD log in first".encode())
        elif command == "SELECT":
            there = rest.strip('"') == "INBOX"
            count = f"* {len(folder.messages)} EXISTS".encode()
            await say(
                *([count, b"* FLAGS (\\Seen \\Flagged)", done] if there else [f"{tag} NO none".encode()])
            )
        elif command == "UID SEARCH":
            found = [one for one in folder.messages if not {"\\Seen", "\\Flagged"} & one.flags]
            await say(" ".join(["* SEARCH", *(str(one.uid) for one in found)]).encode(), done)
        elif command == "UID FETCH":
            await say(*(_fetched(one, rest) for one in _named(folder, rest)), done)
        elif command == "UID STORE":
            for one in _named(folder, rest):
                one.flags |= set(re.findall(r"\\\w+", rest))
            await say(done)
        else:
            await say(f"{tag} BAD unknown".encode())


def _named(folder: Folder, rest: str) -> list[Stored]:
    wanted = {int(uid) for uid in rest.partition(" ")[0].split(",")}
    return [one for one in folder.messages if one.uid in wanted]


def _fetched(one: Stored, rest: str) -> bytes:
    if "RFC822.SIZE" in rest:
        return f"* {one.uid} FETCH (UID {one.uid} RFC822.SIZE {len(one.raw)})".encode()
    head = f"* {one.uid} FETCH (UID {one.uid} BODY[] {{{len(one.raw)}}}".encode()
    return head + b"\r\n" + one.raw + b")"
