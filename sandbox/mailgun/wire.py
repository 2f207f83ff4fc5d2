"""Requests, answers and the body formats Mailgun takes: urlencoded, multipart, JSON, each also gzipped."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from sandbox.lib import wire
from sandbox.lib.wire import MAX_FIELDS, Response, json_response, text_response, typed_response

__all__ = [
    "MAX_BODY_BYTES", "MAX_MESSAGE_BYTES", "File", "Form", "Refused", "Request", "Response", "json_response",
    "text_response", "typed_response",
]  # fmt: skip

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
MAX_BODY_BYTES = MAX_MESSAGE_BYTES + 1024 * 1024


class Refused(Exception):
    """A request that is answered with an error, in Mailgun's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Request(wire.Request):
    @property
    def password(self) -> str | None:
        """The key of ``Authorization: Basic``, when the user name is ``api``."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return password if colon and user == "api" else None

    @property
    def content(self) -> bytes:
        """The body, unpacked."""
        if self.headers.get("Content-Encoding", "").lower() != "gzip":
            return self.body
        unpacker = zlib.decompressobj(wbits=31)
        try:
            content = unpacker.decompress(self.body, MAX_BODY_BYTES + 1)
        except zlib.error:
            raise Refused(400, "The gzip body could not be read") from None
        if len(content) > MAX_BODY_BYTES:
            raise Refused(413, "Request entity too large")
        if not unpacker.eof:
            raise Refused(400, "The gzip body could not be read")
        return content

    def form(self) -> Form:
        content = self.content
        if self.media_type == "multipart/form-data":
            found = re.search(r'boundary="?([^";]+)"?', self.headers.get("Content-Type", ""), re.IGNORECASE)
            if not found:
                raise Refused(400, "The multipart body has no boundary")
            return read_multipart(content, found[1].strip().encode("latin-1"))
        return read_urlencoded(content)

    def json(self) -> Any:
        try:
            return json.loads(self.content)
        except ValueError:
            raise Refused(400, "The body is not valid JSON") from None


@dataclass(frozen=True)
class File:
    field: str
    filename: str
    content_type: str
    content: bytes


@dataclass
class Form:
    """Posted fields, each with all its values in order, and posted files."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)

    def first(self, name: str) -> str:
        values = self.fields.get(name)
        return values[0] if values else ""


def read_urlencoded(content: bytes) -> Form:
    form = Form()
    try:
        pairs = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refused(400, "The form has too many fields") from None
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


def read_multipart(content: bytes, boundary: bytes) -> Form:
    """multipart/form-data as browsers, curl and urllib3 write it (RFC 7578, and RFC 5987 file names)."""
    form = Form()
    sections = (b"\r\n" + content).split(b"\r\n--" + boundary)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise Refused(400, "The multipart body is cut off")
    for section in sections[1:-1]:
        head, blank, value = section.partition(b"\r\n\r\n")
        if not blank:
            raise Refused(400, "The multipart body is malformed")
        headers = _part_headers(head)
        given = _parameters(headers.get("content-disposition", ""))
        name = given.get("name")
        if name is None:
            raise Refused(400, "A part of the multipart body has no name")
        if "filename" in given or name in ("attachment", "inline"):
            kind = headers.get("content-type", "application/octet-stream")
            form.files.append(File(name, given.get("filename") or "attachment", kind, value))
        else:
            form.fields.setdefault(name, []).append(value.decode("utf-8", "replace"))
    return form


def _part_headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers


def _parameters(disposition: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for key, quoted, bare in _PARAMETER.findall(disposition):
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
        if key.endswith("*"):  # filename*=utf-8''caf%C3%A9.ics
            charset, _, rest = value.partition("''")
            try:
                given[key[:-1]] = unquote_to_bytes(rest).decode(charset or "utf-8", "replace")
            except LookupError:
                given[key[:-1]] = unquote(rest)
        else:
            given.setdefault(key, value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n"))
    return given
