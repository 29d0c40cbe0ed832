"""What becomes of events on their way from the outbox to one destination."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.delivery import DeadLetters, Later, Limits, Refused, Taken, Undeliverable, run_event
from auditor.errors import SinkError
from auditor.history import Due, Event
from tests.delivery.conftest import Fake, Post, findings, names, taken
from tests.history.conftest import finding, record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditor.delivery import Receipt

RUN = run_event({"schema": "auditor.run/1", "run_id": "run-1", **record(1)})


def _name(due: Due) -> str:
    told: dict[str, Any] = json.loads(due.event.body)
    return str(told.get("resource_name", due.event.kind))


async def test_what_is_taken_leaves_the_outbox_in_the_order_of_its_finding(post: Post) -> None:
    post.fill(findings(5), [RUN])
    siem = Fake(limits=Limits(2, 1_000_000, 100_000))

    report = await post.send(siem)

    assert siem.sent == [names(1, 2), names(3, 4), names(5, 5), ["run"]]
    assert (report.taken, report.refused, report.left, report.fault) == (6, 0, 0, None)
    assert post.left() == {}


async def test_a_batch_holds_no_more_bytes_than_the_service_takes(post: Post) -> None:
    post.fill(findings(3))
    with post.outbox() as outbox:
        size = len(outbox.pending("siem", 1, now=0.0)[0].event.body)
    siem = Fake(limits=Limits(100, 2 * (size + 10), 100_000, envelope=10))

    await post.send(siem)

    assert siem.sent == [names(1, 2), names(3, 3)]


async def test_what_is_not_taken_is_tried_again_until_it_is(post: Post) -> None:
    post.fill(findings(2))
    answers: list[Receipt] = [Later("busy"), Later("busy"), Taken(), Taken()]
    siem = Fake(answer=lambda batch: [answers.pop(0)] * len(batch), limits=Limits(2, 10**6, 10**5))

    report = await post.send(siem)

    # Of what was tried in vain, ever fewer are tried at once.
    assert siem.sent == [names(1, 2), names(1, 1), names(2, 2), names(1, 1)]
    assert (report.taken, report.left, report.fault) == (2, 0, None)


async def test_a_receiver_that_asks_for_a_pause_gets_it(post: Post) -> None:
    post.fill(findings(1))
    asked_at: list[float] = []

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        asked_at.append(anyio.current_time())
        return taken(batch) if len(asked_at) > 1 else [Later("slow down", after=0.6)] * len(batch)

    report = await post.send(Fake(answer=answer), pause=0.01)

    assert report.taken == 1
    assert asked_at[1] - asked_at[0] >= 0.6


async def test_what_follows_about_a_finding_waits_for_what_was_before(post: Post) -> None:
    post.fill(findings(2))
    post.fill(findings(2))  # both again: recurring
    first = True

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        nonlocal first
        said: list[Receipt] = [
            Later("not now") if first and _name(due) == "export-1" else Taken() for due in batch
        ]
        first = False
        return said

    siem = Fake(answer=answer)
    report = await post.send(siem, pause=0.3)

    said = [
        (json.loads(due.event.body)["status"], number)
        for number, batch in enumerate(siem.batches)
        for due in batch
        if _name(due) == "export-1"
    ]
    assert said == [("new", 0), ("new", 2), ("recurring", 3)]
    assert siem.sent == [names(1, 2), names(2, 2), names(1, 1), names(1, 1)]
    assert report.taken == 4


async def test_what_follows_about_a_finding_waits_though_the_pause_is_over_by_then(post: Post) -> None:
    # More than is read at once, so that what follows is read once what was before could be tried again.
    post.fill(findings(600))
    post.fill(findings(600))
    tried = 0

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        nonlocal tried
        tried += 1
        return [Later("not now") if tried == 1 and _name(due) == "export-1" else Taken() for due in batch]

    siem = Fake(answer=answer, limits=Limits(500, 10**7, 10**5))
    report = await post.send(siem, pause=0.001)

    told = [
        json.loads(due.event.body)["status"]
        for batch in siem.batches
        for due in batch
        if _name(due) == "export-1"
    ]
    assert told == ["new", "new", "recurring"]
    assert (report.taken, report.left) == (1200, 0)


async def test_two_events_about_one_finding_are_never_in_one_batch(post: Post) -> None:
    post.fill(findings(1))
    post.fill(findings(1))
    siem = Fake()

    await post.send(siem)

    assert siem.sent == [names(1, 1), names(1, 1)]


async def test_what_is_refused_for_good_is_written_down_whole_before_it_is_let_go(post: Post) -> None:
    post.fill(findings(3))

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        return [Refused("no\x1b such field") if _name(due) == "export-2" else Taken() for due in batch]

    report = await post.send(Fake(answer=answer))

    (letter,) = post.dead_letters()
    assert letter["schema"] == "auditor.dead-letter/1"
    assert (letter["destination"], letter["kind"], letter["run_id"]) == ("siem", "finding", "run-1")
    assert letter["reason"] == "no\\x1b such field"
    assert letter["event"]["resource_name"] == "export-2"
    assert letter["event"]["event_id"] == letter["event_id"]
    assert (report.taken, report.refused, report.left) == (2, 1, 0)
    assert report.fault == "siem: 1 refused for good, each in dead-letter.jsonl: no\\x1b such field"


async def test_one_event_that_spoils_a_batch_for_all_is_found_and_the_others_are_taken(post: Post) -> None:
    post.fill(findings(9))

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        spoiled = any(_name(due) == "export-7" for due in batch)
        return [Refused("bad batch") if spoiled else Taken()] * len(batch)

    report = await post.send(Fake(answer=answer))

    assert (report.taken, report.refused, report.left) == (8, 1, 0)
    assert [letter["event"]["resource_name"] for letter in post.dead_letters()] == ["export-7"]


async def test_one_event_that_a_receiver_fails_on_does_not_hold_up_those_in_its_batch(post: Post) -> None:
    post.fill(findings(8))

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        spoiled = any(_name(due) == "export-1" for due in batch)
        return [Later("HTTP 500") if spoiled else Taken()] * len(batch)

    report = await post.send(Fake(answer=answer, limits=Limits(4, 10**6, 10**5)), seconds=2)

    assert (report.taken, report.left) == (7, 1)
    assert report.fault == "siem: 1 event(s) left: HTTP 500"


async def test_a_dead_letter_that_a_crash_broke_off_is_ended_before_the_next(post: Post) -> None:
    post.dead.path.write_bytes(b'{"schema":"auditor.dead-le')
    post.fill(findings(1))

    report = await post.send(Fake(answer=lambda batch: [Refused("no")] * len(batch)))

    torn, letter = post.dead.path.read_bytes().splitlines()
    assert torn == b'{"schema":"auditor.dead-le'
    assert json.loads(letter)["event"]["resource_name"] == "export-1"
    assert report.refused == 1


async def test_what_can_not_be_written_down_stays_in_the_outbox(post: Post) -> None:
    post.fill(findings(1))
    post.dead.path.mkdir()

    report = await post.send(Fake(answer=lambda batch: [Refused("no")] * len(batch)))

    assert (report.refused, report.left) == (0, 1)
    assert report.fault is not None
    assert "Is a directory" in report.fault


async def test_a_dead_letter_that_was_cut_short_spoils_no_other(post: Post) -> None:
    post.fill(findings(2))
    post.dead.path.write_bytes(b'{"schema":"auditor.dead-let')

    await post.send(Fake(answer=lambda batch: [Refused("no")] * len(batch)))

    cut, *lines = post.dead.path.read_text("utf-8").splitlines()
    assert cut == '{"schema":"auditor.dead-let'
    assert [json.loads(line)["event"]["resource_name"] for line in lines] == names(1, 2)


def test_letters_that_no_disk_takes_are_not_half_there(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    due = Due(1, Event("e", "gap", b"{}"), "run-1", 0, None)
    letters.write("siem", [(due, "no")], "now")
    before = letters.path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limit[1]))
    try:
        with pytest.raises(SinkError, match=r"dead-letter\.jsonl: File too large"):
            letters.write("siem", [(due, "no")], "now")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert letters.path.read_bytes() == before


async def test_the_event_of_the_run_goes_last_even_after_what_is_tried_again(post: Post) -> None:
    post.fill(findings(2), [RUN])
    first = True

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        nonlocal first
        said: list[Receipt] = [Later("busy") if first and each is batch[0] else Taken() for each in batch]
        first = False
        return said

    siem = Fake(answer=answer)
    await post.send(siem, pause=0.3)

    assert siem.sent == [names(1, 2), names(1, 1), ["run"]]


async def test_the_event_of_the_run_is_sent_though_another_never_is(post: Post) -> None:
    post.fill(findings(2), [RUN])

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        return [Later("HTTP 500") if _name(due) == "export-1" else Taken() for due in batch]

    siem = Fake(answer=answer)
    report = await post.send(siem, seconds=2, pause=0.1)

    assert siem.sent[0] == names(1, 2)
    assert ["run"] in siem.sent
    assert (report.taken, report.left) == (2, 1)


async def test_a_request_that_takes_too_long_is_given_up_and_tried_again(post: Post) -> None:
    post.fill(findings(1))

    class Hanging(Fake):
        async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
            self.batches.append(list(batch))
            if len(self.batches) == 1:
                await anyio.sleep_forever()
            return taken(batch)

    siem = Hanging(timeout="1s")
    report = await post.send(siem)

    assert (report.taken, len(siem.batches)) == (1, 2)


async def test_a_dead_destination_holds_up_no_other_and_ends_in_its_time(post: Post) -> None:
    post.fill(findings(300), to=("dead", "siem"))
    dead = Fake("dead", answer=lambda batch: [Later("away")] * len(batch))
    siem = Fake("siem")

    began = anyio.current_time()
    of_dead, of_siem = await post.deliver(dead, siem, seconds=1.5)

    assert anyio.current_time() - began < 4
    assert (of_siem.taken, of_siem.fault) == (300, None)
    assert (of_dead.taken, of_dead.left, of_dead.fault) == (0, 300, "dead: 300 event(s) left: away")
    assert post.left() == {"dead": 300}


async def test_a_bug_in_one_destination_is_told_and_holds_up_no_other(post: Post) -> None:
    post.fill(findings(2), to=("bad", "siem"))

    def crash(_batch: Sequence[Due]) -> Sequence[Receipt]:
        raise LookupError("planted")

    of_bad, of_siem = await post.deliver(Fake("bad", answer=crash), Fake("siem"))

    assert of_siem.fault is None
    assert of_bad.fault == "bad: 2 event(s) left: a bug of the auditor: LookupError"


async def test_what_is_left_is_sent_the_next_time(post: Post) -> None:
    post.fill(findings(2))
    await post.send(Fake(answer=lambda batch: [Later("away")] * len(batch)), seconds=0.2, pause=0.5)

    siem = Fake()
    report = await post.send(siem)

    assert sorted(name for batch in siem.sent for name in batch) == names(1, 2)
    assert (report.taken, report.left) == (2, 0)


async def test_what_is_cut_says_so_and_a_dead_letter_is_whole(post: Post) -> None:
    large = finding(1, evidence={"disks": ["x" * 2_000]})
    post.fill([large])
    limits = Limits(10, 10_000, 1_800)
    siem = Fake(limits=limits, answer=lambda batch: [Refused("no")] * len(batch))

    await post.send(siem)

    ((sent,),) = siem.batches
    told = json.loads(sent.event.body)
    assert (told["evidence"], told["truncated"], told["message"]) == ({}, True, large.message)
    (letter,) = post.dead_letters()
    assert letter["event"]["evidence"] == {"disks": ["x" * 2_000]}
    assert "truncated" not in letter["event"]


async def test_what_is_too_large_even_when_cut_is_a_dead_letter_and_is_not_sent(post: Post) -> None:
    post.fill([finding(1, remediation="x" * 5_000), finding(2)])
    siem = Fake(limits=Limits(10, 10_000, 4_000))

    report = await post.send(siem)

    assert siem.sent == [names(2, 2)]
    assert (report.taken, report.refused) == (1, 1)
    (letter,) = post.dead_letters()
    assert letter["event"]["remediation"] == "x" * 5_000
    assert "even cut more than the 4000" in letter["reason"]


async def test_a_history_that_fails_is_told_as_it_is(post: Post) -> None:
    post.fill([], [Event("e", "gap", b'{"schema":"auditor.gap/1"}')])

    class Broken(Fake):
        async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
            raise SinkError(f"the history is gone, with {len(batch)} in hand")

    report = await post.send(Broken())

    assert (report.taken, report.left) == (0, 1)
    assert report.fault == "siem: 1 event(s) left: the history is gone, with 1 in hand"


class Laned(Fake):
    """A destination in which each account has a lane of its own."""

    def lane(self, event: Event) -> str | None:
        return str(json.loads(event.body).get("account_id"))


HERE, THERE = "111122223333", "444455556666"


async def test_events_of_two_lanes_are_never_in_one_batch_and_the_run_goes_last(post: Post) -> None:
    post.fill([finding(1), finding(2, account_id=THERE), finding(3), finding(4, account_id=THERE)], [RUN])
    siem = Laned()

    report = await post.send(siem)

    assert siem.sent == [["export-1", "export-3"], ["export-2", "export-4"], ["run"]]
    assert report.taken == 5


async def test_a_lane_that_is_not_taken_is_left_alone_and_holds_up_no_other(post: Post) -> None:
    post.fill([finding(number) for number in range(1, 6)])
    post.fill([finding(number, account_id=THERE) for number in range(6, 11)])

    def answer(batch: Sequence[Due]) -> Sequence[Receipt]:
        shut = json.loads(batch[0].event.body)["account_id"] == HERE
        return [Later("its role can't be assumed") if shut else Taken()] * len(batch)

    siem = Laned(answer=answer, limits=Limits(1, 10**6, 10**5))
    report = await post.send(siem, seconds=2, pause=30)

    # One batch of the lane that is shut was tried; the others of it were not, nor was anything else held up.
    assert siem.sent == [["export-1"], *([name] for name in names(6, 10))]
    assert (report.taken, report.left) == (5, 5)


async def test_what_can_be_told_nowhere_is_a_dead_letter_and_counted_apart(post: Post) -> None:
    post.fill(findings(3))
    receipts: list[Receipt] = [Refused("bad", perhaps_spoiled=False), Undeliverable("nowhere to go"), Taken()]
    siem = Fake(answer=lambda _batch: receipts)

    report = await post.send(siem)

    assert len(siem.batches) == 1
    assert (report.taken, report.refused, report.undeliverable, report.left) == (1, 2, 1, 0)
    assert [letter["reason"] for letter in post.dead_letters()] == ["bad", "nowhere to go"]
    assert report.fault is not None
    assert "1 refused for good, each in dead-letter.jsonl, 1 undeliverable, each in dead-l" in report.fault


async def test_what_is_refused_for_its_own_sake_is_not_tried_again_without_the_others(post: Post) -> None:
    post.fill(findings(4))
    siem = Fake(answer=lambda batch: [Refused("bad", perhaps_spoiled=False)] * len(batch))

    report = await post.send(siem)

    assert siem.sent == [names(1, 4)]
    assert report.refused == 4


class Meeting(Laned):
    """Takes nothing until so many lanes are asked at the same time."""

    lanes_at_once = 2

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.asked = 0
        self.most = 0
        self.met = anyio.Event()

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        self.asked += 1
        self.most = max(self.most, self.asked)
        if self.asked == self.lanes_at_once:
            self.met.set()
        await self.met.wait()
        self.asked -= 1
        return await super().send(batch)


async def test_lanes_are_sent_to_at_the_same_time_and_no_more_of_them_than_may_be(post: Post) -> None:
    accounts = [f"{number:012}" for number in range(1, 7)]
    post.fill([finding(number, account_id=each) for each in accounts for number in (1, 2)], [RUN])
    siem = Meeting(limits=Limits(1, 10**6, 10**5))

    (report,) = await post.deliver(siem)

    assert (report.taken, report.fault, siem.most) == (13, None, 2)
    assert siem.sent[-1] == ["run"]
    for each in accounts:
        of_account = [
            batch for batch in siem.batches if json.loads(batch[0].event.body).get("account_id") == each
        ]
        assert [_name(due) for batch in of_account for due in batch] == names(1, 2)


async def test_a_history_that_fails_in_one_lane_is_told_as_it_is(post: Post) -> None:
    post.fill([finding(1), finding(2, account_id=THERE)])

    class Broken(Laned):
        lanes_at_once = 2

        async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
            raise SinkError(f"the history is gone, with {len(batch)} in hand")

    (report,) = await post.deliver(Broken())

    assert report.fault == "siem: 2 event(s) left: the history is gone, with 1 in hand"
