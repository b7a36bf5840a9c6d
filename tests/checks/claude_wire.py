"""The Claude API's bytes, written by hand."""

import json
from typing import Any

from tests.checks.script import Step, answer

HEADERS = (
    "Content-Type: application/json",
    "request-id: req_011",
    "anthropic-ratelimit-requests-limit: 1000",
    "anthropic-ratelimit-requests-remaining: 999",
    "anthropic-ratelimit-requests-reset: 2026-01-05T12:00:30Z",
)
USAGE = {"input_tokens": 20, "output_tokens": 1}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "OK."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}


def json_answer(status: int, body: Any, *headers: str) -> bytes:
    """An answer of the API with JSON."""
    return answer(status, json.dumps(body).encode(), *HEADERS, *headers)


def error(status: int, type_: str, message: str, *headers: str, code: str = "") -> bytes:
    """An error as the API writes it."""
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {"type": type_, "message": message, **details}, "request_id": "req_011"}
    return json_answer(status, body, *headers)


STREAM_HEAD = "\r\n".join(
    [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream; charset=utf-8",
        "Transfer-Encoding: chunked",
        *HEADERS[1:],
        "",
        "",
    ]
).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(type_: str, **data: Any) -> bytes:
    """One server-sent event in a chunk of its own."""
    return chunk(f"event: {type_}\ndata: {json.dumps({'type': type_, **data})}\n\n".encode())


START = event("message_start", message={**MESSAGE, "content": [], "stop_reason": None})
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "OK "})
BLOCK_STOP = event("content_block_stop", index=0)
PING = event("ping")
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 41})
STOP = event("message_stop")
LAST_CHUNK = b"0\r\n\r\n"
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def stream(*steps: Step) -> list[Step]:
    """A streamed answer that ends properly for HTTP, whatever it says."""
    return [STREAM_HEAD, *steps, LAST_CHUNK]


GOOD = stream(0.5, START, PING, 0.5, BLOCK, TEXT, 2.0, TEXT, 6.0, TEXT, BLOCK_STOP, END, STOP)
