from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from auditor.model import ExportRecord, Facts
from auditor.policies.end_of_life import KNOWN, end_of_life

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "unsupported-blueprint"


def image_of(blueprint: object, facts: Facts) -> ExportRecord:
    source = {"name": "nightly", "instanceSnapshotInfo": {"fromBlueprintId": blueprint}}
    raw = {"arn": "arn:1", "state": "Succeeded", "sourceInfo": source, "destinationInfo": {"id": "ami-1"}}
    return ExportRecord(raw, facts)


def test_the_last_day_of_support_is_still_supported(judge: Judge, facts: MakeFacts) -> None:
    focal = image_of("ubuntu_20_04", facts(image={}))
    assert judge(ID, focal, at=datetime(2025, 5, 31, 23, 59, tzinfo=UTC)) == ([], {})
    ((found,), _) = judge(ID, focal, at=datetime(2025, 6, 1, tzinfo=UTC))
    assert found.breach.message == (
        "The copy ami-1 of snapshot nightly is of Ubuntu 20.04, which is past its end of life."
    )
    assert found.breach.evidence["end_of_life"] == "2025-05-31"
    assert found.breach.evidence["end_of_life_source"] == "https://endoflife.date/ubuntu"


@pytest.mark.parametrize(
    ("blueprint", "system"),
    [
        ("ubuntu_16_04_2", "Ubuntu 16.04"),
        ("centos_7_1901_01", "CentOS 7"),
        ("debian_8_7", "Debian 8"),
        ("debian_10", "Debian 10"),
        ("amazon_linux_2018_03_0_2", "Amazon Linux AMI 2018.03"),
        ("amazon_linux_2", "Amazon Linux 2"),
        ("amazon_linux_2023", "Amazon Linux 2023"),
        ("freebsd_11_1", "FreeBSD 11"),
        ("opensuse_42_2", "openSUSE Leap 42.2"),
        ("windows_server_2016_sql_2016_express", "Windows Server 2016"),
        ("windows_server_2012_r2", "Windows Server 2012 R2"),
    ],
)
def test_a_blueprint_is_known_by_the_beginning_of_its_id(blueprint: str, system: str) -> None:
    found = end_of_life(blueprint)
    assert found is not None
    assert found.system == system


@pytest.mark.parametrize(
    "blueprint",
    ["wordpress_4_9_8", "amazon_linux_2099", "debian_80", "ubuntu", "plesk_ubuntu_16_04", "", "_" * 10_000],
)
def test_what_is_not_known_has_no_end_and_keeps_the_policy(
    blueprint: str, judge: Judge, facts: MakeFacts
) -> None:
    assert end_of_life(blueprint) is None
    if blueprint:
        assert judge(ID, image_of(blueprint, facts())) == ([], {})


def test_every_date_is_one_and_has_its_source() -> None:
    for blueprint, known in KNOWN.items():
        assert date.fromisoformat(known.ends).isoformat() == known.ends
        assert known.source.startswith("https://endoflife.date/")
        assert end_of_life(blueprint) is known


@pytest.mark.parametrize("blueprint", [None, "", 7, [], {}], ids=repr)
def test_an_image_of_no_blueprint_is_unjudged_while_it_is_there(
    blueprint: object, judge: Judge, facts: MakeFacts
) -> None:
    assert judge(ID, image_of(blueprint, facts(image={}))) == ([], {ID: 1})
    assert judge(ID, image_of(blueprint, facts(image=None, snapshots=None))) == ([], {})
    assert judge(ID, image_of(blueprint, facts())) == ([], {ID: 1})
