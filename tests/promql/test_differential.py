"""The same queries asked of a real Prometheus."""

import json
import math
import random
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.model.labels import Labels
from sidecar.promql import QueryError, compile_
from tests.programs import program
from tests.promql.memory import Memory

# Debian's Prometheus is 2.42, whose windows are closed on both sides. So no window may end on a sample: samples lie
# 4 s after the grid, queries 9.5 s after it, and subqueries look at the grid itself.
BEGIN_MS = 1_700_000_100_000 + 4_000
TIMES = tuple(BEGIN_MS - 4_000 + minutes * 60_000 + 9_500 for minutes in (31, 47, 62))

QUERIES = (
    "gauge", "gauge > 0", 'gauge{job="a"}', 'gauge{job=~"a|b", i!="1"}', 'gauge{job!~"a.*"}', "gauge offset 10m",
    "-gauge", "gauge % 3", "gauge ^ 2", "2 / gauge", "gauge > bool 0", "0 < gauge", "time() - timestamp(gauge)",
    "rate(c_total[5m])", "increase(c_total[15m])", "irate(c_total[2m])", "delta(gauge[5m])", "idelta(gauge[5m])",
    "deriv(gauge[10m])", "predict_linear(gauge[10m], 600)", "resets(c_total[30m])", "changes(gauge[5m])",
    "avg_over_time(gauge[5m])", "sum_over_time(gauge[5m])", "min_over_time(gauge[5m])", "max_over_time(gauge[5m])",
    "count_over_time(gauge[5m])", "last_over_time(gauge[5m])", "present_over_time(gauge[5m])",
    "stddev_over_time(gauge[5m])", "stdvar_over_time(gauge[5m])", "quantile_over_time(0.9, gauge[5m])",
    "sum by (job) (rate(c_total[5m]))", "sum without (i) (gauge)", "avg by (job) (gauge)", "max(gauge)", "min(gauge)",
    "count by (job) (gauge)", "group by (job) (gauge)", "stddev(gauge)", "stdvar by (job) (gauge)", "topk(2, gauge)",
    "bottomk by (job) (1, gauge)", "quantile by (job) (0.3, gauge)", 'count_values("v", round(gauge))',
    "sum by (job) (rate(c_total[5m])) / on (job) sum by (job) (gauge > 0)",
    "c_total / on (job) group_left sum by (job) (c_total)", "gauge * on (job, i) group_right c_total",
    "gauge and on (job, i) (c_total > 200)", "gauge or c_total", "gauge unless on (i) gauge{job='a', i='1'}",
    "histogram_quantile(0.9, rate(h_bucket[5m]))", "histogram_quantile(0.5, sum by (le) (rate(h_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, job) (rate(h_bucket[10m])))", "histogram_quantile(2, h_bucket)",
    "max_over_time(rate(c_total[5m])[20m:1m])", "avg_over_time((gauge > 0)[10m:30s])", "sum_over_time(vector(1)[5m:])",
    "rate(c_total[5m] offset 10m)", "gauge @ 1700001000.5", "sum_over_time(gauge[5m] @ 1700001000.5)",
    "rate(gone_total[5m])", "gone_total", "absent(gone_total)", "absent(nothing{a='b'})",
    "absent_over_time(gone_total[1h])",
    "absent_over_time(nothing{a='b'}[5m])", "scalar(gauge{job='a', i='1'})", "vector(scalar(nothing))",
    'label_replace(gauge, "x", "$1-$2", "job", "(.)(.*)")', 'label_join(gauge, "x", "/", "job", "i")',
    "clamp(gauge, -1, 1)", "round(gauge, 0.25)", "ceil(gauge)", "floor(gauge)", "abs(gauge)", "sgn(gauge)",
    "exp(gauge)", "ln(gauge)", "sqrt(gauge)", "sin(gauge)", "atanh(gauge)", "deg(gauge)", "hour()",
    "day_of_year(vector(1e9))", "sort_desc(gauge)", "gauge + on (job) gauge", "gauge + on (i) c_total",
    "sum(gauge) by (job) > 1 or vector(0)", "gauge{job='a'} == gauge{job='a'}", "gauge + gauge offset 5m",
)  # fmt: skip


def _series() -> dict[Labels, dict[int, float]]:
    chance = random.Random(42)
    found: dict[Labels, dict[int, float]] = {}
    grid = [BEGIN_MS + n * 15_000 for n in range(260)]
    for job in "abc":
        for i in "12":
            total = 1000.0
            gauge, counter = {}, {}
            for t in grid:
                total = total + chance.randrange(20) if chance.random() > 0.01 else chance.randrange(5) + 0.0
                gauge[t], counter[t] = chance.gauss(0, 3), total
            found[Labels(__name__="gauge", job=job, i=i)] = gauge
            found[Labels(__name__="c_total", job=job, i=i)] = counter
        counts = [0.0] * 5
        for t in grid:
            for n in range(5):
                counts[n] += chance.randrange(4)
            for n, le in enumerate(("0.1", "0.5", "1.0", "5.0", "+Inf")):
                found.setdefault(Labels(__name__="h_bucket", job=job, le=le), {})[t] = 1000 * (n + 1) + sum(
                    counts[: n + 1]
                )
    found[Labels(__name__="gone_total", job="a")] = {t: 5000.0 + t % 7 for t in grid[:100]}
    return found


def _openmetrics(series: dict[Labels, dict[int, float]]) -> str:
    lines = []
    for name in sorted({labels.name for labels in series}):
        lines.append(f"# TYPE {name} unknown")
        for labels, points in series.items():
            if labels.name == name:
                lines += [f"{str(labels).replace(', ', ',')} {value!r} {t / 1000:.3f}" for t, value in points.items()]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def _prometheus(folder: Path, series: dict[Labels, dict[int, float]]) -> Iterator[str]:
    """The address of a Prometheus that has *series*."""
    data, config = folder / "data", folder / "prometheus.yml"
    (folder / "series.txt").write_text(_openmetrics(series))
    config.write_text("global: {}\n")
    make = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(folder / "series.txt"), str(data)]
    subprocess.run(make, check=True, capture_output=True, timeout=40)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={data}"]
    command += ["--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await_ready(f"http://{address}/-/ready")
            yield f"http://{address}"
        finally:
            process.kill()


def _await_ready(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("Prometheus did not start")


def _theirs(address: str, text: str, at_ms: int) -> dict[Labels, float] | None:
    """Prometheus' answer; None if it is an error."""
    parameters = urllib.parse.urlencode({"query": text, "time": at_ms / 1000})
    try:
        with urllib.request.urlopen(f"{address}/api/v1/query?{parameters}", timeout=20) as response:
            data = json.load(response)["data"]
    except urllib.error.HTTPError as exc:
        if exc.code not in (400, 422):
            raise
        return None
    if data["resultType"] == "scalar":
        return {Labels(): float(data["result"][1])}
    return {Labels(one["metric"]): float(one["value"][1]) for one in data["result"]}


@pytest.mark.realtime
def test_answers_as_prometheus_does(tmp_path):
    """Every query has the labels and values that a real Prometheus gives it, or fails as it does there."""
    series, memory = _series(), Memory()
    for labels, points in series.items():
        memory.put(labels, points)
    wrong, answers = [], 0

    with _prometheus(tmp_path, series) as address:
        for text in QUERIES:
            for at_ms in TIMES:
                expected = _theirs(address, text, at_ms)
                try:
                    found: dict[Labels, float] | None = dict(compile_(text).vector(memory, at_ms))
                except QueryError:
                    found = None
                answers += len(expected or ())
                if not _same(found, expected):
                    wrong.append((text, at_ms, found, expected))

    assert wrong == []
    assert answers > 500


def _same(found: dict[Labels, float] | None, expected: dict[Labels, float] | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found.keys() == expected.keys() and all(
        math.isclose(found[labels], value, rel_tol=1e-9, abs_tol=1e-12)
        or (math.isnan(found[labels]) and math.isnan(value))
        for labels, value in expected.items()
    )
