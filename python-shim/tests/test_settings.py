"""The address and the token, as the environment tells them."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon
from helpers import gate, greys

TOKEN = "a-right-long-token"


@pytest.fixture
def folder():
    """A short one: the path of a socket has room for about a hundred characters."""
    path = Path(tempfile.mkdtemp(prefix="assay-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def told(part, monkeypatch, host):
    """What a gate reports with the environment set to `told(ASSAY_URL=…)`."""

    def tell(nodes, **environment):
        for name in ("ASSAY_URL", "ASSAY_TOKEN", "ASSAY_TOKEN_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        cache = part("waiting").daemon
        cache.cache_clear()
        try:
            return gate(nodes, greys(0.9))["result"][3]
        finally:
            if cache.cache_info().currsize:
                host.call(cache().close())
            cache.cache_clear()

    return tell


@pytest.fixture
def guarded(host):
    daemon = FakeDaemon(token=TOKEN)
    host.call(daemon.start())
    yield daemon
    host.call(daemon.stop())


@pytest.mark.parametrize("text", [TOKEN, f"\ufeff  {TOKEN}\r\n"])
def test_a_token_from_a_file(guarded, nodes, told, tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text, "utf-8")
    assert "1 accepted" in told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN_FILE=path, ASSAY_TOKEN=" ")


def test_a_token_with_space_around_it(guarded, nodes, told):
    assert "1 accepted" in told(nodes, ASSAY_URL=f" {guarded.url}\n", ASSAY_TOKEN=f" {TOKEN}\n", ASSAY_TOKEN_FILE="")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_a_token_that_the_shell_hands_over(guarded, nodes, told):
    reader, writer = os.pipe()
    os.write(writer, TOKEN.encode())
    os.close(writer)
    try:
        assert "1 accepted" in told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN_FILE=f"/dev/fd/{reader}")
    finally:
        os.close(reader)


@pytest.mark.parametrize("made", ["absent", "a folder", "a pipe", "empty", "short", "two words"])
def test_a_file_without_a_token(guarded, nodes, told, tmp_path, made):
    path = tmp_path / "token"
    if made == "a folder":
        path.mkdir()
    elif made == "a pipe":
        os.mkfifo(path)
    elif made != "absent":
        path.write_text({"empty": "", "short": "s3cret", "two words": "s3cret s3cret"}[made])
    report = told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN_FILE=path)
    assert report.startswith("1 image: 0 accepted, 0 rejected, 1 passed unscored")
    assert f"cannot take the token from {path}" in report
    assert "[TOKEN_UNREADABLE]" in report
    assert "s3cret" not in report


@pytest.mark.parametrize("given", ["s3cret", "s3cret s3cret", '"s3cret-s3cret"', "s3crét-s3crét"])
def test_a_token_that_is_none(guarded, nodes, told, given):
    report = told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN=given)
    assert "ASSAY_TOKEN: token is (not shown); expected" in report
    assert "[CONFIG_INVALID]" in report
    assert "s3cr" not in report


def test_two_tokens(guarded, nodes, told, tmp_path):
    report = told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN=TOKEN, ASSAY_TOKEN_FILE=tmp_path / "token")
    assert "either ASSAY_TOKEN or ASSAY_TOKEN_FILE, not both [CONFIG_INVALID]" in report


def test_a_file_that_others_can_read(guarded, nodes, told, tmp_path, caplog):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN_FILE=path)
    assert "chmod" not in caplog.text
    path.chmod(0o644)
    told(nodes, ASSAY_URL=guarded.url, ASSAY_TOKEN_FILE=path)
    assert f"every user of this machine can read {path}: chmod 600" in caplog.text


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_a_daemon_on_a_unix_socket(host, nodes, told, part, connect, folder, form):
    path = folder / "s"
    daemon = FakeDaemon(TOKEN, str(path))
    host.call(daemon.start())
    try:
        assert "1 accepted" in told(nodes, ASSAY_URL=form.format(path), ASSAY_TOKEN=TOKEN)
        assert "[UNAUTHORIZED]" in told(nodes, ASSAY_URL=form.format(path))
        connect(daemon.url, TOKEN)
        assert nodes.AssayGate.IS_CHANGED(scorer=[""]).startswith("bright@1.0.0")
    finally:
        host.call(daemon.stop())
    assert "[DAEMON_UNREACHABLE]" in told(nodes, ASSAY_URL=form.format(path))


@pytest.mark.parametrize(
    ("path", "reason"),
    [("nowhere/s", "No such file"), ("file", "Connection refused"), ("x" * 200, "path too long"), ("", "unix:: ")],
)
def test_sockets_that_are_none(nodes, told, folder, path, reason):
    (folder / "file").touch()
    url = f"unix:{folder / path}" if path else "unix:"
    report = told(nodes, ASSAY_URL=url)
    assert reason in report
    assert "[DAEMON_UNREACHABLE]" in report


def test_a_system_without_unix_sockets(nodes, told, monkeypatch):
    monkeypatch.delattr("socket.AF_UNIX")
    assert "this system has no unix sockets [DAEMON_UNREACHABLE]" in told(nodes, ASSAY_URL="unix:/s")
