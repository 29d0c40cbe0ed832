"""A whole run told to an OpenTelemetry collector: what it takes is what run.json says, and what it does not delays none."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from auditor.audit import FormatRequest, RunOptions
from auditor.errors import UsageError
from auditor.model import EXPORT_RECORDS, Account, Outcome, Place, Verdict
from auditor.simulator.faults import Fault, FaultKind
from auditor.telemetry import Telemetry, now, secrets_of
from auditor.telemetry.sending import Sender
from tests.formats.made import RUN, START

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.audit.conftest import Auditing, EstateMaker

TOLD = RunOptions(telemetry=True)
KEY = "canary-of-the-collector"


class Collector:
    """Takes OTLP over HTTP, or answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.hangs = False
        self.over = threading.Event()
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.resources: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                collector.headers.append(dict(self.headers))
                if collector.hangs:
                    collector.over.wait(20)
                    return
                if collector.status == 200:
                    collector.take(self.path, body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(values(of.resource.attributes))
                self.spans += [span for scope in of.scope_spans for span in scope.spans]
        else:
            assert path == "/v1/metrics"
            for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resources.append(values(told.resource.attributes))
                self.metrics += [metric for scope in told.scope_metrics for metric in scope.metrics]

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            self.server.shutdown()
            thread.join()
            self.server.server_close()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def numbers(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (metric.name, frozenset(values(point.attributes).items())): point.as_double or point.as_int
            for metric in self.metrics
            for point in metric.gauge.data_points
        }


def values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={KEY}")
    with made.serving():
        yield made


@pytest.fixture
def warnings() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []

    def keep(_logger: Any, _method: str, event: Any) -> Any:
        if event["event"].startswith("telemetry"):
            told.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger("warning"))
    return told


async def test_the_numbers_are_those_of_run_json_and_of_the_file_for_prometheus(
    auditing: Auditing, estate_of: EstateMaker, collector: Collector
) -> None:
    options = RunOptions(telemetry=True, formats=(FormatRequest("prometheus"),))
    estate = estate_of(3)
    throttled, denied, _ = (account.id for account in estate.accounts)
    faults = [Fault(FaultKind.THROTTLE, throttled, times=2), Fault(FaultKind.ACCESS_DENIED, denied)]
    seen = await auditing(estate, *faults, options=options)
    numbers, totals = collector.numbers(), seen.run["totals"]
    for verdict in ("complete", "partial", "failed", "skipped"):
        told = numbers["auditor_targets", frozenset({("verdict", verdict)})]
        assert told == totals["targets"][verdict]
    assert numbers["auditor_requests", frozenset()] == totals["requests"] > 0
    assert numbers["auditor_retries", frozenset()] == sum(line["retries"] for line in seen.coverage) > 0
    assert numbers["auditor_throttles", frozenset()] == 4
    findings = sum(value for (name, _), value in numbers.items() if name == "auditor_findings")
    assert (
        findings
        == totals["findings"]["total"]
        == len(estate.truth) - sum(each.account_id == denied for each in estate.truth)
    )
    text = (seen.result.folder / "auditor.prom").read_text("utf-8")
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    apart = {"auditor_run_finished_timestamp_seconds", "auditor_run_duration_seconds"}
    assert {key: value for key, value in samples.items() if key[0] not in apart} == {
        key: value for key, value in numbers.items() if key[0] not in apart
    }


async def test_the_trace_is_the_run_with_each_place_and_what_became_of_it(
    auditing: Auditing, estate_of: EstateMaker, collector: Collector
) -> None:
    estate = estate_of(3)
    denied = estate.accounts[1].id
    seen = await auditing(estate, Fault(FaultKind.ACCESS_DENIED, denied), options=TOLD)
    (root,) = collector.named("auditor run")
    places = collector.named("audit")
    assert values(root.attributes)["auditor.run_id"] == seen.run["run_id"]
    assert values(root.attributes)["auditor.exit_code"] == seen.run["exit_code"] == 3
    assert (root.status.code, root.status.message) == (2, "exit 3")
    assert {span.parent_span_id for span in places} == {root.span_id}
    assert {span.trace_id for span in places} == {root.trace_id}
    told = {
        (of["cloud.account.id"], of["cloud.region"]): (of["auditor.verdict"], of.get("auditor.reason"))
        for of in (values(span.attributes) for span in places)
    }
    assert told == seen.reasons
    assert (
        sum(values(span.attributes)["auditor.requests"] for span in places) == seen.run["totals"]["requests"]
    )
    for span in places:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
        failed = values(span.attributes)["cloud.account.id"] == denied
        assert span.status.code == (2 if failed else 0)
        assert len(span.events) == failed
    (resource,) = {tuple(sorted(each.items())) for each in collector.resources}
    assert dict(resource)["service.name"] == "auditor"
    assert {of["x-key"] for of in collector.headers} == {KEY}


async def test_what_the_environment_says_of_the_service_holds(
    auditing: Auditing, estate_of: EstateMaker, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    await auditing(estate_of(1), options=TOLD)
    (resource,) = collector.resources
    assert (resource["service.name"], resource["deployment.environment"]) == ("nightly", "prod")
    assert collector.metrics
    assert not collector.spans


async def test_nothing_is_sent_where_the_environment_switches_it_off(
    auditing: Auditing, estate_of: EstateMaker, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    seen = await auditing(estate_of(1), options=TOLD)
    assert seen.found
    assert collector.headers == []


async def test_each_destination_is_a_span_with_its_lag(
    auditing: Auditing, estate_of: EstateMaker, collector: Collector
) -> None:
    extra = (
        "history: {}\ndestinations:\n"
        f"  hook: {{type: webhook, url: '{collector.url}/v1/nothing', secret_env: HOOK_KEY, drain: 1s}}\n"
    )
    collector.take = lambda path, body: (  # type: ignore[method-assign]  # it takes what is sent to the hook too
        None if path == "/v1/nothing" else Collector.take(collector, path, body)
    )
    seen = await auditing(estate_of(1), extra=extra, options=TOLD)
    (span,) = collector.named("deliver")
    told, delivery = values(span.attributes), seen.run["deliveries"][0]
    assert (told["auditor.destination"], told["auditor.events.taken"]) == ("hook", delivery["taken"])
    assert delivery["taken"] == len(seen.findings) + 1
    assert (delivery["refused"], delivery["left"]) == (0, 0)
    assert 0 < delivery["lag_mean_s"] <= delivery["lag_max_s"] < 60
    of = frozenset({("destination", "hook")})
    assert collector.numbers()["auditor_delivery_lag_max_seconds", of] == delivery["lag_max_s"]
    assert collector.numbers()["auditor_delivered_events", of] == delivery["taken"]


@pytest.mark.parametrize("how", ["away", "hanging", "401"])
async def test_a_collector_that_takes_nothing_changes_no_run_and_is_told_once(  # noqa: PLR0913, PLR0917 -- fixtures
    auditing: Auditing,
    estate_of: EstateMaker,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    warnings: list[dict[str, Any]],
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    if how == "away":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    collector.hangs = how == "hanging"
    collector.status = int(how) if how.isdecimal() else 200
    began = time.monotonic()
    seen = await auditing(estate_of(1), options=TOLD)
    assert time.monotonic() - began < 15
    assert seen.run["exit_conditions"] == [1]
    (told,) = warnings
    assert (told["lost_spans"], told["metrics_lost"]) == (3, True)
    assert told["why"]
    assert {"away": "refused", "hanging": "no answer within 2 s"}.get(how, how) in told["why"]
    assert KEY not in str(told)
    assert "opentelemetry" not in capfd.readouterr().err


async def test_spans_beyond_what_is_kept_are_counted_and_told(
    auditing: Auditing,
    estate_of: EstateMaker,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    warnings: list[dict[str, Any]],
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    collector.hangs = True
    await auditing(estate_of(4), options=TOLD)
    (told,) = warnings
    assert told["lost_spans"] == 9
    assert collector.spans == []


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"},
            "over plain http to collector.example",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318"}, "TRACES_ENDPOINT is no URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf alone is spoken here"),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus"},
            "OTEL_METRICS_EXPORTER is prometheus; there are otlp and none",
        ),
        ({"OTEL_EXPORTER_OTLP_HEADERS": KEY}, "HEADERS is no list of name=value"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "Invalid timeout value"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9000"}, "--otel: max_export_batch_size"),
    ],
)
async def test_an_environment_that_can_not_be_met_is_refused_before_anything_is_written(
    auditing: Auditing,
    estate_of: EstateMaker,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    why: str,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--otel") as caught:
        await auditing(estate_of(1), options=TOLD)
    assert why in str(caught.value)
    assert KEY not in str(caught.value)
    assert not (auditing.folder / "run-1").exists()


async def test_without_the_extra_it_says_what_to_install(
    auditing: Auditing, estate_of: EstateMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(UsageError, match=r"pip install '\.\[opentelemetry\]'"):
        await auditing(estate_of(1), options=TOLD)


def test_the_sdk_is_not_imported_by_an_audit_that_tells_none() -> None:
    text = (
        "import sys, auditor.audit, auditor.cli.commands.run, auditor.cli.running, auditor.telemetry;"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", text], check=False, timeout=30).returncode == 0


class BrokenSender(Sender):
    """A sender with a bug."""

    def __init__(self) -> None:
        self.asked = 0

    def span(self, *_: Any, **__: Any) -> None:
        self.asked += 1
        raise KeyError("span")


def test_a_bug_in_what_tells_ends_no_run_and_is_told_once() -> None:
    logged: list[str] = []

    def keep(_logger: Any, _method: str, event: Any) -> Any:
        logged.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger("error"))
    sender = BrokenSender()
    telemetry = Telemetry(START, sender)
    account = Account("111122223333", None, "arn:aws:iam::111122223333:role/R", None, "s", 3_600, ())
    for _ in range(2):
        place = Place(account, "us-east-1", (EXPORT_RECORDS,))
        telemetry.place(place, now(), {EXPORT_RECORDS: Outcome(Verdict.COMPLETE)})
    telemetry.end(RUN, ())
    assert sender.asked == 1
    assert logged == ["internal error: a bug of the auditor; telemetry tells no more of this run"]


def test_what_may_be_secret_in_the_environment_is_known_in_every_form() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20c2VjcmV0, x-tenant=7",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=0123456789=",
        "OTEL_SERVICE_NAME": "name=not-a-secret",
    }
    assert secrets_of(environ) == ["Basic%20c2VjcmV0", "0123456789=", "Basic c2VjcmV0"]
