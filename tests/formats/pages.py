"""Reports made by hand, and what is in one, as somebody else's tools read it."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from auditor.formats import formats
from auditor.model import Cost, Severity
from tests.formats.made import START, coverage_line, finding, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.formats import RunStart
    from auditor.model import Finding


def report(
    found: Sequence[Finding] = (),
    *,
    coverage: Sequence[Mapping[str, Any]] = (),
    run: Mapping[str, Any],
    start: RunStart = START,
) -> bytes:
    """A report of these findings, given as a run gives them."""
    batches = (found[at : at + 100] for at in range(0, len(found), 100))
    return write(formats()["html"](start), *batches, coverage=coverage, run=run)


def blocks(page: bytes, name: str) -> list[bytes]:
    """What the blocks of this name hold."""
    packed = re.findall(rb'<script type="application/octet-stream" class="%s">([^<]*)<' % name.encode(), page)
    return [gzip.decompress(base64.b64decode(each, validate=True)) for each in packed]


def rows(page: bytes) -> list[dict[str, Any]]:
    """The rows of the list of findings."""
    (about,) = blocks(page, "about")
    columns = json.loads(about)["columns"]
    return [
        dict(zip(columns, row, strict=True)) for block in blocks(page, "rows") for row in json.loads(block)
    ]


def details(page: bytes) -> list[dict[str, Any]]:
    """What is unfolded of each."""
    return [each for block in blocks(page, "details") for each in json.loads(block)]


class _Text(HTMLParser):
    """The words of a page that are seen where no script runs."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in {"script", "style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def text(page: bytes) -> str:
    """The words of a page, one space between them."""
    parser = _Text()
    parser.feed(page.decode())
    return " ".join(parser.words)


def tags(page: bytes) -> list[tuple[str, dict[str, str | None]]]:
    """Its elements, and their attributes."""
    parser = _Text()
    parser.feed(page.decode())
    return parser.tags


def organisation(accounts: int, regions: int) -> list[dict[str, Any]]:
    """Coverage of so many accounts, of which the 7th can't be read, and in the 5th a Region not."""
    lines = []
    for account in range(accounts):
        for region in range(regions):
            how: dict[str, Any] = {}
            if account == 7:
                how = {"verdict": "failed", "reason": "role-not-assumable"}
            elif account == 5 and region == 1:
                how = {"verdict": "partial", "reason": "throttled", "error_code": "ThrottlingException"}
            named = {
                "account_id": f"{account:012}",
                "account_name": f"n{account}",
                "region": f"region-{region:02}",
            }
            lines.append(coverage_line(**named, **how))
    return lines


def varied(count: int, severities: Sequence[Severity] = tuple(Severity)) -> list[Finding]:
    """Findings as unlike each other as an organisation's, with ids and names that do not compress."""
    chance = random.Random(7)  # noqa: S311

    def one(number: int) -> Finding:
        account, region = f"{chance.randrange(2_000):012}", f"region-{chance.randrange(19)}"
        base = f"arn:aws:lightsail:{region}:{account}"
        ids = [f"{chance.getrandbits(128):032x}" for _ in range(4)]
        arn = f"{base}:ExportSnapshotRecord/{ids[0]}"
        return finding(
            f"ExportSnapshotRecord-{ids[1]}",
            resource_arn=arn,
            account_id=account,
            account_name=f"payments-{int(account)}",
            region=region,
            severity=severities[number % len(severities)],
            message=f"The copy of snapshot web-{chance.randrange(10**9)} is public.",
            remediation=f"aws ec2 deregister-image --image-id ami-{ids[2][:17]} --region {region}",
            related={
                "record_arn": arn,
                "state": "Succeeded",
                "created_at": "2025-02-01T12:00:00Z",
                "source_snapshot_arn": f"{base}:InstanceSnapshot/{ids[2]}",
                "source_snapshot_name": f"web-{chance.randrange(10**9)}",
                "from_resource_arn": f"{base}:Instance/{ids[3]}",
                "from_resource_name": f"web-{chance.randrange(99)}",
                "destination_id": f"ami-{ids[2][:17]}",
            },
            evidence={
                "image_id": f"ami-{ids[2][:17]}",
                "disks": [{"path": "/dev/sda1", "size_gb": chance.randrange(999)}],
            },
            cost=Cost(chance.random(), "20 GB x 0.05", "https://aws.amazon.com/ebs/pricing/", "2026-11-23"),
        )

    return [one(number) for number in range(count)]
