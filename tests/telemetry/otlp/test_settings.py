import ssl
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.network import Network
from sidecar.telemetry.otlp.settings import Destination, Export, OtlpSettings, export

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"


def urls(found: Export) -> tuple[str | None, str | None]:
    return (found.traces and found.traces.url) or None, (found.metrics and found.metrics.url) or None


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        pytest.param({}, {}, (None, None), id="nothing configured"),
        pytest.param(
            {"endpoint": "http://c:4318/"},
            {},
            ("http://c:4318/v1/traces", "http://c:4318/v1/metrics"),
            id="one for both",
        ),
        pytest.param(
            {"endpoint": "http://c:4318", "traces": {"enabled": False}},
            {},
            (None, "http://c:4318/v1/metrics"),
            id="metrics alone",
        ),
        pytest.param(
            {"traces": {"endpoint": "http://tempo/x"}}, {}, ("http://tempo/x", None), id="a place of its own, as it is"
        ),
        pytest.param(
            {"endpoint": "http://file"},
            {BASE: "http://env"},
            ("http://file/v1/traces", "http://file/v1/metrics"),
            id="the file wins",
        ),
        pytest.param(
            {}, {BASE: "http://env:4318"}, ("http://env:4318/v1/traces", "http://env:4318/v1/metrics"), id="environment"
        ),
        pytest.param(
            {},
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://prom/api/v1/otlp/v1/metrics"},
            (None, "http://prom/api/v1/otlp/v1/metrics"),
            id="environment, one signal",
        ),
        pytest.param(
            {},
            {BASE: "http://env", "OTEL_TRACES_EXPORTER": "none"},
            (None, "http://env/v1/metrics"),
            id="environment, without traces",
        ),
        pytest.param({"endpoint": "http://c"}, {"OTEL_SDK_DISABLED": "True"}, (None, None), id="turned off for all"),
    ],
)
def test_where_it_goes(settings, environment, expected):
    """The file says where telemetry goes; when it does not, OpenTelemetry's own variables do."""
    found = export(OtlpSettings.model_validate(settings), environment, {})

    assert urls(found) == expected
    assert bool(found) == any(expected)
    assert not found.problems


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        pytest.param({BASE: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc'", id="gRPC"),
        pytest.param({BASE: "c:4317"}, "such as http://collector:4318", id="no URL"),
        pytest.param({BASE: "http://me:pw@c"}, "credentials go into `headers`", id="a password"),
    ],
)
def test_an_environment_that_cannot_be_used(environment, problem):
    """What others wrote into the environment for themselves is no reason not to start; it is said once."""
    found = export(OtlpSettings(), environment, {})

    assert not found
    assert len(found.problems) == 1
    assert problem in found.problems[0]
    assert "pw" not in found.problems[0]


def test_what_belongs_to_the_endpoint_of_the_environment():
    """Headers, timeout and compression come with the environment's endpoint, and never go to the file's."""
    environment = {
        BASE: "http://c",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-token=planted%20secret,broken",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    found = export(OtlpSettings(), environment, {}).traces
    assert found is not None
    assert {name: secret.reveal() for name, secret in found.headers.items()} == {"x-token": "planted secret"}
    assert (found.timeout, found.gzip) == (2.5, False)
    assert "planted" not in repr(found)

    ours = export(OtlpSettings(endpoint="http://ours"), environment, {}).traces
    assert ours == Destination("http://ours/v1/traces")


def test_whom_the_environment_trusts(tmp_path):
    """Certificates come with the environment's endpoint; one that cannot be read is said, and nothing goes there."""
    broken = export(OtlpSettings(), {BASE: "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "no")}, {})
    assert not broken
    assert "ca_file" in broken.problems[0]

    (tmp_path / "ca.pem").write_text(certificate())
    good = export(OtlpSettings(), {BASE: "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "ca.pem")}, {})
    assert good.metrics is not None
    assert good.metrics.network == Network(ca_file=str(tmp_path / "ca.pem"))


def certificate() -> str:
    """Some certificate."""
    der = ssl.create_default_context().get_ca_certs(binary_form=True)[0]
    return ssl.DER_cert_to_PEM_cert(der)


def test_who_it_is():
    """The daemon's name and labels, under what the environment says of this deployment."""
    environment = {
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,cluster=x",
        "OTEL_SERVICE_NAME": "mine",
    }
    found = export(OtlpSettings(), environment, {"cluster": "ours", "service.instance.id": "pod-1"})

    assert found.resource == {
        "service.name": "mine",
        "deployment.environment.name": "prod",
        "cluster": "ours",
        "service.instance.id": "pod-1",
    }


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        pytest.param({"endpoint": "collector:4318"}, "such as http://collector:4318", id="no scheme"),
        pytest.param({"endpoint": "http://u:p@c"}, "credentials go into", id="a password"),
        pytest.param({"traces": {"sample": 2}}, "less than or equal to 1", id="more than all"),
        pytest.param({"metrics": {"interval": "100ms"}}, "greater than or equal to 1", id="all the time"),
        pytest.param({"compression": "zstd"}, "'gzip' or 'none'", id="another compression"),
    ],
)
def test_mistakes(settings: dict[str, Any], problem: str):
    """Settings that cannot work are refused, with what would."""
    with pytest.raises(ValidationError, match=problem):
        OtlpSettings.model_validate(settings)
