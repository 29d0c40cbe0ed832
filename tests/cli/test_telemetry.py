"""`auditor run --otel`, as its users run it: a collector that does not answer is one line, and no reason to wait."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Auditor, RunFolder, Serve

KEY = "canary-of-the-collector"


def test_a_collector_that_hangs_is_told_in_one_line_and_the_program_ends(
    auditor: Auditor, serve: Serve, out: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{hanging.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {KEY}")
        plain = auditor("run", "-o", "plain", "--quiet")
        began = time.monotonic()
        ended = auditor("run", "-o", "out", "--quiet", "--otel")
    assert ended.code == plain.code == 1
    assert time.monotonic() - began < 20
    told = [line for line in ended.err.splitlines() if "telemetry" in line]
    assert len(told) == 1
    assert "no answer within 2 s" in told[0]
    assert KEY not in ended.err
    assert out.run["exit_conditions"] == [1]
