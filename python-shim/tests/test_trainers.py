"""The examples and the blocks of docs/rewards.md, against the real daemon; and that the package can be installed."""

import pkgutil
import re
import runpy
import shutil
import subprocess
import sys

import pytest
import torch
from real_daemon import ROOT, served

from assay_client.link.errors import ERRORS
from assay_client.rewards import asking

EXAMPLES = ROOT / "examples/trainers"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/example.py"))
PAGE = (ROOT / "docs/rewards.md").read_text("utf-8")
SECTIONS = {section.split("\n", 1)[0]: section for section in re.split(r"^## ", PAGE, flags=re.M)[1:]}
PYTHON = re.compile(r"```python\n(.*?)```", re.S)
BLOCKS = {title: PYTHON.search(text)[1] for title, text in SECTIONS.items() if PYTHON.search(text)}
BLOCKS["README"] = re.search(r"```python\n(from assay_client .*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)[1]


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+\.?\d*", text)]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served("--port", "0", "--data-dir", tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture(autouse=True)
def environment(url, monkeypatch):
    monkeypatch.setenv("ASSAY_URL", url)
    monkeypatch.setattr(asking, "_shared", {})
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])


@pytest.mark.parametrize("name", NAMES)
def test_example(name, capsys):
    runpy.run_path(str(EXAMPLES / name / "example.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert re.search(r"\d\.\d", said) and "nan" not in said


def test_the_output_that_is_promised(capsys):
    runpy.run_path(str(EXAMPLES / "ddpo/example.py"), run_name="__main__")
    said = capsys.readouterr().out
    promised = (EXAMPLES / "README.md").read_text("utf-8").split("```\n")[-2]
    assert re.sub(r"[-\d.]+", "#", said) == re.sub(r"[-\d.]+", "#", promised)
    assert numbers(said) == pytest.approx(numbers(promised), abs=0.05)


@pytest.mark.parametrize("title", sorted(BLOCKS))
def test_block_of_the_page(title, url, capsys):
    from pictures import PROMPT, landscapes

    images = torch.from_numpy(landscapes(2)).permute(0, 3, 1, 2)
    given = {"images": images, "prompts": (PROMPT, PROMPT), "metadata": ({}, {}), "torch": torch}
    code = BLOCKS[title].replace("http://127.0.0.1:7878", url)
    exec(compile(code, f"docs/rewards.md, {title}", "exec"), given)
    assert "nan" not in capsys.readouterr().out


def test_each_trainer_has_a_block_and_an_example():
    assert len(NAMES) == 8
    # beside those the client's scores and rewards, the wire, and the README; each section has one
    assert len(BLOCKS) == len(NAMES) + 4 == len(PYTHON.findall(PAGE)) + 1


def test_what_configs_of_trainers_name_can_be_imported():
    names = re.findall(r"assay_client\.rewards[\w.]*", PAGE)
    assert len(set(names)) > 5
    for name in names:
        pkgutil.resolve_name(name)
    (path, function) = re.search(r"path: …/(\S+\.py), name: (\w+)", PAGE).groups()
    assert hasattr(pkgutil.resolve_name(path.removesuffix(".py").replace("/", ".")), function)


def test_the_errors_are_those_of_the_page():
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    assert [code for code in ERRORS if f"### {code}\n" not in page] == []


def test_the_package_can_be_installed(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "python-shim", source, ignore=shutil.ignore_patterns("tests", "comfyui", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", tmp_path / "there", source], check=True, capture_output=True)
    code = "import assay_client, assay_client.rewards as r; print(assay_client.__file__, r.triple)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "there", capture_output=True, text=True, check=True
    )
    assert str(tmp_path / "there") in said.stdout
    assert (tmp_path / "there/assay_client/py.typed").exists()
