"""What a failed request means: in our words, whose fault it is, and what to do next."""

from enum import StrEnum


class ErrorType(StrEnum):
    """Every word that may stand in the label `error_type`."""

    # What the API says.
    THROTTLED = "throttled"
    OVERLOADED = "overloaded"
    SPEND_CAP = "spend_cap"
    AUTH = "auth"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    CONTEXT_EXCEEDED = "context_exceeded"
    SERVER_ERROR = "server_error"
    NOT_JSON = "not_json"  # something in between has answered
    # What a stream does after its 200.
    STALLED = "stalled"  # no bytes
    PING_ONLY = "ping_only"  # no content
    TRUNCATED = "truncated"  # no end
    STREAM_ERROR = "stream_error"
    # What the network does.
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TIMEOUT = "timeout"
    # What a check of ours finds.
    ASSERTION = "assertion"
    EXIT_CODE = "exit_code"
    INTERNAL = "internal"  # the check's own code has failed
