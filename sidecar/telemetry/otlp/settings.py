"""Where telemetry goes, from the file or from OpenTelemetry's own environment variables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sidecar.model.durations import Duration
from sidecar.network import Network
from sidecar.secrets import Secret

Signal = Literal["traces", "metrics"]
SIGNALS: Final[tuple[Signal, ...]] = ("traces", "metrics")
SERVICE: Final = "claude-sidecar"
_CERTIFICATES: Final = {"ca_file": "CERTIFICATE", "client_cert": "CLIENT_CERTIFICATE", "client_key": "CLIENT_KEY"}


def _endpoint(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected the address of an OTLP/HTTP receiver, such as http://collector:4318")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected an address without user, password and query; credentials go into `headers`")
    return text.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TraceSettings(_Part):
    """Spans of probes, rule groups and deliveries."""

    enabled: bool = Field(True, description="Whether spans are sent.")
    endpoint: Endpoint = Field(
        "",
        description="Another address for spans, used as it is: with its path.",
        examples=["http://tempo:4318/v1/traces"],
    )
    sample: float = Field(
        0.01, ge=0, le=1, description="Share of the traces without an error that is sent; those with one always are."
    )


class MetricSettings(_Part):
    """The numbers of /metrics, sent."""

    enabled: bool = Field(True, description="Whether metrics are sent.")
    endpoint: Endpoint = Field(
        "",
        description="Another address for metrics, used as it is: with its path.",
        examples=["http://mimir:9009/otlp/v1/metrics"],
    )
    interval: Duration = Field(60.0, ge=1, le=600, description="How often all current values are sent.")


class OtlpSettings(_Part):
    """Telemetry to an OpenTelemetry collector, over HTTP with protobuf.

    Without an endpoint here, OTEL_EXPORTER_OTLP_ENDPOINT and what belongs to it (headers, timeout, compression) count.
    """

    endpoint: Endpoint = Field(
        "",
        description="Address of the receiver, to which /v1/traces and /v1/metrics are added; when empty, that of the "
        "variable OTEL_EXPORTER_OTLP_ENDPOINT, with its headers; off without both.",
        examples=["http://otel-collector:4318"],
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict,
        description="Headers of each request: credentials.",
        examples=[{"Authorization": {"env": "OTLP_AUTHORIZATION"}}],
    )
    timeout: Duration = Field(10.0, gt=0, le=60, description="Longest wait for one answer of the receiver.")
    compression: Literal["gzip", "none"] = Field("gzip", description="gzip or none.")
    traces: TraceSettings = Field(default_factory=TraceSettings, description="Spans.")
    metrics: MetricSettings = Field(default_factory=MetricSettings, description="Metrics.")
    network: Network | None = Field(
        None,
        description="How to connect, where that is not as the top level's `network` has it.",
        examples=[{"proxy": "none"}],
    )
    propagate: bool = Field(
        False, description="Whether http checks send `traceparent`, so that a gateway's spans join ours."
    )


@dataclass(frozen=True, slots=True)
class Destination:
    """One receiver of one signal."""

    url: str
    headers: Mapping[str, Secret] = field(default_factory=dict)
    timeout: float = 10.0
    gzip: bool = True
    network: Network | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What is sent, where to, and as whom; `problems` is what of the environment could not be used."""

    traces: Destination | None = None
    metrics: Destination | None = None
    sample: float = 0.01
    interval: float = 60.0
    resource: Mapping[str, str] = field(default_factory=dict)
    propagate: bool = False
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.traces is not None or self.metrics is not None


def export(settings: OtlpSettings, environment: Mapping[str, str], resource: Mapping[str, str]) -> Export:
    """What *settings* come to; *resource* is what the daemon knows of itself, and wins over the environment.

    The environment names a receiver only when *settings* do not, so that its credentials never go elsewhere.
    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES always count, and OTEL_SDK_DISABLED turns all off.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Export()
    problems: list[str] = []
    named = settings.endpoint or settings.traces.endpoint or settings.metrics.endpoint
    found: dict[Signal, Destination] = {}
    for signal in SIGNALS:
        part = settings.traces if signal == "traces" else settings.metrics
        if not part.enabled:
            continue
        if named:
            url = part.endpoint or (settings.endpoint and f"{settings.endpoint}/v1/{signal}")
            if url:
                gzip = settings.compression == "gzip"
                found[signal] = Destination(url, settings.headers, settings.timeout, gzip, settings.network)
        else:
            try:
                found |= dict(_from_environment(signal, environment, settings))
            except ValidationError as exc:
                problems.append(f"the variables OTEL_EXPORTER_OTLP_*CERTIFICATE: {exc.errors()[0]['msg']}")
            except ValueError as exc:
                problems.append(str(exc))
    who = {
        "service.name": SERVICE,
        **dict(_pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))),
        **resource,
    }
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        who["service.name"] = name
    return Export(
        found.get("traces"),
        found.get("metrics"),
        settings.traces.sample,
        settings.metrics.interval,
        who,
        settings.propagate,
        tuple(dict.fromkeys(problems)),
    )


def _from_environment(
    signal: Signal, environment: Mapping[str, str], settings: OtlpSettings
) -> Iterator[tuple[Signal, Destination]]:
    """The receiver of *signal*, if the environment names one; raises ValueError if it cannot be used."""

    def variable(name: str) -> tuple[str, str]:
        """The signal's own variable, or the one for all."""
        names = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}")
        return next(((n, text) for n in names if (text := environment.get(n, "").strip())), (names[1], ""))

    named, url = variable("ENDPOINT")
    exporter = environment.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp").strip().lower()
    if not url or exporter not in ("", "otlp"):
        return
    key, protocol = variable("PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        raise ValueError(
            f"the variable {key} is {protocol!r}, and only http/protobuf is spoken here; "
            "set `otlp.endpoint` to the receiver's HTTP port, usually 4318"
        )
    try:
        url = _endpoint(url)
    except ValueError as exc:
        raise ValueError(f"the variable {named} cannot be used: {exc}") from None
    if named == "OTEL_EXPORTER_OTLP_ENDPOINT":
        url = f"{url}/v1/{signal}"
    _, pairs = variable("HEADERS")
    headers = {name: Secret(text, origin="env") for name, text in _pairs(pairs)}
    milliseconds = variable("TIMEOUT")[1]
    timeout = int(milliseconds) / 1000 if milliseconds.isdecimal() and int(milliseconds) else settings.timeout
    gzip = (variable("COMPRESSION")[1] or settings.compression) == "gzip"
    files = {key: variable(name)[1] for key, name in _CERTIFICATES.items()}
    own = Network.model_validate({key: path for key, path in files.items() if path})
    network = own.over(settings.network or Network()) if any(files.values()) else settings.network
    yield signal, Destination(url, headers, min(timeout, 60.0), gzip, network)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`a=b,c=d` with percent signs, as W3C's baggage has it; what is no pair is left out."""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and key.strip() and value.strip():
            yield unquote(key.strip()), unquote(value.strip())
