"""Conversations and images as each family reads them; folders that are no such model."""

from __future__ import annotations

import io
import json
import sys
import types

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from assay_training.__main__ import main
from assay_training.serve.answers import answer, hold
from assay_training.serve.conversation import RequestError, Turn
from assay_training.serve.families import load
from assay_training.serve.family import Loading
from assay_training.serve.minicpm_v import placeholder, written
from assay_training.serve.mplug_owl2 import POSITIONS, squared
from assay_training.serve.slicing import Plan, plan, views
from tests.serve.conftest import asks, picture
from tests.serve.tiny_minicpm import QUERIES, WIDTH, write_tiny_minicpm

# width, height, most parts: whole, grid, refined; by the code that M3-AGIQA's predictors were trained with
PLANS = [
    (512, 512, 9, (448, 448), (1, 2), (630, 644)),
    (1024, 1024, 9, (448, 448), (3, 2), (1092, 1092)),
    (1024, 1024, 4, (448, 448), (2, 2), (896, 896)),
    (449, 448, 9, (448, 448), (2, 1), (644, 630)),
    (448, 448, 9, (448, 448), None, None),
    (64, 512, 9, (154, 1260), None, None),
    (640, 480, 9, (518, 392), (2, 1), (728, 546)),
    (768, 1344, 9, (336, 588), (2, 3), (840, 1428)),
    (768, 1344, 4, (336, 588), (1, 3), (588, 1008)),
    (100, 37, 9, (728, 266), None, None),
]


@pytest.mark.parametrize(("width", "height", "most", "whole", "grid", "refined"), PLANS)
def test_minicpm_looks_at_an_image_as_in_training(width, height, most, whole, grid, refined):
    assert plan(width, height, most) == Plan(whole, grid, refined)


def test_parts_are_cut_row_by_row():
    seen, grid = views(picture(640, 480), 9)
    assert (grid, [view.size for view in seen]) == ((2, 1), [(518, 392), (364, 546), (364, 546)])
    whole = picture(640, 480).resize((728, 546), Image.Resampling.BICUBIC)
    assert np.array_equal(np.hstack([np.array(view) for view in seen[1:]]), np.array(whole))


def test_minicpm_reads_a_conversation_in_the_form_of_llama_3():
    turns = (Turn("user", (None, " what? ")), Turn("assistant", ("A cat.\n",)), Turn("user", ("good?",)))
    assert written(turns, "[I]", answering=False) == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n[I]\n what?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA cat.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\ngood?<|eot_id|>"
    )
    assert written(turns[:1], "[I]", answering=True).endswith(
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    view = "<image><unk><unk></image>"
    assert placeholder((2, 2), 2) == f"{view}<slice>{view * 2}\n{view * 2}</slice>"
    assert placeholder(None, 2) == view


def test_minicpm_is_asked_through_the_code_in_its_folder(tmp_path):
    folder = write_tiny_minicpm(tmp_path / "minicpm")
    with pytest.raises(ValueError, match="--trust-code"):
        load(Loading(folder))
    family = load(Loading(folder, code=True))
    request = {"messages": asks("good?", "A cat.", "bad?", image=picture(512, 512)), "pool": "none"}
    held = hold(family, request)
    states = np.load(io.BytesIO(held.body))
    assert states.shape == (held.positions, WIDTH)
    assert held.positions > 3 * QUERIES  # the whole and two parts
    assert len(family.net.seen[0]) == 3
    said = answer(family, {"messages": request["messages"][:1], "max_tokens": 2})
    assert said["usage"]["prompt_tokens"] > 3 * QUERIES
    assert said["choices"][0]["message"]["role"] == "assistant"


class Owl(nn.Module):
    """What is called of mPLUG-Owl2: ids and images to states, of which those of the image are zeros."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.lm_head = nn.Linear(4, 8, bias=False)
        self.asked: dict = {}

    def forward(self, input_ids, images):
        self.asked = {"ids": input_ids[0].tolist(), "images": images}
        self.lm_head(torch.ones(1, input_ids.shape[1] - 1 + POSITIONS, 4))


class OwlTokenizer:
    bos_token_id = 1

    def __call__(self, text: str) -> dict:
        return {"input_ids": [1, *map(ord, text)]}


def test_mplug_owl2_is_asked_as_for_ma_agiqa(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mplug_owl2"}))
    with pytest.raises(
        ValueError, match=r"the package mplug_owl2, which cannot be imported.*github\.com/X-PLUG"
    ):
        load(Loading(tmp_path))
    seen = []

    def preprocess(image, return_tensors):
        seen.append(image)
        return {"pixel_values": torch.zeros(1, 3, 4, 4)}

    processor = types.SimpleNamespace(image_mean=(0.5, 0.25, 0), preprocess=preprocess)
    owl = Owl()
    builder = types.ModuleType("mplug_owl2.model.builder")
    builder.load_pretrained_model = lambda *_, **__: (OwlTokenizer(), owl, processor, 100)
    for name in ("mplug_owl2", "mplug_owl2.model"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "mplug_owl2.model.builder", builder)
    family = load(Loading(tmp_path))
    message = asks("x")[0]
    message["content"] = [{"type": "text", "text": "Good?\n"}, message["content"][0]]
    held = hold(family, {"messages": [message], "pool": "mean"})
    assert owl.asked["ids"] == [1, *map(ord, "USER: Good?\n"), -200, *map(ord, " ASSISTANT:")]
    assert held.positions == len(owl.asked["ids"]) - 1 + POSITIONS
    assert (seen[0].size, seen[0].getpixel((0, 0))) == ((40, 40), (127, 63, 0))
    with pytest.raises(RequestError, match="one question"):
        hold(family, {"messages": asks("a", "b", "c")})


def test_an_image_is_put_in_the_middle_of_a_square():
    found = np.array(squared(Image.new("RGB", (2, 6), "white"), (0.0, 0.0, 0.0)))
    assert found.shape == (6, 6, 3)
    assert found[:, 2:4].min() == 255
    assert found[:, :2].max() == found[:, 4:].max() == 0


def test_folders_that_hold_no_such_model_are_told(tmp_path, folder, capsys):
    assert main(["serve", "--model", str(tmp_path)]) == 1
    assert "found no config.json there; nothing is downloaded" in capsys.readouterr().err
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert main(["serve", "--model", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
    assert main(["serve", "--model", str(folder), "--host", "0.0.0.0", "--port", "0"]) == 1
    assert "0.0.0.0 can be reached by others: give a --token-file" in capsys.readouterr().err
