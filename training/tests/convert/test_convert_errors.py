import inspect
import json
import re
import sys
from copy import deepcopy
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from assay_training.__main__ import main
from assay_training.aapmt.package import prepare as aapmt
from assay_training.acl_iqa.package import prepare as acl_iqa
from assay_training.checkpoints import CheckpointError
from assay_training.convert import System, make_folder
from assay_training.onnx_export import export
from convert.convert_world import WORDS, tokenizer


@pytest.fixture
def system(world) -> System:
    """One that a test may change."""
    return replace(world.system, graphs=dict(world.system.graphs), manifest=deepcopy(world.system.manifest))


def refused(system: System, out, message: str, **options) -> None:
    with pytest.raises(CheckpointError, match=message):
        make_folder(system, out, **options)
    assert not out.exists()


def test_another_context_length_names_both(system, tmp_path):
    system.manifest["text"]["contextLength"] = 9
    refused(
        system,
        tmp_path / "out",
        r"prompt\.onnx: input 'ids' takes .*\[2, 8\], the manifest has 2 texts of contextLength 9",
    )


def test_another_number_of_texts_names_both(system, tmp_path):
    system.manifest["graphs"][0]["texts"].append("one more")
    refused(system, tmp_path / "out", r"\[2, 8\], the manifest has 3 texts")


@pytest.mark.parametrize("words", [WORDS + 1, 4000])
def test_a_tokenizer_with_ids_beyond_the_embedding_is_named_with_the_graph(system, tmp_path, words):
    path = tmp_path / "other.json"
    tokenizer(words).save(str(path))
    message = rf"other\.json: gives ids up to {words - 1}, which are beyond the embedding of .*prompt\.onnx"
    refused(replace(system, tokenizer=path), tmp_path / "out", message)


def test_a_context_that_special_tokens_fill_is_named(system, tmp_path):
    system.manifest["text"]["contextLength"] = 2
    refused(system, tmp_path / "out", "an empty text has 2 tokens, which leaves none of contextLength 2")


def test_a_file_that_is_no_tokenizer_is_named(system, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    refused(
        replace(system, tokenizer=tmp_path / "vocab.txt"), tmp_path / "out", r"vocab\.txt: cannot be read as"
    )
    refused(replace(system, tokenizer=tmp_path / "none"), tmp_path / "out", "none: file not found")


def test_a_missing_graph_is_named(system, tmp_path):
    del system.graphs["picture"]
    refused(system, tmp_path / "out", "graphs names 'picture'; there are prompt, score")
    system.graphs["picture"] = tmp_path / "none.onnx"
    refused(system, tmp_path / "out", r"none\.onnx: file of the graph 'picture' not found")


def test_graphs_must_end_with_score_and_use_every_graph(system, tmp_path):
    graphs = system.manifest["graphs"]
    system.manifest["graphs"] = graphs[::-1]
    refused(system, tmp_path / "out", r"end with 'score', found \['score', 'picture', 'prompt'\]")
    system.manifest["graphs"] = graphs[1:]
    refused(system, tmp_path / "out", "files that the manifest's graphs do not name: prompt")
    graphs[0]["per"] = "batch"
    system.manifest["graphs"] = graphs
    refused(system, tmp_path / "out", "graph 'prompt': per is 'batch'")


def test_inputs_and_outputs_must_have_the_manifests_names(system, tmp_path):
    system.manifest["image"]["input"] = "image"
    refused(
        system,
        tmp_path / "out",
        r"picture\.onnx: the manifest gives the inputs image, whole, the graph takes whole, windows",
    )
    system.manifest["image"]["input"] = "windows"
    system.manifest["aspects"]["alignment"]["output"] = "match"
    refused(system, tmp_path / "out", "aspect alignment reads output 'match', found alignment, quality")


def test_id_and_version_must_be_names(system, tmp_path):
    system.manifest["id"] = "Tiny Model"
    refused(system, tmp_path / "out", "id: expected .* found 'Tiny Model'")


def test_images_and_ratings_exclude_each_other(system, tmp_path):
    refused(system, tmp_path / "out", "images: of no use with ratings", images=tmp_path, ratings=tmp_path)


def as_real(stand_in, real):
    """The stand-in, which takes only what the real function takes."""

    def checked(*args, **options):
        inspect.signature(real).bind(*args, **options)
        return stand_in(*args, **options)

    return checked


@pytest.fixture
def package(monkeypatch):
    """Stands in for the packages that read checkpoints; `calls` holds what it was asked."""
    found = ModuleType("package")
    found.calls = []
    for name in ("acl_iqa", "aapmt"):
        monkeypatch.setitem(sys.modules, f"assay_training.{name}", ModuleType(name))
        monkeypatch.setitem(sys.modules, f"assay_training.{name}.package", found)
    return found


def test_the_command_line_prints_one_line(package, tmp_path, capsys):
    def prepare(checkpoint, clip, work, **options):
        package.calls.append((clip.name, work.is_dir(), options))
        raise CheckpointError(f"{checkpoint}: file not found")

    package.prepare = as_real(prepare, acl_iqa)
    arguments = ["acl-iqa", "--checkpoint", "none.pt", "--clip", "clip", "--out", str(tmp_path / "a" / "out")]
    assert main(["convert", *arguments, "--task", "alignment", "--version", "2"]) == 1
    assert capsys.readouterr().err == "error: none.pt: file not found\n"
    wanted = {"task": "alignment", "combine": "logsumexp", "average": "logits"}
    assert package.calls == [("clip", True, wanted)]
    assert not list((tmp_path / "a").iterdir())


def test_the_command_line_writes_a_folder(package, system, tmp_path):
    def prepare(checkpoint, tokenizer, work, **options):
        package.calls.append((tokenizer, options))
        return replace(system, windows=(1,))

    package.prepare = as_real(prepare, aapmt)
    out = tmp_path / "out"
    named = ["--id", "other", "--version", "2", "--alignment-only"]
    assert main(["convert", "aapmt", "--checkpoint", "c.pt", "--out", str(out), "--int8", *named]) == 0
    wanted = {"aspect": None, "aspect_prompts": False, "quality_text": 2, "heads": "as-trained"}
    assert package.calls == [(None, wanted | {"features": "own"})]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["id"], manifest["version"]) == ("other", "2")
    assert sorted(path.name for path in out.glob("*.score.*")) == [
        "other.score.fp32.onnx",
        "other.score.int8.onnx",
    ]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (["--id", "../x Y"], "id: expected .* found '../x Y'"),
        (["--id", ""], "id: expected .* found ''"),
        (["--version", "!"], "version: expected .* found '!'"),
        (["--out", "full"], "full: expected nothing there or an earlier folder of the scorer"),
        (["--out", "odd"], "odd.manifest.json: expected JSON"),
        (["--out", "odd/manifest.json/x"], "expected a place in a folder; .*manifest.json is a file"),
        (["--out", "link"], "link: expected a folder, found a link"),
    ],
)
def test_what_cannot_be_written_is_told_before_weights_are_read(package, tmp_path, capsys, given, fault):
    package.prepare = lambda *args, **options: package.calls.append(args)
    for name in ("full", "odd", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    (tmp_path / "odd" / "manifest.json").write_text("{")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    before = sorted(tmp_path.rglob("*"))
    given = [str(tmp_path / word) if given[0] == "--out" and word != "--out" else word for word in given]
    assert main(["convert", "aapmt", "--checkpoint", "c.pt", "--out", str(tmp_path / "new"), *given]) == 1
    assert re.search(fault, capsys.readouterr().err)
    assert not package.calls
    assert sorted(tmp_path.rglob("*")) == before


def test_weights_that_overflow_are_told_before_they_are_exported(tmp_path):
    layer = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(layer.weight, 3e38)
    with pytest.raises(CheckpointError, match="quality: expected finite numbers"):
        export(layer, {"input": torch.full((1, 2), 9.0)}, ["quality"], tmp_path / "score.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [["--scale", "nan"], ["--range", "0", "inf"]])
def test_numbers_must_be_finite(tmp_path, capsys, given):
    words = ["--checkpoint", "c.pt", "--trained-on", "koniq10k", "--out", str(tmp_path / "out"), *given]
    with pytest.raises(SystemExit):
        main(["convert", "maniqa", *words])
    assert f"{given[0]}: expected a finite number, found {given[-1]}" in capsys.readouterr().err
