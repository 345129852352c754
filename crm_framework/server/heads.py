"""uvicorn's HTTP/1.1 with a bound on what comes before the body, which its fast parser sets none to."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of the request line and the headers, not counting what came in one piece with the first byte of them."""

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 27\r\nconnection: close\r\n\r\n"
    b"The headers are too large.\n"
)


class BoundedHeads(HttpToolsProtocol):
    """Ends a connection whose request does not get to its body: it would fill the memory without a token."""

    _head: int | None = None
    """Bytes of the head that is under way; None between heads."""

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD_BYTES:
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()
