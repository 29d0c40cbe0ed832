"""The shortest aiobotocore script there is: one client, one page. What starting up costs anybody.

`python -m bench.bare URL 1 1`.
"""

from __future__ import annotations

import asyncio

from aiobotocore.session import AioSession

from bench import script
from bench.estate import REGIONS


async def main() -> None:
    """Read one page with the base credentials."""
    async with AioSession().create_client("lightsail", region_name=REGIONS[0]) as client:
        page = await client.get_export_snapshot_records()
    script.tell(1, len(page["exportSnapshotRecords"]))


if __name__ == "__main__":
    asyncio.run(main())
