"""One archive for an auditor: what a run said, in forms that people read, with all that it rests on."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.audit.bundle_readme import readme
from auditor.audit.controls import COLUMNS, Controls
from auditor.audit.start import run_start
from auditor.errors import EvidenceFault, SinkError, UsageError
from auditor.evidence.layout import FOLDER, MANIFEST, SUMS
from auditor.evidence.results import JSONLines
from auditor.formats import formats
from auditor.history.documents import read_finding
from auditor.inventory import Filters, policies_of
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.config import Config
    from auditor.evidence.reading import Evidence
    from auditor.formats import RunStart
    from auditor.model import Finding

FINDINGS, COVERAGE = "findings.jsonl", "coverage.jsonl"
_RENDERED = {
    "html": ("report.html", "the report: open it in a browser, offline"),
    "csv": ("findings.csv", "every finding, and what could not be seen"),
}
"""Format → the file that it is in, and what that is."""
_CONTROLS = ("controls.csv", "each control by framework: its policies, findings, gaps and passes")
_README = "README.txt"
_AT_ONCE = 500
_CHUNK = 1024 * 1024
_PACKED = frozenset({".zst"})
"""What is not compressed once more."""


class Bundle:
    """The archive of one run."""

    def __init__(self, evidence: Evidence, config: Config) -> None:
        """Bundle this run.

        :param config: the run's own, as its evidence has it.
        :raises EvidenceFault: where what was kept of the run is not what its manifest names.
        """
        self._evidence = evidence
        self._run = evidence.run()
        environment = evidence.environment()
        filters = Filters(**{name: tuple(named) for name, named in environment["filters"].items()})
        self._settings = policies_of(config, filters)
        self._start: RunStart = run_start(
            self._run["run_id"],
            datetime.fromisoformat(self._run["started_at"]),
            replace(config, path=environment["configuration"]),
            filters,
            self._settings,
        )
        self._name = f"auditor-{self._run['run_id']}"
        self._written_at = datetime.fromisoformat(self._run["finished_at"]).timetuple()[:6]

    def write(self, path: Path) -> None:
        """Write the archive, which appears whole or not at all, and in place of nothing.

        :raises UsageError: where there is something already.
        :raises SinkError: where it can't be written.
        :raises EvidenceFault: where a file is not what the manifest names.
        """
        if path.exists():
            raise UsageError(f"{shown(str(path))}: is there already; name another file")
        aside = path.with_name(f"{path.name}.part")
        try:
            with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
                self._fill(archive)
            aside.replace(path)
        except OSError as error:
            raise SinkError(f"{shown(str(path))}: {error.strerror}") from error
        finally:
            aside.unlink(missing_ok=True)

    def _fill(self, archive: zipfile.ZipFile) -> None:
        known = formats()
        made = {name: told for name, told in _RENDERED.items() if name in known}
        page = readme(self._evidence.manifest, self._run, [*made.values(), _CONTROLS])
        self._add(archive, _README, [page.encode()])
        for name, (file, _) in made.items():
            self._add(archive, file, self._rendered(name))
        self._add(archive, _CONTROLS[0], [self._controls()])
        for name, digest in self._evidence.manifest.subjects.items():
            self._add(archive, f"run/{name}", self._held(name, digest))
        for name in (MANIFEST, SUMS):
            self._add(archive, f"run/{FOLDER}/{name}", _parts(self._evidence.folder / FOLDER / name))

    def _add(self, archive: zipfile.ZipFile, name: str, parts: Iterable[bytes]) -> None:
        # The same run makes the same archive: nothing in it tells when, or by whom, it was made.
        entry = zipfile.ZipInfo(f"{self._name}/{name}", self._written_at)
        entry.external_attr = 0o644 << 16
        entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in _PACKED else zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as file:
            for part in parts:
                file.write(part)

    def _rendered(self, name: str) -> Iterator[bytes]:
        """Yield the run in a format."""
        made = formats()[name](self._start)
        yield made.head()
        for batch in self._findings():
            yield made.findings(batch)
        yield from made.tail(self._coverage(), self._run)

    def _controls(self) -> bytes:
        controls = Controls(self._settings, is_subset=self._start.is_subset)
        for batch in self._findings():
            controls.found(batch)
        for line in self._coverage():
            controls.covered(line)
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([COLUMNS, *controls.rows()])
        return text.getvalue().encode()

    def _findings(self) -> Iterator[list[Finding]]:
        lines = (raw for _, raw, _ in JSONLines(self._evidence, FINDINGS))
        while batch := [read_finding(raw) for raw in islice(lines, _AT_ONCE)]:
            yield batch

    def _coverage(self) -> Iterator[Mapping[str, Any]]:
        return (told for _, _, told in JSONLines(self._evidence, COVERAGE))

    def _held(self, name: str, digest: str) -> Iterator[bytes]:
        """Yield a file's bytes; it is what the manifest names once they are all there."""
        found = sha256()
        for part in _parts(self._evidence.folder / name):
            found.update(part)
            yield part
        if found.hexdigest() != digest:
            raise EvidenceFault(f"{shown(name)}: is not what the manifest names")


def _parts(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                yield part
    except FileNotFoundError:
        raise EvidenceFault(f"{shown(path.name)}: is not there") from None
