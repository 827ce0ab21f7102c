"""What the load programs of mt-benchmark make of answers, on numbers to follow with a pencil."""

from __future__ import annotations

import json
import os
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from mt.errors import ConfigError
from scripts.benchmarks.connection import Reply, read_reply
from scripts.benchmarks.failure import drain_record, failure_table, kill_record
from scripts.benchmarks.figures import (
    bar,
    bars_table,
    generator_of,
    generator_warning,
    milliseconds,
    outcomes,
    rate,
    shares,
    without_retry_after,
)
from scripts.benchmarks.load import Answer, Request, every, poisson
from scripts.benchmarks.mixture import ABANDONED, EXPECTED, HTML, KINDS, mixture
from scripts.benchmarks.overload import Flood, overload_record, overload_table
from scripts.benchmarks.sentences import Pair, endless_sentences, get
from scripts.benchmarks.server import read_cpus
from scripts.benchmarks.service import service_table
from scripts.benchmarks.soak import soak_record, soak_table

GERMAN = Pair("de", "en")


def _answer(
    outcome: str,
    due: float = 0.0,
    done: float = 1.0,
    *,
    sent: float | None = None,
    retry_after: bool = True,
    kind: str = "",
    characters: int = 0,
) -> Answer:
    request = Request(b"", kind, characters)
    return Answer(request, outcome, retry_after, due, due if sent is None else sent, done)


def _held(record: dict[str, list[dict[str, object]]]) -> list[object]:
    return [each["held"] for each in record["bars"]]


def test_outcomes_are_counted_and_shared_out() -> None:
    answers = [_answer(outcome) for outcome in ("200", "429", "200", "silent")]
    assert outcomes(answers) == {"200": 2, "429": 1, "silent": 1}
    assert shares(answers) == {"200": 0.5, "429": 0.25, "silent": 0.25}


def test_latencies_are_those_of_accepted_requests_from_the_moment_they_were_due() -> None:
    answers = [_answer("200", done=number / 1000, sent=0.0005) for number in range(1, 101)]
    refused = [_answer("429", done=0.0001)] * 100
    assert milliseconds(answers + refused) == {"p50_ms": 50, "p99_ms": 99}
    assert milliseconds(refused) == {"p50_ms": None, "p99_ms": None}


def test_a_rate_counts_what_was_answered_200_in_time() -> None:
    answers = [_answer("200", done=done) for done in (10.5, 11.0, 12.0, 12.1)]
    assert rate([*answers, _answer("503", done=11.0)], begun=10.0, seconds=2.0) == 1.5


def test_only_refusals_need_a_time_to_come_again() -> None:
    answers = [_answer(outcome, retry_after=False) for outcome in ("200", "400", "504", "429")]
    assert without_retry_after([*answers, _answer("503"), _answer("503", retry_after=False)]) == 2


def test_a_generator_that_was_the_limit_is_told() -> None:
    answers = [_answer("200", due=1.0, sent=1.0)] * 98 + [_answer("200", due=1.0, sent=1.25)] * 2
    found = generator_of(answers, cpu_s=0.5, seconds=2)
    assert found == {"late_p99_ms": 250, "core": 0.25}
    warning = generator_warning(found)
    assert warning is not None
    assert "250 ms late" in warning
    assert generator_warning(generator_of(answers[:98], cpu_s=0.5, seconds=2)) is None
    busy = generator_warning(generator_of(answers[:98], cpu_s=1.9, seconds=2))
    assert busy is not None
    assert "95 % of a core" in busy
    assert generator_warning(None) is None


def test_bars_say_whether_they_are_held() -> None:
    header, rows = bars_table([bar("a < 1", "0.5", True), bar("b < 1", "2", False)])
    assert header == ["bar", "found", "held"]
    assert rows == [["a < 1", "0.5", "yes"], ["b < 1", "2", "NO"]]


def _flood(*answers: Answer, health: float = 0.5) -> Flood:
    probes = [_answer("200", done=0.1), _answer("200", done=health)]
    return Flood(answers, probes, begun=0.0, seconds=2.0, cpu_s=0.4)


def test_an_overload_that_keeps_every_promise() -> None:
    # 19 of a peak of 20 in two seconds are 95 %.
    good = [_answer("200", due=0.5, done=1.0 + 0.01 * number) for number in range(19)]
    record = overload_record(_flood(*good, *[_answer("429")] * 57, *[_answer("503")] * 4), 10)
    assert record["goodput_per_s"] == 9.5
    assert record["goodput_to_peak"] == 0.95
    assert record["offered_per_s"] == 40
    assert record["shares"] == {"200": 19 / 80, "429": 57 / 80, "503": 4 / 80}
    assert record["refusals"] == 61
    assert record["accepted"]["p50_ms"] == pytest.approx(590)
    assert record["health"] == {"slowest_ms": 500, "outcomes": {"200": 2}}
    assert record["generator"]["core"] == 0.2
    assert _held(record) == [True] * 5

    record |= {"capacity": [{"clients": 32, "per_s": 9.0}], "capacity_after_per_s": 10.0}
    header, rows = overload_table(record | {"generator_limit_per_s": 5000.0})
    assert all(len(row) == len(header) for row in rows)
    assert ["goodput: 200s a second", "9.5"] in rows
    assert ["answered 503: %", "5.0"] in rows


@pytest.mark.parametrize(
    ("broken", "flood", "peak"),
    [
        (0, _flood(*[_answer("200")] * 89), 50),
        (1, _flood(*[_answer("200")] * 99, _answer("504")), 10),
        (2, _flood(*[_answer("200")] * 99, _answer("429", retry_after=False)), 10),
        (3, _flood(*[_answer("200")] * 99, _answer("broken")), 10),
        (4, _flood(*[_answer("200")] * 99, health=1.0), 10),
    ],
)
def test_each_promise_under_overload_can_be_broken(broken: int, flood: Flood, peak: float) -> None:
    assert _held(overload_record(flood, peak)) == [number != broken for number in range(5)]


def test_a_probe_that_is_not_answered_200_is_no_health() -> None:
    flood = _flood(_answer("200"))._replace(
        health=[_answer("200", done=0.1), _answer("429", done=0.2)]
    )
    assert not overload_record(flood, 0.5)["bars"][4]["held"]


def test_memory_grows_from_the_first_look_to_the_last() -> None:
    answers = [
        *(_answer("200", kind="single"), _answer("200", kind="single")),
        *(_answer("400", kind="no text"), _answer("left", kind=ABANDONED[0])),
    ]
    record = soak_record(answers, [300.0, 390.0, 349.0])
    assert record["growth_mb"] == 49
    assert record["kinds"]["single"] == {"200": 2}
    assert _held(record) == [True, True]
    record = soak_record([*answers, _answer("500", kind="single")], [300.0, 350.0])
    assert record["kinds"]["single"] == {"200": 2, "500": 1}
    assert record["unexpected"] == 1
    assert _held(record) == [False, False]
    _, rows = soak_table(record | {"requests": 5000})
    assert ["single", "2 x 200, 1 x 500"] in rows
    assert rows[-2:] == [["MB after 0", "300.0"], ["MB after 500", "350.0"]]


def test_a_killed_worker_may_cost_its_batch_and_no_more() -> None:
    answers = [
        _answer("503", due=0.0, done=0.5, characters=9000),  # before
        _answer("200", due=0.9, done=1.5, characters=9000),
        _answer("503", due=0.9, done=1.1, characters=4000),
        _answer("503", due=1.2, done=1.3, characters=9000),  # after
    ]
    record = kill_record(answers, killed=1.0, ready_s=2.0, batch_characters=4000)
    assert record["in_flight"] == {"200": 1, "503": 1}
    assert record["in_flight_characters_503"] == 4000
    assert record["afterwards"] == {"503": 1}
    assert record["longest_wait_s"] == pytest.approx(0.6)
    assert _held(record) == [True] * 4

    one_more = _answer("503", due=0.9, done=1.1, retry_after=False, characters=1)
    silent = _answer("silent", due=2.0, done=30.0)
    answers += [one_more, silent]
    record = kill_record(answers, killed=1.0, ready_s=None, batch_characters=4000)
    assert _held(record) == [False] * 4


def test_what_a_leaving_server_has_accepted_it_answers() -> None:
    answers = [
        _answer("503", due=0.0, done=0.5),  # before
        _answer("200", due=0.9, done=1.1),
        _answer("broken", due=0.96, done=1.01),  # may never have arrived
        _answer("refused", due=1.2, done=1.2),  # after
    ]
    record = drain_record(answers, signalled=1.0, exit_s=9.0, left=0)
    assert record["in_flight"] == {"200": 1, "broken": 1}
    assert record["accepted"] == {"200": 1}
    assert record["afterwards"] == {"refused": 1}
    assert _held(record) == [True] * 3

    lost = _answer("503", due=0.9, done=1.2)
    assert _held(drain_record([*answers, lost], 1.0, 9.1, 1)) == [False] * 3
    _, rows = failure_table({"kill": kill_record([], 1.0, None, 4000), "drain": record})
    assert rows[0] == ["kill -9, in flight", "-"]
    assert rows[2] == ["SIGTERM, in flight", "1 x 200, 1 x broken"]


def test_the_service_has_a_line_for_each_number_of_clients() -> None:
    rates = {"median": 81.0, "low": 80.0, "high": 82.0}
    crowd = {"clients": 8, "p50_ms": 95.04, "p99_ms": None, "per_s": rates, "to_library": 0.81}
    record = {"clients": [crowd], "library_per_s": {**rates, "median": 100.0}}
    header, rows = service_table(record | {"library_call_ms": 10.5})
    assert all(len(row) == len(header) for row in rows)
    assert rows[0] == ["8 clients", "95.0", "-", "81.0", "80.0", "82.0", "0.81"]
    assert rows[1][3] == "100.0"
    assert rows[2][:2] == ["library, one sentence", "10.5"]


def test_arrivals_come_at_their_rate_and_end_in_time() -> None:
    assert list(every(0.25, 1.0)) == [0.0, 0.25, 0.5, 0.75]
    times = list(poisson(1000.0, 4.0))
    assert times == sorted(times)
    assert times[-1] < 4.0
    # Four thousand, give or take three standard deviations of a Poisson count.
    assert abs(len(times) - 4000) < 3 * 4000**0.5
    # Gaps of an exponential distribution are shorter than their mean in 63 % of cases.
    gaps = [late - early for early, late in pairwise(times)]
    assert sum(gap < 0.001 for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.03)


@pytest.mark.parametrize(
    ("received", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Reply("200", False, True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", None),
        (b"HTTP/1.1 204 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Reply("204", 0, 0)),
        (b"HTTP/1.1 429 x\r\nRetry-After: 3\r\ncontent-length: 0\r\n\r\n", Reply("429", 1, 1)),
        (b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", None),
        (
            b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Reply("200", False, True),
        ),
        # In a body these words mean nothing.
        (
            b"HTTP/1.1 200 x\r\ncontent-length: 32\r\n\r\n\r\ncontent-length: 9\r\nretry-after:",
            Reply("200", False, True),
        ),
    ],
)
def test_a_reply_is_read_when_it_is_whole(received: bytes, reply: Reply | None) -> None:
    assert read_reply(received) == reply


def test_sentences_are_all_different(tmp_path: Path) -> None:
    made_up = list(islice(endless_sentences(None, "de"), 50_000))
    assert len(set(made_up)) == 50_000
    assert all(len(one.split()) > 4 for one in made_up[:100])
    file = tmp_path / "text"
    file.write_text("Eins.\n\nZwei.\nEins.\n")
    given = list(islice(endless_sentences(file, "fr"), 5))
    assert given == ["Eins.", "Zwei.", "2: Eins.", "2: Zwei.", "3: Eins."]


def test_a_language_without_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--source: needed for a model of fr"):
        endless_sentences(None, "fr")
    (tmp_path / "text").write_text("\n \n")
    with pytest.raises(ConfigError, match="no sentence in it"):
        endless_sentences(tmp_path / "text", "de")


def test_a_request_says_how_long_it_is() -> None:
    request = GERMAN.request(["Grüße!", "Ja."], alternatives=2)
    head, body = request.data.split(b"\r\n\r\n")
    assert head.startswith(b"POST /translate HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert json.loads(body) == {
        **{"q": ["Grüße!", "Ja."], "source": "de", "target": "en"},
        "alternatives": 2,
    }
    assert request.characters == 9
    assert get("/health").data == b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_parameters_travel_in_a_form_and_in_a_query_string() -> None:
    fields = {"q": ["Grüße & mehr"], "source": ["de"], "target": ["en"]}
    head, body = GERMAN.form("Grüße & mehr").data.decode().split("\r\n\r\n")
    assert parse_qs(body) == fields
    assert "Content-Type: application/x-www-form-urlencoded" in head
    head, body = GERMAN.query("Grüße & mehr").data.decode().split("\r\n\r\n")
    assert body == ""
    assert "Content-Length: 0" in head
    path = head.split()[1]
    assert parse_qs(path.partition("?")[2]) == fields


def test_every_kind_of_request_comes_about_as_often_as_it_should() -> None:
    mixed = list(islice(mixture(GERMAN, endless_sentences(None, "de"), html=True), 3000))
    found, total = Counter(request.kind for request in mixed), sum(kind.weight for kind in KINDS)
    assert set(found) == set(EXPECTED)
    for kind in KINDS:
        assert found[kind.name] == pytest.approx(3000 * kind.weight / total, rel=0.5, abs=15)
    again = mixture(GERMAN, endless_sentences(None, "de"), html=True)
    assert list(islice(again, 3000)) == mixed
    without = islice(mixture(GERMAN, endless_sentences(None, "de"), html=False), 500)
    assert HTML not in {request.kind for request in without}


def test_processors_are_written_as_numbers_and_ranges() -> None:
    usable = os.sched_getaffinity(0)
    first, last = min(usable), max(usable)
    assert read_cpus("--server-cpus", None) == usable
    assert read_cpus("--server-cpus", f"{first},{first}-{first}") == {first}
    with pytest.raises(ConfigError, match=f"--client-cpus {last + 1}: this process may use"):
        read_cpus("--client-cpus", f"{last + 1}")
    for wrong in ("", "a", "1-", "2-1"):
        with pytest.raises(ConfigError, match="--client-cpus"):
            read_cpus("--client-cpus", wrong)
