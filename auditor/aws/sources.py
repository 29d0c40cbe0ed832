"""The AWS operations that are read, each declared once."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model import EXPORT_RECORDS


@dataclass(frozen=True, slots=True)
class Source:
    """One operation that lists something in pages."""

    id: str
    """As IAM names it: what a role must be allowed."""
    service: str
    """The name of botocore's client."""
    method: str
    """The client's method for the operation."""
    records_key: str
    """Where a page holds its records, a list: a body without it is no page."""
    request_token: str
    response_token: str
    """Absent from the last page."""


SOURCES = {
    source.id: source
    for source in (
        # Lightsail API reference, GetExportSnapshotRecords: takes a token and nothing else.
        Source(
            id=EXPORT_RECORDS,
            service="lightsail",
            method="get_export_snapshot_records",
            records_key="exportSnapshotRecords",
            request_token="pageToken",  # noqa: S106 -- the name of a field
            response_token="nextPageToken",  # noqa: S106 -- the name of a field
        ),
    )
}
