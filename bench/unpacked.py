"""The floor of a replay: every body that was kept, unpacked and parsed, and nothing else. Prints how many were pages."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import zstandard


def main() -> None:
    """Read the evidence in the folder of a run."""
    evidence = Path(sys.argv[1]) / "evidence"
    unpacked: dict[tuple[str, int], bytes] = {}
    pages = 0
    with (evidence / "index.jsonl.zst").open("rb") as file:
        index = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    packs = {path.name: path.read_bytes() for path in evidence.glob("answers-*.zst")}
    for line in map(orjson.loads, index.splitlines()):
        if line["page"] is None or not line["length"]:
            continue
        key = (line["pack"], line["frame"])
        if key not in unpacked:
            frame = packs[line["pack"]][line["frame"] : line["frame"] + line["frame_length"]]
            unpacked = {key: zstandard.ZstdDecompressor().decompress(frame)}
        start = line["at_in_frame"]
        orjson.loads(unpacked[key][start : start + line["length"]])
        pages += 1
    print(pages)  # noqa: T201 -- its answer


if __name__ == "__main__":
    main()
