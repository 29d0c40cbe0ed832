"""A history that is kept in S3, as moto serves it: fetched, put back where nobody else has, and never lost."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http import client as http_client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from moto.server import ThreadedMotoServer

from auditor.aws.objects import open_objects
from auditor.config import S3Store, SQLiteStore
from auditor.errors import SinkError, UsageError
from auditor.history.in_s3 import FILE, Fetched, fetch, put_back
from auditor.model import Status
from tests.delivery.receiver import Silence, http, receiving
from tests.history.conftest import Night, Nights, arn, finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

STORE = S3Store("audit-history", "nightly/history.sqlite3")
SECRET = "canary-of-the-base-credentials"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of moto's, and a client to look into it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", "us-east-1", endpoint_url=url)
    try:
        _reset(host, port)  # what moto holds is this process's, whichever of its servers is asked
        client.create_bucket(Bucket=STORE.bucket)
        yield client
    finally:
        client.close()
        server.stop()


def _reset(host: str, port: int) -> None:
    connection = http_client.HTTPConnection(host, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def _fetch(folder: Path, store: S3Store = STORE) -> Fetched:
    async with open_objects(request_timeout=10, allow_http=False) as objects:
        return await fetch(objects, store, _made(folder))


async def _put_back(fetched: Fetched, keep: Path) -> None:
    async with open_objects(request_timeout=10, allow_http=False) as objects:
        await put_back(objects, fetched, keep=keep)


async def _night(folder: Path, night: Night, number: int) -> dict[str, Any]:
    """Run a night on a machine that has nothing but this fresh folder."""
    fetched = await _fetch(folder)
    told = Nights(fetched.store, number - 1)(night)
    assert _names(folder) == [FILE, f"{FILE}.lock"]
    await _put_back(fetched, folder)
    return told


async def test_two_nights_on_fresh_machines_tell_what_recurs_and_what_is_resolved(
    s3: Any, tmp_path: Path
) -> None:
    first = await _night(tmp_path / "one", Night(found=[finding(1), finding(2)]), 1)
    second = await _night(tmp_path / "two", Night(found=[finding(1)], read=frozenset({arn(1), arn(2)})), 2)

    assert {each.status for each in first.values()} == {Status.NEW}
    assert second[finding(1).finding_id].status is Status.RECURRING
    assert second[finding(1).finding_id].first_seen == "2026-11-01T01:00:00Z"
    assert second[finding(2).finding_id].status is Status.RESOLVED
    assert s3.list_objects_v2(Bucket=STORE.bucket)["KeyCount"] == 1


@pytest.mark.parametrize("exists", [False, True])
async def test_a_lost_race_is_refused_and_what_the_other_wrote_stands(
    s3: Any, tmp_path: Path, *, exists: bool
) -> None:
    if exists:
        await _night(tmp_path / "before", Night(found=[finding(1)]), 1)
    slow = await _fetch(tmp_path / "slow")
    Nights(slow.store, 1)(Night(found=[finding(1)]))
    await _night(tmp_path / "fast", Night(found=[finding(2)]), 2)
    stands = s3.get_object(Bucket=STORE.bucket, Key=STORE.key)["ETag"]
    keep = tmp_path / "run"
    keep.mkdir()

    with pytest.raises(SinkError, match=r"was not put back: another run has written it meanwhile") as caught:
        await _put_back(slow, keep)

    assert f"this run's copy is kept in {keep / FILE}" in str(caught.value)
    assert (keep / FILE).read_bytes() == slow.store.path.read_bytes()
    assert s3.get_object(Bucket=STORE.bucket, Key=STORE.key)["ETag"] == stands


async def test_a_bucket_that_is_not_there_is_told_before_the_run(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"s3://nowhere/history can't be fetched: .*NoSuchBucket") as caught:
        await _fetch(tmp_path / "one", S3Store("nowhere", "history"))

    assert SECRET not in str(caught.value)
    assert s3 is not None


async def test_a_bucket_that_goes_away_leaves_the_copy_to_the_user(s3: Any, tmp_path: Path) -> None:
    fetched = await _fetch(tmp_path / "one")
    Nights(fetched.store)(Night(found=[finding(1)]))
    s3.delete_bucket(Bucket=STORE.bucket)

    with pytest.raises(SinkError, match=r"was not put back: .*NoSuchBucket.*; this run's copy is kept in"):
        await _put_back(fetched, tmp_path)

    assert Nights(fetched.store, 1).of(Night(found=[finding(1)])) is not None


async def test_a_copy_that_is_kept_takes_no_other_files_place(s3: Any, tmp_path: Path) -> None:
    fetched = await _fetch(tmp_path / "one")
    Nights(fetched.store)(Night(found=[finding(1)]))
    s3.delete_bucket(Bucket=STORE.bucket)
    (tmp_path / FILE).write_bytes(b"a history of its own")

    for number in (2, 3):
        with pytest.raises(SinkError, match=rf"is kept in \S+/auditor-history\.{number}\.sqlite3"):
            await _put_back(fetched, tmp_path)

    assert (tmp_path / FILE).read_bytes() == b"a history of its own"
    assert (tmp_path / "auditor-history.2.sqlite3").read_bytes() == fetched.store.path.read_bytes()


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (b"", r"is an empty object; restore it, or delete it to begin a new history"),
        (b"<html>not found</html>" * 99, r"\(its copy here\) is no history, or is damaged"),
        (b"SQLite format 3\0" + b"\xff" * 9_000, r"\(its copy here\) is (?:no history, or is )?damaged"),
    ],
    ids=["empty", "a page", "damaged"],
)
async def test_an_object_that_is_no_history_is_refused_and_left_as_it_is(
    s3: Any, tmp_path: Path, held: bytes, why: str
) -> None:
    s3.put_object(Bucket=STORE.bucket, Key=STORE.key, Body=held)

    with pytest.raises(UsageError, match=rf"the history {STORE.name} {why}"):
        await _night(tmp_path / "one", Night(), 1)

    assert s3.get_object(Bucket=STORE.bucket, Key=STORE.key)["Body"].read() == held


async def test_a_history_that_was_cut_short_is_refused(s3: Any, tmp_path: Path) -> None:
    local = SQLiteStore(tmp_path / "local.sqlite3")
    Nights(local)(Night(found=[finding(number) for number in range(50)]))
    whole = local.path.read_bytes()
    s3.put_object(Bucket=STORE.bucket, Key=STORE.key, Body=whole[: len(whole) // 2])

    with pytest.raises(UsageError, match=rf"the history {STORE.name} \(its copy here\) is damaged"):
        await _night(tmp_path / "one", Night(), 1)


DENIED = (
    b"<Error><Code>AccessDenied</Code><Message>no s3:GetObject &#x202e;%s</Message></Error>" % SECRET.encode()
)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (http(403, DENIED), "access-denied: AccessDenied: no s3:GetObject"),
        (
            http(200, b"", "ETag: x", "Connection: close").replace(b"Length: 0", b"Length: 99"),
            "network-error|bad-response",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "network-error|bad-response"),
        (Silence.HANG, "timeout"),
    ],
    ids=["denied", "cut short", "no HTTP", "hangs"],
)
async def test_an_s3_that_does_not_give_it_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes | Silence, why: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr("auditor.aws.objects._TRIES", 1)
    async with receiving(lambda _asked: said) as receiver:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", receiver.url)
        with pytest.raises(
            UsageError, match=f"the history {STORE.name} can't be fetched: (?:{why})"
        ) as caught:
            async with open_objects(request_timeout=0.5, allow_http=False) as objects:
                await fetch(objects, STORE, _made(tmp_path / "one"))

    assert SECRET not in str(caught.value)
    assert "\u202e" not in str(caught.value)


async def test_plain_http_to_another_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example:9000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    with pytest.raises(UsageError, match=r"calls to s3 would go over plain http to s3\.example"):
        await _fetch(tmp_path / "one")


async def test_a_write_whose_answer_was_lost_is_no_race_with_itself(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 took the first try, and the way back broke: the second is refused, and the object is ours all the same."""
    fetched = await _fetch(tmp_path / "one")
    Nights(fetched.store)(Night(found=[finding(1)]))
    with _losing_the_first_answer(s3.meta.endpoint_url) as (url, puts):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        await _put_back(fetched, tmp_path)

    assert puts == [200, 412]
    assert s3.get_object(Bucket=STORE.bucket, Key=STORE.key)["Body"].read() == fetched.store.path.read_bytes()
    assert not (tmp_path / FILE).exists()


def test_the_commands_read_and_write_a_history_in_s3(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.entry import auditor  # noqa: PLC0415 -- what is imported with it is not needed by the others

    local = SQLiteStore(tmp_path / "local.sqlite3")
    Nights(local)(Night(found=[finding(1)]))
    s3.put_object(Bucket=STORE.bucket, Key=STORE.key, Body=local.path.read_bytes())
    config = tmp_path / "accounts.yaml"
    config.write_text(
        "version: 1\ndefaults: {role_name: R}\naccounts: [{id: '111122223333'}]\n"
        f"history: {{store: '{STORE.name}'}}\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        assert auditor.main(["history", "-c", str(config), *arguments], standalone_mode=False) == 0
        return capsys.readouterr().out

    assert [run["run_id"] for run in json.loads(call("--json"))["runs"]] == ["run-1"]
    call("retire", "--account", "111122223333", "--by", "ops", "--reason", "sold")
    assert json.loads(call("findings", "--json"))["findings"] == []


@contextmanager
def _losing_the_first_answer(server: str) -> Iterator[tuple[str, list[int]]]:
    """Pass everything on to `server`, but for the answer to the first PUT; note what each PUT was answered."""
    to = urlsplit(server)
    puts: list[int] = []

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            onward = http_client.HTTPConnection(to.hostname or "", to.port)
            onward.request(self.command, self.path, body, dict(self.headers))
            answer = onward.getresponse()
            content = answer.read()
            onward.close()
            if self.command == "PUT":
                puts.append(answer.status)
            self.close_connection = True
            if puts == [200] and self.command == "PUT":
                return  # the connection ends without a word
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_HEAD = _pass_on  # noqa: N815 -- the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    serving = threading.Thread(target=proxy.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", puts
    finally:
        proxy.shutdown()
        serving.join()
        proxy.server_close()
