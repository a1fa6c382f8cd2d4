"""HTTP as httptools reads it, with a bound on what comes before a body."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 1 << 16
"""Of a request's line and headers, counted from the second piece that the network brings; a piece has 256 KiB at most."""


class BoundedHead(HttpToolsProtocol):
    """A connection that is closed when the head of a request does not end: it would fill the memory otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._within_head = False
        self._read = 0

    def data_received(self, data: bytes) -> None:
        """Take what the network brings."""
        went_on = self._within_head
        super().data_received(data)
        if went_on and self._within_head:
            self._read += len(data)
            if self._read > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._within_head, self._read = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        self._within_head = False
        super().on_headers_complete()
