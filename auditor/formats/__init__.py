"""How findings are written: one output format a module, and the files they go to."""

from auditor.formats.catalogue import formats
from auditor.formats.contract import Format
from auditor.formats.encoding import encoded, encoded_line
from auditor.formats.gap_groups import gaps_told
from auditor.formats.output import STDOUT, Output, open_output
from auditor.formats.start import JudgedPolicy, PastRun, RunStart

__all__ = [
    "STDOUT",
    "Format",
    "JudgedPolicy",
    "Output",
    "PastRun",
    "RunStart",
    "encoded",
    "encoded_line",
    "formats",
    "gaps_told",
    "open_output",
]
