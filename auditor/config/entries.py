"""The shape of accounts.yaml, key by key: what can be said of one value without looking at another."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from auditor.config.acceptances import AcceptedGapEntry, WaiverEntry
from auditor.config.durations import Duration
from auditor.config.settings import Limits
from auditor.model import shown

ACCOUNT_ID = "{account_id}"
"""What stands for the account's id in a role_arn."""

LONGEST_ROLE_NAME = 64
LONGEST_NAME = 256

# IAM: role names, 1 to 64 of [\w+=,.@-]; paths, any of ! to ~ between slashes, 512 characters with these.
_NAMED = "A-Za-z0-9_+=,.@-"
_PATH = r"(?:[!-z|~]|\{account_id\}){1,510}/"
_HUB_ARN = rf"^arn:aws:iam::[0-9]{{12}}:role/(?:[!-~]{{1,510}}/)?[{_NAMED}]{{1,64}}$"
_ROLE_ARN = rf"^arn:aws:iam::(?:[0-9]{{12}}|\{{account_id\}}):role/(?:{_PATH})?(?:[{_NAMED}]|\{{account_id\}}){{1,64}}$"


def _visible(text: str) -> str:
    if shown(text) != text or text != text.strip():
        raise PydanticCustomError("invisible", "control characters, or blanks around it")
    return text


def _iam_length(arn: str) -> str:
    if len(arn.replace(ACCOUNT_ID, "0" * 12).rpartition("/")[2]) > LONGEST_ROLE_NAME:
        raise PydanticCustomError("role_name_too_long", "a role name of more than 64 characters")
    return arn


def _session_length(duration: timedelta) -> timedelta:
    # STS API reference, AssumeRole: DurationSeconds.
    if not timedelta(minutes=15) <= duration <= timedelta(hours=12):
        raise PydanticCustomError("session_duration", "outside what STS takes")
    return duration


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_visible)]
RoleName = Annotated[str, Field(pattern=f"^[{_NAMED}]{{1,64}}$")]
RoleArn = Annotated[str, Field(pattern=_ROLE_ARN), AfterValidator(_iam_length)]
# STS API reference, AssumeRole: ExternalId, RoleSessionName.
ExternalId = Annotated[str, Field(pattern="^[A-Za-z0-9_+=,.@:/-]{2,1224}$")]
SessionName = Annotated[str, Field(pattern=f"^[{_NAMED}]{{2,64}}$")]
SourceIdentity = Annotated[str, Field(pattern=f"^[{_NAMED}]{{2,64}}$")]
HubArn = Annotated[str, Field(pattern=_HUB_ARN)]
MOST_TAGS, LONGEST_TAG_KEY, LONGEST_TAG_VALUE = 50, 128, 256
"""STS API reference, AssumeRole, Tags, and Tag. What else holds of them is looked at in auditor.config.tags."""
SessionTags = Annotated[
    dict[str, str],
    Field(
        json_schema_extra={
            "maxProperties": MOST_TAGS,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_TAG_KEY},
        }
    ),
]
Rate = Annotated[float, Field(ge=0.01, le=10_000, allow_inf_nan=False)]
"""Requests a second. The least is one in 100 s: slower than that, a run would end at its deadline."""
AccountId = Annotated[str, Field(pattern="^[0-9]{12}$")]
OrganizationRoleArn = Annotated[
    str, Field(pattern=rf"^arn:aws:iam::[0-9]{{12}}:role/(?:[!-z|~]{{1,510}}/)?[{_NAMED}]{{1,64}}$")
]
# Organizations API reference, OrganizationalUnit: Name, of at most 128 characters, five levels below the root.
OrganizationalUnit = Annotated[
    str, Field(min_length=1, max_length=1024, pattern="^[^/]+(?:/[^/]+)*$"), AfterValidator(_visible)
]
# Organizations API reference, Tag: Value.
TagValue = Annotated[str, Field(max_length=256)]
TagValues = Annotated[list[TagValue], Field(min_length=1)]


class _Entry(BaseModel):
    # Strict: true is no number, and a number no text.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class AccountSettings(_Entry):
    """What can be said of every account, and of one."""

    role_name: RoleName | None = Field(
        default=None,
        description="The role assumed in the account, by its name: arn:aws:iam::{account_id}:role/NAME.",
    )
    role_arn: RoleArn | None = Field(
        default=None,
        description="The role by its ARN, for one with a path; {account_id} stands for the account's id.",
    )
    external_id: ExternalId | None = Field(
        default=None, repr=False, description="The ExternalId that the role's trust policy asks for."
    )
    session_name: SessionName = Field(
        default="lightsail-export-audit", description="The session's name, as CloudTrail shows it."
    )
    session_duration: Annotated[Duration, AfterValidator(_session_length)] = Field(
        default=timedelta(hours=1), description="How long assumed credentials last, 15m to 12h."
    )
    session_tags: SessionTags = Field(
        default_factory=dict, description="Tags of the session; the role's trust has to allow sts:TagSession."
    )
    source_identity: SourceIdentity | None = Field(
        default=None,
        description="Who is behind the session, for CloudTrail; the trust has to allow sts:SetSourceIdentity.",
    )
    session_policy: bool = Field(
        default=True, description="Whether each session is narrowed to the actions that the run calls."
    )
    max_requests_per_second: Rate | None = Field(
        default=None,
        description="Requests a second in the account, its Regions together, 0.01 to 10000; no limit, unless given.",
    )
    max_requests_per_second_per_region: Rate | None = Field(
        default=None,
        description="Requests a second in each Region of the account, 0.01 to 10000; no limit, unless given.",
    )
    # Looked at where the known Regions are at hand.
    regions: Any = Field(default="all", description="all, or a list of Regions that Lightsail has.")


class Defaults(AccountSettings):
    """What holds for every account that says nothing else, and the way to all of them."""

    hub_role_arn: HubArn | None = Field(
        default=None, description="The role that is assumed first, and with which all others are assumed."
    )
    hub_external_id: ExternalId | None = Field(
        default=None, repr=False, description="The ExternalId that the hub role's trust policy asks for."
    )


class AccountEntry(AccountSettings):
    """One account; what it does not say comes from the defaults."""

    id: AccountId = Field(description="The account's twelve digits, in quotes: a leading zero counts.")
    name: Name | None = Field(default=None, description="What people call the account.")


class SelectionEntry(_Entry):
    """Which accounts of the organisation are meant: those that any one of its lines names."""

    ous: Annotated[list[OrganizationalUnit], Field(min_length=1)] | None = Field(
        default=None,
        description="Organizational units, each by its path, such as Root/Workloads/Prod, or its id; "
        "with all that is below it.",
    )
    accounts: Annotated[list[AccountId], Field(min_length=1)] | None = Field(
        default=None, description="Accounts by id, in quotes."
    )
    names: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="Patterns of accounts' names, such as sandbox-*; * ? and [a-z] as in a shell.",
    )
    tags: Annotated[dict[str, TagValue | TagValues], Field(min_length=1)] | None = Field(
        default=None,
        description="Tags of accounts: key: value, key: [one, or another], or key: '*' for any value.",
    )


class OrganizationEntry(_Entry):
    """Accounts from AWS Organizations; with nothing in it, all that there are."""

    role_arn: OrganizationRoleArn | None = Field(
        default=None,
        description="A role of the management account, or of a delegated administrator's, to list accounts with.",
    )
    external_id: ExternalId | None = Field(
        default=None, repr=False, description="The ExternalId that this role's trust policy asks for."
    )
    include: SelectionEntry | None = Field(default=None, description="These alone; all, unless given.")
    exclude: SelectionEntry | None = Field(default=None, description="But for these.")


class HistoryEntry(_Entry):
    """Where earlier runs are remembered; with nothing in it, in a file beside this one."""

    # Looked at in auditor.config.history, where the file's folder is known.
    store: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        repr=False,
        description="A file's path, sqlite:///PATH, postgresql://USER@HOST/DATABASE or s3://BUCKET/KEY.",
    )
    wait: Duration | None = Field(
        default=None,
        description="How long a run waits for another that is at the same history; unless given, not at all.",
    )


class Document(_Entry):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})] = Field(
        description="The format of this file: 1."
    )
    defaults: Defaults = Field(
        default_factory=Defaults, description="What holds for every account that says nothing else."
    )
    accounts: Annotated[list[AccountEntry], Field(min_length=1)] = Field(description="The accounts to audit.")
    organization: OrganizationEntry | None = Field(
        default=None,
        description="Accounts from AWS Organizations, beside those of the list or in place of it.",
    )
    # Each policy's settings are looked at by the policy's own class.
    policies: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of policies; one that is not named is on, with its defaults.",
    )
    # Each destination's settings are looked at by the class of its kind.
    destinations: dict[str, Any] = Field(
        default_factory=dict, description="Where findings, gaps and the run itself are sent, each by a name."
    )
    limits: Limits = Field(default_factory=Limits, description="How much a run may take.")
    waivers: list[WaiverEntry] = Field(
        default_factory=list, description="Findings that are known and accepted, each until a date."
    )
    accepted_gaps: list[AcceptedGapEntry] = Field(
        default_factory=list, description="What can't be read, and is known and accepted, each until a date."
    )
    history: HistoryEntry | None = Field(
        default=None,
        description="Where earlier runs are remembered: by it is told what is new, recurring or resolved.",
    )


class DocumentOfOrganization(Document):
    """The whole file, where an organisation says which accounts there are."""

    accounts: list[AccountEntry] = Field(
        default_factory=list,
        description="Accounts of which something else is to be said, or beside those found.",
    )
