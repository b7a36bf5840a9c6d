"""The first page of the reference."""

from collections.abc import Iterator

from writers.markdown import MADE


def page() -> Iterator[str]:
    """Where everything is."""
    yield "# Reference"
    yield ""
    yield f"{MADE} Guides and runbooks: [docs](README.md)."
    yield ""
    yield "- [Configuration file](reference/configuration.md): every key outside of checks, channels and rules."
    yield "- [Checks](reference/checks.md): every type with its settings and an example; the words of `error_type`."
    yield "- [Channels](reference/channels.md): every type with its settings and an example."
    yield "- [Rule files](reference/rule-files.md): every field of groups, rules and overrides."
    yield "- [Languages](reference/languages.md): PromQL and templates, as far as they are supported."
    yield "- [Shipped alerts](reference/alerts.md): every rule of every pack."
    yield "- [Metrics](reference/metrics.md): names, kinds, labels, bounds."
    yield "- [Commands](reference/commands.md): arguments, options, examples."
    yield "- [HTTP API](reference/api.md): paths, parameters, answers; [openapi.json](openapi.json)."
    yield "- [Events](events.md): what gateways send; [Python client](reference/client.md)."
    yield "- [Messages](reference/messages.md): what people are told."
    yield "- [Webhook messages](reference/webhook.md): what receivers get."
    yield "- [Logs and traces](reference/logs.md): events and their fields, spans."
    yield "- [Environment variables and exit codes](reference/environment.md)."
