"""Which Regions Lightsail has, and which of them an account must first enable."""

from __future__ import annotations

from functools import cache

from botocore.regions import EndpointResolver

from auditor.aws.models import LOADER
from auditor.model import PARTITION

_ON_BY_DEFAULT = frozenset(
    # Regions from before 20 March 2019 are on in every account; each later one is opt-in. No Region is added to
    # these any more (AWS Account Management reference guide, "Enable or disable AWS Regions in your account").
    "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 "
    "eu-north-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2".split()
)


@cache
def lightsail_regions() -> tuple[str, ...]:
    """Return every Region that the installed botocore knows for Lightsail, in order of name."""
    resolver = EndpointResolver(LOADER.load_data("endpoints"))
    return tuple(sorted(resolver.get_available_endpoints("lightsail", PARTITION)))


def is_opt_in(region: str) -> bool:
    """Say whether an account has to enable this Region before anything in it answers."""
    return region not in _ON_BY_DEFAULT
