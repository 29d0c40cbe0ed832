"""Whatever bytes AWS answers, they are a page or a named failure; and whatever a page holds, it is judged and told."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
import pytest
from botocore.exceptions import ClientError
from hypothesis import strategies as st

from auditor.audit.findings import FindingMaker
from auditor.aws import ec2
from auditor.aws.bodies import is_known, page_of, prove_page
from auditor.aws.failures import CALL_ERRORS, BadResponse, call_failed
from auditor.aws.parsing import PARSERS
from auditor.aws.sources import SOURCES
from auditor.config import ExpressionSettings
from auditor.errors import CallFailed
from auditor.formats import formats
from auditor.model import EXPORT_RECORDS, IMAGES, Account, ExportRecord, Facts, Reason, Target, shown
from auditor.policies import Panel, catalogue_of
from auditor.simulator.ec2_xml import NAMESPACE, fragment
from tests.formats.made import RUN, START, coverage_line
from tests.fuzz.campaign import campaign, limited
from tests.fuzz.mutating import ODD, changed, edited
from tests.fuzz.records import ACCOUNT, FACTS, RECORDS, record

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hypothesis.strategies import SearchStrategy

    from auditor.aws.sources import Source
    from auditor.model import Failure
    from auditor.policies import Crash

pytestmark = limited

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TARGET = Target(EXPORT_RECORDS, Account(ACCOUNT, "a", "arn:r", None, "s", 900, ("us-east-1",)), "us-east-1")
SECRET = "canary-of-a-session-token"
OWN = ExpressionSettings(
    expression='record.state != "Started" && record.sourceInfo.name.contains("web")',
    message="{record.name} of {record.sourceInfo.name}",
    remediation="Look.",
)
SETTINGS = {policy_id: entry.settings_type() for policy_id, entry in catalogue_of({}).items()} | {"own": OWN}
ENTRIES = catalogue_of(SETTINGS)
PANEL = Panel(ENTRIES, SETTINGS, NOW, frozenset({ACCOUNT}))
MAKER = FindingMaker(START.run_id, NOW, ENTRIES, SETTINGS)

SOURCE_OF = {"json": SOURCES[EXPORT_RECORDS], "ec2": SOURCES[IMAGES]}
_LOADED = botocore.session.get_session()
SHAPES: dict[str, Any] = {
    "json": _LOADED.get_service_model("lightsail").operation_model("GetExportSnapshotRecords").output_shape,
    "ec2": _LOADED.get_service_model("ec2").operation_model("DescribeImages").output_shape,
    "query": _LOADED.get_service_model("sts").operation_model("AssumeRole").output_shape,
    "rest-json": _LOADED.get_service_model("account").operation_model("ListRegions").output_shape,
}

IMAGE = {
    "imageId": "ami-1",
    "name": "web",
    "isPublic": True,
    "creationDate": "2024-01-01T00:00:00.000Z",
    "lastLaunchedTime": "2024-02-01T00:00:00Z",
    "imageState": "available",
    "blockDeviceMapping": [{"deviceName": "/dev/xvda", "ebs": {"snapshotId": "snap-1", "encrypted": False}}],
}
ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
BOMB = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]><x><imagesSet>&e9;</imagesSet></x>'
XML = f'<?xml version="1.0" encoding="UTF-8"?><DescribeImagesResponse xmlns="{NAMESPACE}">{{}}</DescribeImagesResponse>'
WORDS = [
    *b'{|}|[|]|,|:|"|null|true|NaN|1e999|-0|\\ud800|\\u0000|{"a":|[[[[|exportSnapshotRecords|nextPageToken|"arn":'.split(
        b"|"
    ),
    *b"<item>|</item>|<![CDATA[|]]>|<!-- |-->|<!DOCTYPE x>|&lt;|&e;|&#0;|<imagesSet/>|<nextToken>|xmlns=''|<a/>".split(
        b"|"
    ),
    *b'"__type":|Error|Message|ThrottlingException|<html>|\xff\xfe|\xef\xbb\xbf|\xed\xa0\x80|\r\n\r\n|\0'.split(
        b"|"
    ),
    b"[" * 3_000,
    b"<a>" * 3_000,
    BOMB.encode(),
]


def _page(records: list[Any]) -> dict[str, Any]:
    return {"exportSnapshotRecords": records, "nextPageToken": "abc"}


def _xml(content: Any) -> bytes:
    return XML.format(fragment(content)).encode("utf-8", "surrogatepass")


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


ERROR = {"__type": "AccessDeniedException", "message": f"no, not with {SECRET}"}
PAGES = st.one_of(
    changed(_page([record(0), record(1, "Failed")]), ODD),
    changed(_page(RECORDS), ODD, most=12),
    st.builds(lambda records: _page([*records, {"arn": 5}, None]), st.lists(st.sampled_from(RECORDS))),
)
IMAGE_SETS = changed(
    {"requestId": "r", "imagesSet": [IMAGE, IMAGE | {"imageId": "ami-2"}], "nextToken": "n"}, ODD
)
FEW = st.builds(lambda one: _page([one]), st.sampled_from(RECORDS))
OF_LIGHTSAIL: SearchStrategy[bytes] = st.one_of(
    PAGES.map(_json),
    FEW.map(_json),
    PAGES.map(_json).flatmap(lambda body: edited(body, WORDS)),
    changed(ERROR, ODD).map(_json),
    edited(b"", WORDS, most=12),
)
OF_EC2: SearchStrategy[bytes] = st.one_of(
    IMAGE_SETS.map(_xml),
    IMAGE_SETS.map(_xml).flatmap(lambda body: edited(body, WORDS)),
    edited(b"<Response><Errors><Error><Code>Blocked</Code></Error></Errors></Response>", WORDS),
    edited(b"", WORDS, most=12),
)
OF_STS: SearchStrategy[bytes] = st.one_of(
    edited(
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials/></AssumeRoleResult></AssumeRoleResponse>", WORDS
    ),
    edited(
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>", WORDS
    ),
)
OF_REGIONS = edited(b'{"Regions": [{"RegionName": "us-east-1", "RegionOptStatus": "ENABLED"}]}', WORDS)
SPOKEN: SearchStrategy[tuple[str, bytes]] = st.one_of(
    st.tuples(st.just("json"), OF_LIGHTSAIL),
    st.tuples(st.just("json"), PAGES.map(_json)),
    st.tuples(st.just("ec2"), OF_EC2),
    st.tuples(st.just("query"), OF_STS),
    st.tuples(st.just("rest-json"), OF_REGIONS),
    st.tuples(st.sampled_from(sorted(SHAPES)), st.one_of(OF_LIGHTSAIL, OF_EC2, OF_STS, OF_REGIONS)),
)
STATUSES = st.one_of(
    st.just(200),
    st.just(200),
    st.sampled_from([200, 201, 204, 206, 301, 304, 400, 403, 407, 413, 429, 500, 503]),
)


class Answered(NamedTuple):
    """One answer, and what else is known as its records are judged."""

    spoken: tuple[str, bytes]
    """The protocol, and the body."""
    status: int
    facts: list[Facts]
    form: tuple[str, str | None]
    """A format, and a variant of it."""
    complete: bool


FORMS = [(name, variant) for name, each in formats().items() for variant in (*each.variants, None)]
ANSWERS = st.builds(
    Answered,
    SPOKEN,
    STATUSES,
    st.lists(FACTS, min_size=1, max_size=3),
    st.sampled_from(FORMS),
    st.booleans(),
)


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine does that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


def called(answer: Answered) -> dict[str, Any]:
    """Return what a call returns, as aiobotocore makes it of an answer.

    :raises Exception: one of those that a call may raise.
    """
    protocol, body = answer.spoken
    response = {"status_code": answer.status, "headers": {"x-amzn-requestid": "r"}, "body": body}
    parsed: dict[str, Any] = now(PARSERS[protocol].parse(response, SHAPES[protocol]))
    if answer.status >= 300:
        raise ClientError(parsed, "Operation")  # type: ignore[arg-type]  # as aiobotocore does
    source = SOURCE_OF.get(protocol)
    if source is not None:
        prove_page(source, parsed)
        assert answer.status == 200
        assert page_of(source, body)[0] == parsed[source.records_key]  # a replay reads the same
    return parsed


def looked_at(failure: Failure) -> None:
    """Hold a failure to what the ledger promises."""
    assert failure.reason in Reason
    for text in (failure.error_code, failure.error_message):
        assert text is None or (shown(text) == text and len(text) <= 500 and SECRET not in text)


def told(records: list[ExportRecord], answer: Answered) -> int:
    """Judge the records, write what is found; return the number of findings."""
    crashes: list[Crash] = []
    judge = PANEL.begin(crashes.append, TARGET)
    found = [*judge.judge(records), *judge.conclude(complete=answer.complete)]
    assert not crashes, crashes[0].told
    assert judge.unjudged_records <= len(records)
    findings = [MAKER.make(TARGET, each) for each in found]
    name, variant = answer.form
    output = formats()[name](START, variant)
    line = coverage_line(unjudged=dict(judge.unjudged), records=len(records))
    written = output.head() + output.findings(findings) + b"".join(output.tail(iter([line]), RUN))
    if name == "jsonl":
        assert len([json.loads(each) for each in written.splitlines()]) == len(findings)
    elif name != "parquet":
        assert "\x1b" not in written.decode("utf-8")
    return len(findings)


def answered(answer: Answered) -> str:
    """Return what came of an answer."""
    try:
        page = called(answer)
    except CALL_ERRORS as error:
        failed = call_failed(error, [SECRET])
        assert isinstance(failed, CallFailed)
        looked_at(failed.failure)
        return "no page" if failed.failure.reason is Reason.BAD_RESPONSE else "refused"
    source = SOURCE_OF.get(answer.spoken[0])
    if source is None:
        return "read by botocore"
    return _judged(source, page, answer)


def _judged(source: Source, page: dict[str, Any], answer: Answered) -> str:
    seen: set[str | bytes] = set()
    raws = [raw for raw in page[source.records_key] if not is_known(raw, source.identity, seen)]
    if source.service == "ec2":
        for raw in raws:
            for read in (ec2.image, ec2.snapshot, ec2.volume, ec2.permitted):
                read(raw)
            snapshot = ec2.snapshot(raw)
            assert snapshot is None or 0 <= (snapshot.full_bytes or 0) < 2**63
        return "a page of EC2's"
    records = [
        ExportRecord(raw, facts) for raw, facts in zip(raws, itertools.cycle(answer.facts), strict=False)
    ]
    return "a page with findings" if told(records, answer) else "a page without findings"


def test_an_answer_is_a_page_or_a_failure_and_each_record_is_judged_and_told() -> None:
    campaign(
        ANSWERS,
        answered,
        patience=3.0,
        outcomes={
            "no page",
            "refused",
            "read by botocore",
            "a page of EC2's",
            "a page with findings",
            "a page without findings",
        },
    )


def test_an_answer_that_swells_up_by_its_entities_is_no_page() -> None:
    with pytest.raises(BadResponse, match="no XML"):
        page_of(SOURCES[IMAGES], BOMB.encode())
    response = {"status_code": 200, "headers": {}, "body": BOMB.encode()}
    with pytest.raises(BadResponse):  # of STS
        now(PARSERS["query"].parse(response, SHAPES["query"]))
