"""OCSF events as Parquet, as Security Lake asks for it: one class, typed and nested columns, sorted by time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from auditor.formats import encoded
from auditor.formats.ocsf_event import COMPLIANCE_FINDING, OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterable

# Security Lake user guide, "Collecting data from custom sources", "Best practices": pages of at most 1 MB before
# compression, row groups of at most 256 MB after it, zstandard, and records sorted by time.
_PAGE = 512 * 1024
_DICTIONARY = 256 * 1024
LARGEST_CELL = 256 * 1024
"""Bytes of one event, of which each cell is a part: a page is ended after the value that fills it."""
_VALUES_AT_ONCE = 1
"""How many values are written before a page's size is looked at."""


def parquet_of(events: Iterable[dict[str, Any]]) -> bytes:
    """Return these events, all of one class and version, as one Parquet file; the same for the same events."""
    import pyarrow as pa  # noqa: PLC0415 -- an extra, and 0.2 s that only who sends it needs
    from pyarrow import parquet  # noqa: PLC0415 -- as above

    rows = sorted(map(_row, events), key=lambda row: (row["time"], row["metadata"]["uid"]))
    schema = arrow_schema(rows[0]["class_uid"], rows[0]["metadata"]["version"])
    file = io.BytesIO()
    with parquet.ParquetWriter(
        file,
        schema,
        compression="zstd",
        data_page_size=_PAGE,
        dictionary_pagesize_limit=_DICTIONARY,
        write_batch_size=_VALUES_AT_ONCE,
        sorting_columns=parquet.SortingColumn.from_ordering(schema, [("time", "ascending")]),
    ) as writer:
        # One row group: a batch is far smaller than one may be.
        writer.write_table(pa.Table.from_pylist(rows, schema), row_group_size=len(rows))
    return file.getvalue()


def arrow_schema(class_uid: int, version: str) -> Any:
    """Return the columns of a class: those that the events of `auditor.formats` have, and no others."""
    import pyarrow as pa  # noqa: PLC0415 -- as above

    text, number, large = pa.string(), pa.int32(), pa.int64()
    texts = pa.list_(text)
    uids = ("activity_id", "category_uid", "class_uid", "severity_id", "status_id")
    account = pa.struct({"uid": text, "name": text, "type_id": number, "type": text})
    product = pa.struct({"name": text, "vendor_name": text, "version": text})
    metadata = pa.struct(
        {"version": text, "product": product, "profiles": texts, "uid": text, "correlation_uid": text}
    )
    columns: dict[str, Any] = {
        "time": large,
        **dict.fromkeys(uids, number),
        "type_uid": large,
        "metadata": metadata,
        "cloud": pa.struct({"provider": text, "account": account, "region": text}),
        **dict.fromkeys(
            ("activity_name", "category_name", "class_name", "type_name", "severity", "status"), text
        ),
        "message": text,
        "status_detail": text,
    }
    required = set(columns)
    if class_uid == COMPLIANCE_FINDING.uid:
        why = {"status_detail": text} if version == OLDEST else {"status_details": texts}
        times = ("created_time", "modified_time", "first_seen_time", "last_seen_time")
        analytic = {"uid": text, "name": text, "type_id": number, "type": text, "version": text}
        info = {"uid": text, "title": text, "desc": text, "types": texts, "analytic": pa.struct(analytic)}
        told = {
            "status_id": number,
            "status": text,
            "control": text,
            "standards": texts,
            "requirements": texts,
        }
        resource = dict.fromkeys(("uid", "name", "type", "region", "cloud_partition"), text)
        columns |= {
            "finding_info": pa.struct(info | dict.fromkeys(times, large)),
            "compliance": pa.struct(told | why),
            "remediation": pa.struct({"desc": text}),
            "resources": pa.list_(pa.struct(resource)),
        }
    else:
        counts = ("total", "num_detections", "num_resolutions", "num_skipped_items")
        columns |= {
            "status_code": text,
            **dict.fromkeys(("start_time", "end_time", "duration"), large),
            "scan": pa.struct({"uid": text, "name": text, "type_id": number, "type": text}),
            **dict.fromkeys(counts, number),
        }
    columns["unmapped"] = pa.map_(text, text)
    return pa.schema([pa.field(name, kind, nullable=name not in required) for name, kind in columns.items()])


def _row(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as a row: what the class has no place for is text by its name, JSON where it is no text."""
    unmapped = {
        key: value if isinstance(value, str) else encoded(value).decode()
        for key, value in event.get("unmapped", {}).items()
        if value is not None
    }
    return event | {"unmapped": unmapped}
