"""multipart/form-data as it arrives: some fields and one file, which is passed on in chunks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from local.gateway.storage.errors import invalid_request, too_large

# All fields together; the largest of them is the user's metadata.
FIELD_BYTES = 1024 * 1024
MAXIMUM_FIELDS = 10
# Fields count wherever they stand, as long as no more of the file comes before them.
LOOK_AHEAD_BYTES = 1024 * 1024

Events = AsyncIterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields, the file's own type ('' if it has none), and its bytes, to be read once."""

    fields: dict[str, str]
    content_type: str
    content: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Part:
    """What the headers of a part say. Parts with a file name are files, and raw bytes are too."""

    name: str
    content_type: str
    is_file: bool

    @classmethod
    def of(cls, headers: dict[str, bytes]) -> "_Part":
        _, options = parse_options_header(headers.get("content-disposition", b""))
        content_type = headers.get("content-type", b"").decode("latin-1")
        is_file = b"filename" in options or content_type == "application/octet-stream"
        return cls(options.get(b"name", b"").decode("utf-8", "replace"), content_type, is_file)


async def form_of(request: Request) -> Form:
    """Reads fields and looks ahead in the file. Raises: 400 without a file, 413 for long fields."""
    events = _events(request)
    fields: dict[str, bytes] = {}
    file, part, ahead, complete = None, None, bytearray(), False
    async for kind, value in events:
        if kind == "part":
            part = _Part.of(value)
            file = part if part.is_file and file is None else file
        elif kind == "end":
            complete = complete or part is file
        elif part is file:
            ahead += value
            if len(ahead) > LOOK_AHEAD_BYTES:
                break
        elif part is not None and not part.is_file:
            fields[part.name] = fields.get(part.name, b"") + value
            if len(fields) > MAXIMUM_FIELDS or sum(map(len, fields.values())) > FIELD_BYTES:
                raise too_large("user_metadata")
    if file is None:
        raise invalid_request("No content provided")
    texts = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
    return Form(texts, file.content_type, _content(bytes(ahead), events, complete=complete))


async def _content(ahead: bytes, events: Events, *, complete: bool) -> AsyncIterator[bytes]:
    """The file's bytes; a form that breaks off is an error, not a shorter file."""
    yield ahead
    if complete:
        return
    async for kind, value in events:
        if kind == "end":
            return
        yield value
    raise invalid_request("Unexpected end of form")


async def _events(request: Request) -> Events:
    """("part", headers), ("data", bytes) and ("end", None), while the body arrives."""
    _, options = parse_options_header(request.headers["content-type"])
    if not options.get(b"boundary"):
        raise invalid_request("Multipart: Boundary not found")
    collected = _Collector()
    try:
        parser = MultipartParser(options[b"boundary"], collected.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
            for event in collected.events:
                yield event
            collected.events.clear()
    except FormParserError as error:
        raise invalid_request(str(error)) from error


class _Collector:
    """What the parser has reported since it was last asked."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._headers: dict[str, bytes] = {}
        self._name = b""
        self._value = b""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": lambda: self.events.append(("part", dict(self._headers))),
            "on_part_data": lambda data, start, end: self.events.append(("data", data[start:end])),
            "on_part_end": lambda: self.events.append(("end", None)),
        }

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""
