"""The Claude API: latency, errors, tokens, cost and limits, of probes and of users' requests."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source import variables
from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_, below
from dashboards.source.panels import Query, graph, heat, listing, number, timeline
from dashboards.source.queries import else_zero, events, increase, of, percentile, quantile, rate, share, spread
from dashboards.source.styles import State
from sidecar.model import families

_PROBES: Final = 'type=~"claude[.].+"'
_CHOSEN: Final = ('source=~"$source"', 'model=~"$model"')
DOWN: Final = (
    "ClaudeDown", "ClaudeAuthFailing", "ClaudeSpendCap", "ClaudeRateLimited", "ClaudeProbeMisconfigured",
)  # fmt: skip
_MODEL: Final = 'model=~"$model"'
_ACTIVE: Final = (State(1, "active", "green"), State(0, "deprecated or retired", "orange"))


def made() -> dashboard.Dashboard:
    """Whether Claude is slow, failing, or out of quota."""
    return board(
        "claude",
        "Claude API",
        "How fast Claude answers, what fails and whose fault it is, what is left of the limits, and what it costs.",
        [_now(), _latency(), _errors(), _limits(), _tokens()],
        [
            variables.choice("source", "Asked by", "probe", "traffic"),
            variables.label("model", "Model", families.CLAUDE_REQUESTS),
        ],
    )


def _now() -> Row:
    asked = rate(families.CLAUDE_REQUESTS, *_CHOSEN)
    failed = rate(families.CLAUDE_REQUESTS, 'outcome="failed"', *_CHOSEN)
    left = f"{of(families.CLAUDE_RATELIMIT_REMAINING)} / ({of(families.CLAUDE_RATELIMIT_LIMIT)} > 0)"
    return Row(
        "",
        [
            number(
                "Checks of Claude down",
                "Checks that ask Claude, directly or through the gateway, and that some pod sees down. The panel Why "
                "checks are down says whose fault it is.",
                else_zero(f"count(min by (check) ({of(families.CHECK_UP, _PROBES)}) == 0)"),
                limits=[any_()],
                alerts=["ClaudeDown"],
            ),
            number(
                "Failures",
                "Share of the requests that failed. Refusals (a key, a limit, a bad request) are not in it.",
                share(f"sum({failed})", f"sum({asked})"),
                unit=units.PercentUnit,
                limits=[above("ClaudeErrorRateHigh", "ratio")],
                none="no requests",
            ),
            number(
                "First token, p95",
                "Over all chosen requests, as near as the histogram's buckets allow.",
                quantile(0.95, families.CLAUDE_FIRST_TOKEN, *_CHOSEN, window="$__range"),
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
                none="no streams",
            ),
            number(
                "Whole request, p95",
                "From the request's first byte to the answer's last, over all chosen requests.",
                quantile(0.95, families.CLAUDE_DURATION, *_CHOSEN, window="$__range"),
                unit=units.Seconds,
                limits=[above("ClaudeRequestsSlow", "p95")],
                none="no requests",
            ),
            number(
                "Least left of a rate limit",
                "Of the limit that binds first. Whoever shares the key's workspace shares its limits.",
                f"min({left})",
                unit=units.PercentUnit,
                limits=[below("ClaudeRateLimitLow", "ratio")],
                none="not told",
            ),
            number(
                "Cost in the chosen time",
                "List price of the tokens of the chosen requests.",
                else_zero(f"sum({increase(families.CLAUDE_COST, *_CHOSEN)})"),
                unit=units.Dollars,
            ),
        ],
    )


def _latency() -> Row:
    first, whole = families.CLAUDE_FIRST_TOKEN, families.CLAUDE_DURATION
    kept = ('window="5m"', 'quantile=~"0.5|0.95|0.99"', *_CHOSEN)
    phases = of(families.PROBE_PHASE, _PROBES)
    return Row(
        "Latency",
        [
            graph(
                "Time to first token",
                "Percentiles of 5 minutes at the slowest pod and model. All rise: look at https://status.claude.com; "
                "only p99: long prompts.",
                Query(f"max by (source, quantile) ({percentile(first, *kept)})", "{{source}} p{{quantile}}"),
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
            ),
            graph(
                "Whole requests",
                "Percentiles of 5 minutes at the slowest pod and model. Slow while first tokens are quick: the output "
                "is long.",
                Query(f"max by (source, quantile) ({percentile(whole, *kept)})", "{{source}} p{{quantile}}"),
                unit=units.Seconds,
                limits=[above("ClaudeRequestsSlow", "p95")],
            ),
            heat(
                "First tokens, how they spread",
                "All pods. Two bands: two kinds of requests, or two models.",
                spread(first, *_CHOSEN),
                width=8,
            ),
            graph(
                "First token by model, p95",
                "One model alone is slow: Claude is short of capacity for it; another may serve meanwhile.",
                Query(quantile(0.95, first, *_CHOSEN, by="model", window="5m"), "{{model}}"),
                unit=units.Seconds,
                width=8,
            ),
            graph(
                "Phases of probes",
                "Where the last probe's time went, at the slowest pod. Before first_byte it is the way; after it is "
                "Claude.",
                Query(f"max by (check, phase) ({phases})", "{{check}}: {{phase}}"),
                unit=units.Seconds,
                limits=[above("ClaudeProbeFirstTokenSlow", "seconds"), above("ConnectionSlow", "seconds")],
                width=8,
            ),
            graph(
                "Output tokens per second",
                "How fast the last stream wrote, at the slowest pod.",
                Query(
                    f"min by (source, model) ({of(families.CLAUDE_TOKENS_PER_SECOND, *_CHOSEN)})",
                    "{{source}} {{model}}",
                ),
                limits=[below("ClaudeOutputSlow", "tokens")],
            ),
            graph(
                "Longest silence within a stream",
                "Of the last stream. A proxy that buffers, or one with a short idle timeout, shows here first.",
                Query(f"max by (source, model) ({of(families.CLAUDE_STREAM_GAP, *_CHOSEN)})", "{{source}} {{model}}"),
                unit=units.Seconds,
                limits=[above("ClaudeStreamGap", "seconds")],
            ),
        ],
    )


def _errors() -> Row:
    kinds = events(families.CLAUDE_REQUESTS, 'outcome!="ok"', *_CHOSEN)
    reasons = of(families.CHECK_DOWN_REASON, _PROBES)
    return Row(
        "Errors",
        [
            graph(
                "Requests by outcome",
                "Failed: Claude's fault, or the way's. Refused: ours, a key, a limit or the request itself.",
                Query(f"sum by (outcome) ({rate(families.CLAUDE_REQUESTS, *_CHOSEN)})", "{{outcome}}"),
                unit=units.RequestsPerSecond,
                stacked=True,
                width=8,
            ),
            graph(
                "Errors by kind",
                "overloaded, server_error, stream_error: Claude. throttled, spend_cap: our limits. auth, permission: a "
                "key. connect, dns, tls, reset: the way.",
                Query(f"sum by (error_type) ({kinds})", "{{error_type}}"),
                bars=True,
                alerts=["ClaudeOverloaded", "ClaudeThrottled", "ClaudeServerErrors", "ClaudeStreamBroken"],
                width=8,
            ),
            timeline(
                "Why checks are down",
                "The latest failure of each check of Claude that is down.",
                Query(f"max by (check, error_type) ({reasons})", "{{check}}: {{error_type}}"),
                [State(1, "down", "red")],
                alerts=DOWN,
                width=8,
            ),
        ],
    )


def _limits() -> Row:
    left, limit = of(families.CLAUDE_RATELIMIT_REMAINING), of(families.CLAUDE_RATELIMIT_LIMIT)
    return Row(
        "Limits and models",
        [
            graph(
                "Left of the rate limits",
                "As the headers of the last answer told it. Low: slow down batch work that shares the limit, cache "
                "prompts, or ask for more.",
                Query(f"min by (check, family) ({left} / ({limit} > 0))", "{{check}}: {{family}}"),
                unit=units.PercentUnit,
                share=True,
                limits=[below("ClaudeRateLimitLow", "ratio")],
                alerts=["ClaudeRateLimitExhausting"],
                width=8,
            ),
            graph(
                "Rate limits",
                "The limits themselves, in requests or tokens. A step down: the workspace's limits or the tier "
                "changed.",
                Query(f"min by (family) ({limit})", "{{family}}"),
                alerts=["ClaudeRateLimitLowered"],
                width=8,
            ),
            graph(
                "Until the limits are whole again",
                "When a limit is used up, everybody who shares it is refused for this long.",
                Query(f"clamp_min(max by (family) ({of(families.CLAUDE_RATELIMIT_RESET)}) - time(), 0)", "{{family}}"),
                unit=units.Seconds,
                width=8,
            ),
            timeline(
                "Models",
                "What the API lists. Move off a deprecated one before it retires: requests for it will fail then.",
                Query(f"min by (model) ({of(families.CLAUDE_MODEL_ACTIVE)})", "{{model}}"),
                _ACTIVE,
                alerts=["ClaudeModelNotActive"],
            ),
            listing(
                "Models that retire",
                "When the API says that it stops serving them. Empty: none has a date.",
                [f"sort(min by (model) ({of(families.CLAUDE_MODEL_RETIRES)}) * 1000)"],
                {"model": "Model", "Value": "Retires"},
                unit=units.DatetimeISO,
            ),
        ],
    )


def _tokens() -> Row:
    tokens = families.CLAUDE_TOKENS
    read = rate(tokens, 'token_type=~"input|cache_read|cache_write"', *_CHOSEN)
    cached = rate(tokens, 'token_type="cache_read"', *_CHOSEN)
    answered = rate(families.CLAUDE_REQUESTS, 'source="probe"', 'outcome="ok"', _MODEL, window="1h")
    written = rate(tokens, 'source="probe"', 'token_type="output"', _MODEL, window="1h")
    spent = increase(families.CLAUDE_COST, 'source="probe"', window="1h")
    return Row(
        "Tokens and cost",
        [
            graph(
                "Tokens per second",
                "By kind. What is read from the cache costs a tenth, and for most models counts for no limit.",
                Query(f"sum by (token_type) ({rate(tokens, *_CHOSEN)})", "{{token_type}}"),
                stacked=True,
                width=8,
            ),
            graph(
                "Input from the cache",
                "Share of the input that was read from the prompt cache. It falls: a prompt's beginning changed.",
                Query(share(f"sum by (model) ({cached})", f"sum by (model) ({read})"), "{{model}}"),
                unit=units.PercentUnit,
                share=True,
                width=8,
            ),
            graph(
                "Cost per hour",
                "List price, at the pace of the moment.",
                Query(
                    f"3600 * sum by (source, model) ({rate(families.CLAUDE_COST, *_CHOSEN)})", "{{source}} {{model}}"
                ),
                unit=units.Dollars,
                stacked=True,
                width=8,
            ),
            graph(
                "What the probes cost a day",
                "At the pace of the last hour. Too much: raise `every`, or take a smaller model; checks of models and "
                "count_tokens are free.",
                Query(f"24 * sum by (check) ({spent})", "{{check}}"),
                unit=units.Dollars,
                stacked=True,
                limits=[above("ClaudeProbesCostly", "dollars")],
                width=8,
            ),
            graph(
                "Output tokens of a probe",
                "Per answered probe of the last hour. Thinking counts as output.",
                Query(f"sum by (model) ({written}) / sum by (model) ({answered})", "{{model}}"),
                limits=[above("ClaudeProbeLong", "tokens")],
                width=8,
            ),
            graph(
                "How answers end",
                "max_tokens: answers are cut off. refusal: Claude declines. model_context_window_exceeded: prompts are "
                "too long.",
                Query(f"sum by (stop_reason) ({rate(families.CLAUDE_STOP_REASONS, *_CHOSEN)})", "{{stop_reason}}"),
                stacked=True,
                alerts=["ClaudeStopReasonsShifted"],
                width=8,
            ),
        ],
        closed=True,
    )
