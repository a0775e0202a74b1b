"""MiniCPM-Llama3-V 2.5, whose net is Python code in its own folder.

Slicing, the form of the conversation and how views are handed over are here; the net is only called.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from assay_training.serve.conversation import Conversation, Turn
from assay_training.serve.family import Family, Given, Loading, LoadingError
from assay_training.serve.slicing import PATCH, views

BEGIN, END = "<image>", "</image>"
BEGIN_PARTS, END_PARTS = "<slice>", "</slice>"
UNKNOWN = "<unk>"  # stands where what is seen is put
QUERIES = 96  # positions of one view


class MiniCpmV(Family):
    """As its authors ask it: with three beams where nobody asks for probabilities."""

    search = {"num_beams": 3, "repetition_penalty": 1.2}  # noqa: RUF012

    def __init__(self, loading: Loading) -> None:
        from transformers import AutoModel, AutoTokenizer

        if not loading.code:
            raise LoadingError(
                f"{loading.folder}: the net of this model is Python code in that folder; read it, and allow "
                "it with --trust-code"
            )
        stored = {"local_files_only": True, "trust_remote_code": True}
        self.net = AutoModel.from_pretrained(loading.folder, dtype=loading.dtype, **stored)
        self.net = self.net.to(loading.device).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(loading.folder, **stored)
        self.slices = loading.slices
        self.queries = getattr(self.net.config, "query_num", QUERIES)
        self.context = self.net.llm.config.max_position_embeddings

    @property
    def head(self) -> nn.Module:
        return self.net.llm.get_output_embeddings()

    def given(self, conversation: Conversation, answering: bool) -> Given:
        seen, grid = views(conversation.image, self.slices)
        text = written(conversation.turns, placeholder(grid, self.queries), answering)
        ids = torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        begin, end = (self.tokenizer.convert_tokens_to_ids(token) for token in (BEGIN, END))
        bounds = torch.stack([(ids == begin).nonzero()[:, 0] + 1, (ids == end).nonzero()[:, 0]], 1)
        device = self.net.llm.device
        data = {
            "input_ids": ids[None].to(device),
            "position_ids": torch.arange(len(ids))[None].to(device),
            "pixel_values": [[pixels(view).to(device, self.net.llm.dtype) for view in seen]],
            "tgt_sizes": [
                torch.tensor([[v.height // PATCH, v.width // PATCH] for v in seen], dtype=torch.int32)
            ],
            "image_bound": [bounds.to(device)],
        }
        return Given({"data": data}, len(ids), int(bounds.max()) + 1)

    def forward(self, given: Given) -> None:
        self.net(**given.inputs, use_cache=False)

    def generate(self, given: Given, **options: object) -> object:
        embedded = self.net.get_vllm_embedding(given.inputs["data"])[0]
        mask = torch.ones(embedded.shape[:2], dtype=torch.long, device=embedded.device)
        ends = [self.tokenizer.convert_tokens_to_ids("<|eot_id|>"), self.tokenizer.eos_token_id]
        stop = {"eos_token_id": [one for one in ends if one is not None], "pad_token_id": 0}
        return self.net.llm.generate(inputs_embeds=embedded, attention_mask=mask, **stop, **options)


def placeholder(grid: tuple[int, int] | None, queries: int) -> str:
    """What stands for an image in the text: the whole, and its parts (columns, rows) row by row."""
    view = BEGIN + UNKNOWN * queries + END
    if not grid:
        return view
    columns, rows = grid
    return view + BEGIN_PARTS + "\n".join([view * columns] * rows) + END_PARTS


def written(turns: tuple[Turn, ...], image: str, answering: bool) -> str:
    """The conversation as Llama 3 reads it; parts of a turn are lines."""
    said = [
        f"<|start_header_id|>{turn.role}<|end_header_id|>\n\n"
        + "\n".join(image if part is None else part for part in turn.parts).strip()
        + "<|eot_id|>"
        for turn in turns
    ]
    word = "<|start_header_id|>assistant<|end_header_id|>\n\n" if answering else ""
    return "<|begin_of_text|>" + "".join(said) + word


def pixels(view: Image.Image) -> Tensor:
    """[3, PATCH, PATCH * patches], -1 to 1: patches of a view side by side."""
    values = torch.from_numpy(np.array(view, np.float32)).permute(2, 0, 1) / 255
    values = (values - 0.5) / 0.5
    patches = functional.unfold(values[None], PATCH, stride=PATCH)[0]  # [3 * PATCH * PATCH, patches]
    return patches.unflatten(0, (3, PATCH, PATCH)).transpose(2, 3).flatten(2)
