"""The pages about checks and channels: what all of them have, then each type."""

from collections.abc import Iterator
from typing import Final

from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.claude.errors import ErrorType, Fault
from sidecar.network import Network
from writers.markdown import MADE, anchor, code, heading, table
from writers.models import nested, sample, section, settings


def checks() -> Iterator[str]:
    """Every type of check."""
    yield from _top("Checks", "sidecar.checks")
    yield from heading("Every check has")
    yield from settings(Check)
    for path, model in nested(Check):
        if model is not Network:
            yield from section(f"`{path}:` of a check", model, level=3)
    yield ""
    yield "`network:` is as in [the configuration file](configuration.md#network)."
    yield from _types("sidecar.checks", Check)
    yield from _words()


def channels() -> Iterator[str]:
    """Every type of channel."""
    yield from _top("Channels", "sidecar.channels")
    yield from heading("Every channel has")
    yield from settings(Channel)
    yield ""
    yield "`network:` is as in [the configuration file](configuration.md#network)."
    yield from _types("sidecar.channels", Channel)


def _top(title: str, package: str) -> Iterator[str]:
    yield f"# {title}"
    yield ""
    yield f"{MADE} Types:"
    yield ", ".join(f"[{name}](#{anchor(f'type: {name}')})" for name in plugins.names(package)) + "."


def _types(package: str, base: type[Check] | type[Channel]) -> Iterator[str]:
    """Every type of *package*, and what its settings are made of."""
    common = {model for _, model in nested(base)}
    for name in plugins.names(package):
        found = plugins.find(package, name, base)
        yield from section(f"`type: {name}`", found, base)
        for path, model in nested(found):
            if model not in common:
                yield from section(f"`{path}:` of `{name}`", model, level=3)
        yield from sample(name)


_MEANINGS: Final = {
    ErrorType.THROTTLED: "A rate limit is used up: a 429, ours at the API or the gateway's own.",
    ErrorType.OVERLOADED: "The API has no capacity: a 529, or `overloaded_error` inside of a stream.",
    ErrorType.SPEND_CAP: "A spend limit is reached or the credit is used up. Waiting does not help.",
    ErrorType.AUTH: "The key is missing or not valid.",
    ErrorType.PERMISSION: "The key is valid and may not do this.",
    ErrorType.NOT_FOUND: "There is no such model or path.",
    ErrorType.BAD_REQUEST: "The request is wrong in itself.",
    ErrorType.TOO_LARGE: "The request, or the answer, is larger than allowed.",
    ErrorType.CONTEXT_EXCEEDED: "The prompt is longer than the model's context.",
    ErrorType.SERVER_ERROR: "The other end failed: a 5xx other than overload.",
    ErrorType.NOT_JSON: "The answer is not the API's: something in between has answered.",
    ErrorType.STALLED: "A stream began, and then no bytes came for too long.",
    ErrorType.PING_ONLY: "A stream sent pings and no content.",
    ErrorType.TRUNCATED: "A stream was closed before its end.",
    ErrorType.STREAM_ERROR: "A stream brought an error after its 200.",
    ErrorType.DNS: "The name has no address.",
    ErrorType.CONNECT: "Nobody accepts connections there.",
    ErrorType.TLS: "The certificate or the handshake is wrong.",
    ErrorType.RESET: "The connection broke.",
    ErrorType.TIMEOUT: "No verdict within the check's `timeout`.",
    ErrorType.ASSERTION: "The answer came and is not what the check expects.",
    ErrorType.EXIT_CODE: "A program or a job ended with a bad exit code.",
    ErrorType.MISSED: "A job did not call in when it should.",
    ErrorType.INTERNAL: "The check's own code has failed; that is our bug.",
}


def _words() -> Iterator[str]:
    yield from heading("Words of `error_type`")
    yield "They stand in `probe_failures_total`, `sidecar_check_down_reason`, `claude_requests_total` and in messages."
    yield ""
    yield from table(("word", "means"), ((code(word), _MEANINGS[word]) for word in ErrorType))
    yield ""
    yield f"Whose fault it is, in a probe's evidence: {', '.join(code(fault) for fault in Fault)}."
