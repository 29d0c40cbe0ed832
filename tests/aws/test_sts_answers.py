"""Answers to AssumeRole that no simulator of STS would give: none is taken for a session, or for the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from auditor.audit import RunOptions

if TYPE_CHECKING:
    from tests.aws.conftest import Asked, Estates, Http, Serve

ARN = "arn:aws:sts::{account}:assumed-role/LightsailExportAuditor/lightsail-export-audit"


def assumed(
    *,
    arn: str | None = ARN,
    key: str | None = "ASIAEXAMPLEEXAMPLE00",
    expiration: str | None = "2999-01-01T00:00:00Z",
) -> str:
    user = f"<AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser>" if arn is not None else ""
    key_id = f"<AccessKeyId>{key}</AccessKeyId>" if key is not None else ""
    until = f"<Expiration>{expiration}</Expiration>" if expiration is not None else ""
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"{user}<Credentials>{key_id}<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>{until}"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


def refused(code: str, message: str = "no") -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


ANSWERS: dict[str, tuple[int, str, str, str | None]] = {
    # What is answered → status, body, verdict, reason.
    "as it should be": (200, assumed(), "complete", None),
    "an end that is over": (200, assumed(expiration="2001-01-01T00:00:00Z"), "complete", None),
    "nothing": (200, "", "failed", "bad-response"),
    "a proxy's page": (200, "<html><body>hello</body></html>", "failed", "bad-response"),
    "JSON": (200, "{}", "failed", "bad-response"),
    "an error of status 200": (200, refused("AccessDenied"), "failed", "bad-response"),
    "no key": (200, assumed(key=None), "failed", "bad-response"),
    "an empty key": (200, assumed(key=""), "failed", "bad-response"),
    "no end": (200, assumed(expiration=None), "failed", "bad-response"),
    "an end that is no time": (200, assumed(expiration="soon"), "failed", "bad-response"),
    "no ARN": (200, assumed(arn=None), "failed", "bad-response"),
    "another account": (200, assumed(arn=ARN.format(account="999999999999")), "failed", "wrong-account"),
    "an ARN without an account": (200, assumed(arn="LightsailExportAuditor"), "failed", "wrong-account"),
    "status 202": (202, assumed(), "failed", "bad-response"),
    "a refusal": (403, refused("AccessDenied"), "failed", "role-not-assumable"),
    "a broken gateway": (502, "<html>", "failed", "service-error"),
    "a secret": (403, refused("AccessDenied", "canary of {account}"), "failed", "role-not-assumable"),
}


async def test_only_a_whole_session_of_the_planned_account_is_read_with(
    serve: Serve, http: Http, estates: Estates
) -> None:
    estate = estates.estate(accounts=len(ANSWERS))
    answers = dict(zip((account.id for account in estate.accounts), ANSWERS, strict=True))

    def sts(asked: Asked) -> bytes:
        form = parse_qs(asked.body.decode())
        if form["Action"] == ["GetCallerIdentity"]:
            return http(403, refused("AccessDenied"), kind="text/xml")
        account = form["RoleArn"][0].split(":")[4]
        status, body, _, _ = ANSWERS[answers[account]]
        body = body.replace("{account}", account).replace("canary", form["ExternalId"][0])
        return http(status, body, kind="text/xml")

    def lightsail(_: Asked) -> bytes:
        return http(200, {"exportSnapshotRecords": []})

    async with serve(sts) as asked_of_sts, serve(lightsail) as read:
        result = await estates.audit(
            estate, lightsail=read.url, sts=asked_of_sts.url, options=RunOptions(min_coverage=0)
        )

    lines = {line["account_id"]: line for line in result.ledger.lines()}
    assert {answers[account]: (line["verdict"], line["reason"]) for account, line in lines.items()} == {
        name: (verdict, reason) for name, (_, _, verdict, reason) in ANSWERS.items()
    }
    assert len(read.asked) == 2  # of the two that are complete
    (told,) = (lines[account]["error_message"] for account, name in answers.items() if name == "a secret")
    assert told.startswith("*** of ")
    assert result.exit_code == 0
