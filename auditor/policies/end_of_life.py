"""When operating systems that Lightsail has blueprints of come to their end of life.

The date is the last day on which whoever makes the system gives security updates to everybody, without a contract:
Debian's long-term support counts; Ubuntu Pro and Microsoft's Extended Security Updates, which are sold, do not.
Of FreeBSD the date is that of the major version's branch, of openSUSE Leap and the others that of the version named.

Read on 2026-11-23 from endoflife.date's data as of 2026-08-22, which names each vendor's own announcement.
Ids of blueprints: Lightsail's GetBlueprints, inactive ones included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class EndOfLife(NamedTuple):
    """One operating system, and its end."""

    system: str
    ends: str
    """The last day of support, `2025-05-31`."""
    source: str
    """Where that was said."""


_SITE = "https://endoflife.date/"
_MOST_PARTS = 8
"""Parts of a blueprint's id that are looked at; AWS's own have up to seven."""

_DATES = (
    ("amazon_linux_2016", "Amazon Linux AMI 2016", "2023-12-31", "amazon-linux"),
    ("amazon_linux_2017", "Amazon Linux AMI 2017", "2023-12-31", "amazon-linux"),
    ("amazon_linux_2018", "Amazon Linux AMI 2018.03", "2023-12-31", "amazon-linux"),
    ("amazon_linux_2", "Amazon Linux 2", "2026-06-30", "amazon-linux"),
    ("amazon_linux_2023", "Amazon Linux 2023", "2029-06-30", "amazon-linux"),
    ("centos_6", "CentOS 6", "2020-11-30", "centos"),
    ("centos_7", "CentOS 7", "2024-06-30", "centos"),
    ("centos_8", "CentOS 8", "2021-12-31", "centos"),
    ("centos_stream_8", "CentOS Stream 8", "2024-05-31", "centos-stream"),
    ("centos_stream_9", "CentOS Stream 9", "2027-05-31", "centos-stream"),
    ("debian_8", "Debian 8", "2020-06-30", "debian"),
    ("debian_9", "Debian 9", "2022-07-01", "debian"),
    ("debian_10", "Debian 10", "2024-06-30", "debian"),
    ("debian_11", "Debian 11", "2026-08-31", "debian"),
    ("debian_12", "Debian 12", "2028-06-30", "debian"),
    ("debian_13", "Debian 13", "2030-06-30", "debian"),
    ("freebsd_10", "FreeBSD 10", "2018-10-31", "freebsd"),
    ("freebsd_11", "FreeBSD 11", "2021-09-30", "freebsd"),
    ("freebsd_12", "FreeBSD 12", "2023-12-31", "freebsd"),
    ("freebsd_13", "FreeBSD 13", "2026-04-30", "freebsd"),
    ("freebsd_14", "FreeBSD 14", "2028-11-30", "freebsd"),
    ("opensuse_42_1", "openSUSE Leap 42.1", "2017-05-17", "opensuse"),
    ("opensuse_42_2", "openSUSE Leap 42.2", "2018-01-26", "opensuse"),
    ("opensuse_42_3", "openSUSE Leap 42.3", "2019-07-01", "opensuse"),
    ("opensuse_15_0", "openSUSE Leap 15.0", "2019-12-03", "opensuse"),
    ("opensuse_15_1", "openSUSE Leap 15.1", "2021-02-02", "opensuse"),
    ("opensuse_15_2", "openSUSE Leap 15.2", "2022-01-04", "opensuse"),
    ("opensuse_15_3", "openSUSE Leap 15.3", "2022-12-31", "opensuse"),
    ("opensuse_15_4", "openSUSE Leap 15.4", "2023-12-07", "opensuse"),
    ("opensuse_15_5", "openSUSE Leap 15.5", "2024-12-31", "opensuse"),
    ("opensuse_15_6", "openSUSE Leap 15.6", "2026-04-30", "opensuse"),
    ("ubuntu_14_04", "Ubuntu 14.04", "2019-04-02", "ubuntu"),
    ("ubuntu_16_04", "Ubuntu 16.04", "2021-04-02", "ubuntu"),
    ("ubuntu_18_04", "Ubuntu 18.04", "2023-05-31", "ubuntu"),
    ("ubuntu_20_04", "Ubuntu 20.04", "2025-05-31", "ubuntu"),
    ("ubuntu_22_04", "Ubuntu 22.04", "2027-04-01", "ubuntu"),
    ("ubuntu_24_04", "Ubuntu 24.04", "2029-05-31", "ubuntu"),
    ("windows_server_2012", "Windows Server 2012", "2023-10-10", "windows-server"),
    ("windows_server_2012_r2", "Windows Server 2012 R2", "2023-10-10", "windows-server"),
    ("windows_server_2016", "Windows Server 2016", "2027-01-12", "windows-server"),
    ("windows_server_2019", "Windows Server 2019", "2029-01-09", "windows-server"),
    ("windows_server_2022", "Windows Server 2022", "2031-10-14", "windows-server"),
    ("windows_server_2025", "Windows Server 2025", "2034-11-14", "windows-server"),
)

KNOWN: Mapping[str, EndOfLife] = {
    blueprint: EndOfLife(system, ends, _SITE + page) for blueprint, system, ends, page in _DATES
}
"""By the beginning of the blueprint's id: AWS adds minor versions and dates to it."""


def end_of_life(blueprint_id: str) -> EndOfLife | None:
    """Return the operating system that this blueprint is of; None for an application, and for what is not known."""
    parts = blueprint_id.split("_", _MOST_PARTS)[:_MOST_PARTS]
    for length in range(len(parts), 1, -1):
        found = KNOWN.get("_".join(parts[:length]))
        if found is not None:
            return found
    return None
