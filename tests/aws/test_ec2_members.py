"""What is read of EC2's answers has to be kept by the parser: what it leaves out would look unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.aws import bodies, ec2


class Noting(dict[str, Any]):
    """An answer's member that notes what it was asked for; each is there."""

    def __init__(self, asked: set[str]) -> None:
        super().__init__()
        self._asked = asked

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        if key == "blockDeviceMapping":
            return [self]
        return self if key == "ebs" else default or ("id" if key.endswith("Id") and key[0] in "isv" else None)


@pytest.mark.parametrize(
    ("said", "size"),
    [("0", 0.0), ("80", 80.0), ("9e18", 9e18), ("1e308", None), ("inf", None), ("nan", None), ("-1", None)],
)
def test_a_size_that_ec2_can_not_mean_is_not_known(said: str, size: float | None) -> None:
    snapshot = ec2.snapshot({"snapshotId": "snap-1", "volumeSize": said, "fullSnapshotSizeInBytes": said})
    assert snapshot is not None
    assert (snapshot.volume_gb, snapshot.full_bytes) == (size, size)


@pytest.mark.parametrize("read", [ec2.image, ec2.snapshot, ec2.volume, ec2.permitted])
def test_every_member_that_is_read_is_kept_by_the_parser(read: Any) -> None:
    asked: set[str] = set()
    read(Noting(asked))
    assert asked
    assert asked <= bodies._EC2_MEMBERS | bodies._EC2_LISTS
