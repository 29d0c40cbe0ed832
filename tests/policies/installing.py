"""Distributions that bring policies, installed where one test alone sees them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.simulator.estate import generate
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Site:
    """A folder of installed distributions."""

    folder: Path

    def install(self, name: str, points: str, **modules: str) -> None:
        told = self.folder / f"{name}-1.0.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (told / "entry_points.txt").write_text(f"[auditor.policies]\n{points}\n")
        for module, text in modules.items():
            (self.folder / f"{module}.py").write_text(text)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "auditor", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": f"{self.folder}:{':'.join(filter(None, sys.path))}", "COLUMNS": "200", **more},
            cwd=self.folder,
            timeout=60,
        )

    def audit(self, policy: str = "any-record") -> subprocess.CompletedProcess[str]:
        """Audit four records of one account by this policy alone."""
        now = datetime.now(UTC)
        how: Any = {"regions": ("us-east-1",), "now": now, "records_per_target": 4, "afterlife": True}
        estate = generate(3, accounts=1, **how)
        (self.folder / "accounts.yaml").write_text(estate.accounts_yaml())
        with serve_in_thread(estate) as server:
            return self.run(
                *("run", "--policy", policy, "--fail-on", "medium", "-o", "run"),
                AWS_ENDPOINT_URL=server.url,
                AWS_ACCESS_KEY_ID=estate.base.access_key,
                AWS_SECRET_ACCESS_KEY=estate.base.secret_key,
            )
