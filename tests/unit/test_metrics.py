"""Metrics: names, labels and figures as Prometheus reads them."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from prometheus_client import openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.errors import Kind
from service.telemetry.metrics import Metrics

OPENMETRICS = "application/openmetrics-text"
NAMES = {
    "mt_http_requests_total",
    "mt_http_request_duration_seconds",
    "mt_requests_in_progress",
    "mt_queue_wait_seconds",
    "mt_inference_seconds",
    "mt_batch_size",
    "mt_batch_characters",
    "mt_queue_depth",
    "mt_queue_seconds",
    "mt_rejected_total",
    "mt_texts_failed_total",
    "mt_source_characters_total",
    "mt_target_characters_total",
    "mt_cache_hits_total",
    "mt_cache_misses_total",
    "mt_memory_hits_total",
    "mt_shared_total",
    "mt_output_flags_total",
    "mt_worker_restarts_total",
    "mt_workers",
    "mt_model_info",
    "mt_build_info",
}


MODEL = SimpleNamespace(name="news", sha256="ab", pair="de-en")


@pytest.fixture
def metrics():
    return Metrics()


def samples(metrics):
    """Value of each series, by name and labels as they are written."""
    text, _ = metrics.render()
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def types(metrics):
    text, _ = metrics.render()
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text.decode(), re.MULTILINE))


def fill(metrics):
    """Something of everything."""
    metrics.request_started()
    metrics.request_finished("/translate", "POST", 200, 0.2)
    metrics.rejected(Kind.OVERLOADED)
    metrics.batch_done(segments=2, characters=60, seconds=0.03, waited=[0.0, 0.5])
    metrics.watch_workers(lambda: {"ready": 2})
    metrics.translated("de-en", source_characters=10, target_characters=12)
    metrics.text_failed(Kind.INTERNAL)
    metrics.flagged(["copied"])
    metrics.model_loaded(MODEL, "int8")


def test_every_metric_is_there_from_the_start(metrics):
    names = {name for name in types(metrics) if not name.endswith("_created")}
    assert {name for name in names if name.startswith("mt_")} == NAMES
    assert "process_resident_memory_bytes" in names
    assert samples(metrics)["process_resident_memory_bytes"] > 2**20


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            lambda m: m.request_finished("/v2/{name}", "GET", 404, 0.3),
            {
                'mt_http_requests_total{method="GET",route="/v2/{name}",status="404"}': 1,
                'mt_http_request_duration_seconds_sum{route="/v2/{name}"}': 0.3,
                'mt_http_request_duration_seconds_bucket{le="0.25",route="/v2/{name}"}': 0,
                'mt_http_request_duration_seconds_bucket{le="0.5",route="/v2/{name}"}': 1,
            },
        ),
        (
            lambda m: m.request_finished("other", "Geheimtext", 405, 0),
            {'mt_http_requests_total{method="OTHER",route="other",status="405"}': 1},
        ),
        (lambda m: m.request_started(), {"mt_requests_in_progress": 1}),
        (
            lambda m: m.rejected(Kind.RATE_LIMITED),
            {'mt_rejected_total{reason="rate_limited"}': 1},
        ),
        (
            lambda m: m.text_failed(Kind.INTERNAL),
            {'mt_texts_failed_total{reason="internal"}': 1},
        ),
        (
            lambda m: m.batch_done(segments=3, characters=70, seconds=0.2, waited=[0.1, 1.5, 0]),
            {
                "mt_batch_size_sum": 3,
                "mt_batch_characters_sum": 70,
                "mt_inference_seconds_sum": 0.2,
                "mt_queue_wait_seconds_sum": 1.6,
                "mt_queue_wait_seconds_count": 3,
                'mt_batch_size_bucket{le="2.0"}': 0,
                'mt_batch_size_bucket{le="4.0"}': 1,
            },
        ),
        (lambda m: m.worker_restarted(), {"mt_worker_restarts_total": 1}),
        (
            lambda m: m.translated("de-en", source_characters=9, target_characters=8),
            {
                'mt_source_characters_total{pair="de-en"}': 9,
                'mt_target_characters_total{pair="de-en"}': 8,
            },
        ),
        (
            lambda m: m.cache_asked(hits=2, misses=5),
            {"mt_cache_hits_total": 2, "mt_cache_misses_total": 5},
        ),
        (lambda m: m.memory_hit(), {"mt_memory_hits_total": 1}),
        (lambda m: m.shared(2), {"mt_shared_total": 2}),
        (
            lambda m: m.flagged(["copied", "truncated"]),
            {
                'mt_output_flags_total{flag="copied"}': 1,
                'mt_output_flags_total{flag="truncated"}': 1,
            },
        ),
        (
            lambda m: m.model_loaded(MODEL, "int8"),
            {'mt_model_info{engine="int8",model="news",pair="de-en",sha256="ab"}': 1},
        ),
    ],
)
def test_an_event_counts_where_its_name_says(metrics, event, expected):
    event(metrics)
    found = samples(metrics)
    assert {series: found[series] for series in expected} == expected


def test_a_request_is_in_progress_until_it_is_finished(metrics):
    metrics.request_started()
    metrics.request_started()
    metrics.request_finished("/translate", "POST", 200, 1)
    assert samples(metrics)["mt_requests_in_progress"] == 1


def test_queue_and_workers_are_asked_at_each_fetch(metrics):
    waiting, workers = [3], {"ready": 1, "starting": 1}
    metrics.watch_queue(lambda: waiting[0], lambda: waiting[0] / 2)
    metrics.watch_workers(lambda: workers)
    before = samples(metrics)
    waiting[0] = 4
    workers = {"ready": 2}
    after = samples(metrics)
    assert (before["mt_queue_depth"], before["mt_queue_seconds"]) == (3, 1.5)
    assert (after["mt_queue_depth"], after["mt_queue_seconds"]) == (4, 2)
    assert before['mt_workers{state="starting"}'] == 1
    assert after['mt_workers{state="ready"}'] == 2
    assert 'mt_workers{state="starting"}' not in after


def test_two_apps_in_one_process_count_apart(metrics):
    other = Metrics()
    metrics.shared()
    assert samples(other)["mt_shared_total"] == 0


def test_a_histogram_has_twelve_buckets_at_most(metrics):
    fill(metrics)
    buckets = [series for series in samples(metrics) if "_bucket{" in series]
    names = [series.partition("_bucket")[0] for series in buckets]
    assert set(names) == {name for name, kind in types(metrics).items() if kind == "histogram"}
    assert max(names.count(name) for name in names) == 12


def test_both_text_formats_can_be_parsed_and_agree(metrics):
    fill(metrics)
    plain, plain_type = metrics.render("text/plain;version=0.0.4")
    modern, modern_type = metrics.render(f"{OPENMETRICS};version=1.0.0,text/plain;q=0.5,*/*;q=0.1")
    assert plain_type == "text/plain; version=0.0.4; charset=utf-8"
    assert modern_type == openmetrics.exposition.CONTENT_TYPE_LATEST

    def ours(families):
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("mt_")
        }

    assert ours(parse_text(plain.decode())) == ours(parse_openmetrics(modern.decode()))


def test_nothing_of_the_accept_header_comes_back(metrics):
    _, content_type = metrics.render(f"{OPENMETRICS};version=9.9.x;escaping=Geheimtext")
    assert content_type == openmetrics.exposition.CONTENT_TYPE_LATEST
