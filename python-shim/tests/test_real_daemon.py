"""The protocol as the real daemon speaks it, where Node and its packages are installed."""

import os
import tempfile
from pathlib import Path

import pytest
import torch
from helpers import gate, greys
from real_daemon import served


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served("--port", "0", "--data-dir", tmp_path_factory.mktemp("data"), "--token", "long-enough") as url:
        yield url


@pytest.fixture
def real(url, connect):
    connect(url, "long-enough")


def picture(seed: int, channels: int = 3, size: int = 256) -> torch.Tensor:
    """Soft blots of colour: no guard takes them for blank or noise."""
    small = torch.rand(1, channels, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (size, size), mode="bicubic").permute(0, 2, 3, 1)


def test_scores_and_decisions(real, nodes):
    batches = [picture(1).half(), picture(2, channels=4), picture(3, channels=1), greys(0.0, size=256)]
    images, quality, alignment, _, reward, report = nodes.AssayScore().run(batches, prompt=["soft blots"])["result"]
    assert all(isinstance(number, float) for number in quality[:3]), report
    assert all(isinstance(number, float) for number in alignment[:3]), report
    assert not isinstance(reward[3], float)
    assert "blank" in report
    assert all(came is gone for came, gone in zip(batches, images, strict=True))


def test_policies_are_understood(real, nodes):
    for measure, threshold in (("percentile", 1.0), ("MOS", 5.0), ("reward", 1.0)):
        outputs = gate(nodes, picture(1), measure=measure, threshold=threshold)["result"]
        assert torch.is_tensor(outputs[1][0]), outputs[3]
    outputs = gate(nodes, picture(1), measure="MOS", threshold=0.01, unsure_within_interval=True, unsure="separate")
    assert any(torch.is_tensor(outputs["result"][i][0]) for i in (0, 2))


def test_refusals_are_understood(real, nodes):
    assert "[UNKNOWN_SCORER]" in gate(nodes, picture(1), scorer="nobody")["result"][3]
    assert "[IMAGE_TOO_SMALL]" in gate(nodes, greys(0.5, size=4))["result"][3]


def test_fingerprint(real, nodes):
    first = nodes.AssayGate.IS_CHANGED(scorer=[""])
    assert first == nodes.AssayGate.IS_CHANGED(scorer=["assay-lite"])
    assert first.startswith("assay-lite@")


@pytest.mark.skipif(os.name == "nt", reason="no unix sockets")
def test_a_unix_socket_and_a_token_from_a_file(connect, nodes, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:  # short, as the path of a socket must be
        token = Path(folder, "token")
        token.write_text("long-enough\n")
        token.chmod(0o600)
        flags = ("--socket", f"{folder}/s", "--token-file", token, "--data-dir", folder)
        with served(*flags) as url:
            assert url == f"unix:{folder}/s"
            monkeypatch.setenv("ASSAY_TOKEN_FILE", str(token))
            connect(url)
            assert "1 accepted" in gate(nodes, picture(1), threshold=0.0)["result"][3]
            assert nodes.AssayGate.IS_CHANGED(scorer=[""]).startswith("assay-lite@")
