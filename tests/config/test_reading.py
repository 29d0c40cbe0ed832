"""Files that are none, and content that nobody meant."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.config import load_config, tree
from auditor.errors import ConfigError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

SMALL = 'version: 1\ndefaults: {role_name: R}\naccounts: [{id: "111122223333"}]\n'


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, policy_settings={}, known_regions=["us-east-1"], environ={})
    (problem,) = caught.value.problems
    assert problem.line is None
    assert str(caught.value) == f"{problem.file}: {problem.text}"
    return problem.text


def test_a_missing_file_is_told_with_how_to_begin(tmp_path: Path) -> None:
    text = refused(tmp_path / "accounts.yaml")
    assert text == "no such file; copy accounts.example.yaml and fill in your accounts, or name yours with -c"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    assert refused(tmp_path) == "is a directory; name the file in it"
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in refused(tmp_path / "pipe")
    assert refused(Path("/dev/zero")) == "is a device; name a file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert "can't be read" in refused(tmp_path / "s")
    assert "can't be read" in refused(tmp_path / "pipe" / "under")
    assert "can't be read" in refused(tmp_path / ("x" * 5000))
    assert "is no path" in refused(tmp_path / "a\0b")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "can't be read" in refused(tmp_path / "loop")


def test_a_file_that_this_user_may_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(SMALL)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root reads everything
        os.seteuid(65_534)
    try:
        assert refused(path) == "can't be read: permission denied; let this user read it"
    finally:
        os.seteuid(user)


def test_a_hostile_file_name_is_shown_escaped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\\x1b\[2J: no such file"):
        load_config(tmp_path / "\x1b[2J", policy_settings={}, known_regions=[], environ={})


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_both_of_pyyamls_loaders_read_the_same(
    load: Load, loader: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Installed without libyaml, PyYAML has the one in Python alone.
    monkeypatch.setattr(tree, "_LOADER", loader)
    assert load(SMALL + '# "\n').accounts[0].id == "111122223333"
    for content, line in [
        (SMALL + "\tx: 1\n", 4),
        (SMALL + "x: *y\n", 4),
        (SMALL + "[" * 30, 4),
        (SMALL + 'x: "\\UFFFFFFFF"\n', None),
        (SMALL + "---\n", 4),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(content)
        assert len(caught.value.problems) == 1
        assert caught.value.problems[0].line in {line, line or 4}


WORDS = st.sampled_from(
    [*"{}[]:,-?!&*|>%@#'\"\n\t ~$", "${", "${X}", "<<", "&a ", "*a", "---\n", "!!int ", "1", "\x85"]
)
KEYS = st.sampled_from(
    "version defaults accounts policies limits id name role_name role_arn external_id session_name session_duration "
    "regions waivers stuck-export max_age severity concurrency".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | KEYS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
FEW = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(st.binary() | st.text() | st.lists(WORDS | KEYS).map("".join))
def test_any_bytes_are_a_configuration_or_a_config_error(load: Load, content: str | bytes) -> None:
    written = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    with suppress(ConfigError):
        load(written)


@FEW
@given(st.dictionaries(KEYS, VALUES))
def test_any_values_in_any_place_are_a_configuration_or_a_config_error(load: Load, content: object) -> None:
    with suppress(ConfigError):
        load(yaml.safe_dump(content, allow_unicode=True))


@FEW
@given(st.dictionaries(KEYS, VALUES), st.dictionaries(KEYS, VALUES), st.lists(st.dictionaries(KEYS, VALUES)))
def test_every_fault_has_a_line_of_the_file_and_one_line_of_text(
    load: Load, top: dict[str, object], defaults: object, accounts: object
) -> None:
    content = yaml.safe_dump({**top, "defaults": defaults, "accounts": accounts}, allow_unicode=True)
    try:
        load(content)
    except ConfigError as error:
        lines = [problem.line or 0 for problem in error.problems]
        assert lines == sorted(lines)
        assert lines[-1] <= content.count("\n") + 1
        assert all(shown(problem.text) == problem.text for problem in error.problems)  # noqa: PT017 -- the same
