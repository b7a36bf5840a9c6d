"""What users ask of Claude through the gateway, as the gateway reports it."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source import gateways, variables
from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_
from dashboards.source.panels import Query, graph, heat, number, timeline
from dashboards.source.queries import behind, else_zero, events, of, percentile, rate, share, spread
from dashboards.source.styles import State
from sidecar.model import families

_USERS: Final = 'source="traffic"'
_MODEL: Final = 'model=~"$model"'
_ON: Final = (_USERS, _MODEL)
_BREAKER: Final = (State(0, "closed", "green"), State(0.5, "half open", "orange"), State(1, "open", "red"))


def made() -> dashboard.Dashboard:
    """What users meet."""
    return board(
        "traffic",
        "Gateway traffic",
        "What users meet: errors, refusals, waiting. Quiet where no gateway reports its requests; the probes are at "
        "the dashboard Claude API.",
        [_now(), _requests(), _latency(), _content(), _reports(), *gateways.rows()],
        [variables.label("model", "Model", families.CLAUDE_REQUESTS, _USERS)],
    )


def _share(outcome: str) -> str:
    asked = rate(families.CLAUDE_REQUESTS, *_ON)
    some = rate(families.CLAUDE_REQUESTS, f'outcome="{outcome}"', *_ON)
    return share(f"sum({some})", f"sum({asked})")


def _now() -> Row:
    slowest = ('quantile="0.95"', 'window="5m"', *_ON)
    return Row(
        "",
        [
            number(
                "Requests",
                "Users' requests in each second. None while users are there: the gateway is not reached, or does not "
                "report.",
                f"sum({rate(families.CLAUDE_REQUESTS, *_ON)})",
                unit=units.RequestsPerSecond,
                alerts=["ClaudeTrafficGone"],
                none="no traffic",
            ),
            number(
                "Failed",
                "Share of the requests that failed: Claude, the way to it, or the gateway.",
                _share("failed"),
                unit=units.PercentUnit,
                limits=[above("ClaudeErrorRateHigh", "ratio")],
                none="no traffic",
            ),
            number(
                "Refused",
                "Share of the requests that were refused for what they are: key, permission, limit, request.",
                _share("refused"),
                unit=units.PercentUnit,
                limits=[above("ClaudeRequestsRefused", "ratio")],
                none="no traffic",
            ),
            number(
                "First token, p95",
                "At the slowest pod and model, over 5 minutes.",
                f"max({percentile(families.CLAUDE_FIRST_TOKEN, *slowest)})",
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
                none="no traffic",
            ),
            number(
                "Whole request, p95",
                "At the slowest pod and model, over 5 minutes.",
                f"max({percentile(families.CLAUDE_DURATION, *slowest)})",
                unit=units.Seconds,
                limits=[above("ClaudeRequestsSlow", "p95")],
                none="no traffic",
            ),
            number(
                "Circuit breakers open",
                "Open at one pod at least: nothing is sent that way, users get a fallback or an error at once.",
                else_zero(f"count(max by (name) ({of(families.CLAUDE_BREAKER)}) == 1)"),
                limits=[any_("orange")],
                alerts=["ClaudeCircuitBreakerOpen"],
            ),
        ],
    )


def _requests() -> Row:
    requests, retries = families.CLAUDE_REQUESTS, families.CLAUDE_RETRIES
    failed = events(requests, 'outcome="failed"', *_ON)
    refused = events(requests, 'outcome="refused"', *_ON)
    again = rate(retries, *_ON, window="10m")
    asked = rate(requests, *_ON, window="10m")
    return Row(
        "Requests",
        [
            graph(
                "Requests by model",
                "A model that falls to nothing while others go on: its route is broken, or taken out.",
                Query(f"sum by (model) ({rate(requests, *_ON)})", "{{model}}"),
                unit=units.RequestsPerSecond,
                stacked=True,
                alerts=["ClaudeTrafficGone"],
                width=8,
            ),
            graph(
                "Failures by kind",
                "overloaded, server_error, stalled: Claude. connect, dns, tls, reset: the way. timeout: compare with "
                "the probes.",
                Query(f"sum by (error_type) ({failed})", "{{error_type}}"),
                bars=True,
                alerts=["ClaudeErrorRateHigh"],
                width=8,
            ),
            graph(
                "Refusals by kind",
                "On our side: throttled is a rate limit, spend_cap a spend limit, auth a key, bad_request a client.",
                Query(f"sum by (error_type) ({refused})", "{{error_type}}"),
                bars=True,
                alerts=["ClaudeRequestsRefused"],
                width=8,
            ),
            graph(
                "Retries per request",
                "Users wait for them, and each counts against the limits. High: let the gateway wait longer in "
                "between.",
                Query(share(f"sum by (model) ({again})", f"sum by (model) ({asked})"), "{{model}}"),
                limits=[above("ClaudeRetriesHigh", "ratio")],
                width=8,
            ),
            graph(
                "Requests under way",
                "As the gateway reports them. It grows while nothing else does: answers take longer, or hang.",
                Query(f"sum by ($by) ({of(families.CLAUDE_ACTIVE)})", "{{$by}}"),
                stacked=True,
                width=8,
            ),
            timeline(
                "Circuit breakers",
                "The worst state over all pods. An open one closes by itself when a trial request is answered.",
                Query(f"max by (name) ({of(families.CLAUDE_BREAKER)})", "{{name}}"),
                _BREAKER,
                alerts=["ClaudeCircuitBreakerOpen"],
                width=8,
            ),
        ],
    )


def _latency() -> Row:
    first, whole = families.CLAUDE_FIRST_TOKEN, families.CLAUDE_DURATION
    kept = ('quantile="0.95"', 'window="5m"', *_ON)
    counts = behind(first, 'window="5m"', *_ON)
    return Row(
        "Waiting",
        [
            graph(
                "First token by model, p95",
                "At the slowest pod, over 5 minutes. The probes are quick meanwhile: long prompts, or the gateway "
                "queues.",
                Query(f"max by (model) ({percentile(first, *kept)})", "{{model}}"),
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
            ),
            graph(
                "Whole request by model, p95",
                "At the slowest pod, over 5 minutes. First tokens are quick meanwhile: the output is long.",
                Query(f"max by (model) ({percentile(whole, *kept)})", "{{model}}"),
                unit=units.Seconds,
                limits=[above("ClaudeRequestsSlow", "p95")],
            ),
            heat("First tokens, how they spread", "All pods. Two bands: two kinds of requests.", spread(first, *_ON)),
            graph(
                "Streams behind the percentiles",
                "Of the last 5 minutes, all pods. A percentile of a handful says little, and no rule fires on it.",
                Query(f"sum by (model) ({counts})", "{{model}}"),
            ),
        ],
    )


def _content() -> Row:
    tokens = rate(families.CLAUDE_TOKENS, *_ON)
    return Row(
        "Content and cost",
        [
            graph(
                "How answers end",
                "max_tokens: cut off. refusal: Claude declines. model_context_window_exceeded: prompts are too long.",
                Query(f"sum by (stop_reason) ({rate(families.CLAUDE_STOP_REASONS, *_ON)})", "{{stop_reason}}"),
                unit=units.RequestsPerSecond,
                stacked=True,
                alerts=["ClaudeStopReasonsShifted"],
                width=8,
            ),
            graph(
                "Tokens per second",
                "By kind. Much cache_write and little cache_read: prompts that are cached and not asked again.",
                Query(f"sum by (token_type) ({tokens})", "{{token_type}}"),
                stacked=True,
                width=8,
            ),
            graph(
                "Cost per hour",
                "List price, at the pace of the moment.",
                Query(f"3600 * sum by (model) ({rate(families.CLAUDE_COST, *_ON)})", "{{model}}"),
                unit=units.Dollars,
                stacked=True,
                width=8,
            ),
        ],
    )


def _reports() -> Row:
    return Row(
        "What gateways report",
        [
            graph(
                "Events by what became of them",
                "Duplicates are sent again after a lost answer, and harmless. Rejected: the sender and this daemon do "
                "not agree on the format.",
                Query(f"sum by (result) ({rate(families.EVENTS)})", "{{result}}"),
                unit=units.EventsPerSecond,
                stacked=True,
                alerts=["SidecarEventsRejected"],
            ),
            graph(
                "Senders",
                "Who was heard lately, by pod. None: the gateway does not report to its sidecar.",
                Query(f"sum by ($by) ({of(families.EVENT_SENDERS)})", "{{$by}}"),
            ),
        ],
    )
