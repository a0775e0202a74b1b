"""Writes a folder as MiniCPM-V's: Python code with the parts of the net that the server calls, tiny."""

from __future__ import annotations

import json
from pathlib import Path

WIDTH, QUERIES = 16, 5
CODE = """
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PretrainedConfig, PreTrainedModel


class TinyConfig(PretrainedConfig):
    model_type = "minicpmv"


class Tiny(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.llm = LlamaForCausalLM(LlamaConfig(
            vocab_size=400, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=600))
        self.look = nn.Linear(3 * 14 * 14, 16)
        self.post_init()

    def get_vllm_embedding(self, data):
        self.seen = data["pixel_values"]
        found = self.llm.model.embed_tokens(data["input_ids"]).clone()
        parts = zip(data["pixel_values"][0], data["tgt_sizes"][0], data["image_bound"][0])
        for view, size, (begin, end) in parts:
            patches = view.unflatten(2, (-1, 14)).permute(2, 0, 1, 3).flatten(1)
            assert len(patches) == size.prod()
            found[0, begin:end] = self.look(patches).mean(0)
        return found, None

    def forward(self, data, **more):
        embedded, _ = self.get_vllm_embedding(data)
        return self.llm(input_ids=None, position_ids=data["position_ids"], inputs_embeds=embedded, **more)
"""


def write_tiny_minicpm(folder: Path) -> Path:
    """A folder whose net is the code above; QUERIES positions a view, states of WIDTH numbers."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder.mkdir()
    (folder / "tiny.py").write_text(CODE)
    special = ["<unk>", "<image>", "</image>", "<slice>", "</slice>", "<|begin_of_text|>", "<|eot_id|>"]
    special += ["<|start_header_id|>", "<|end_header_id|>"]
    letters = [chr(i) for i in range(32, 127)] + ["\n"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*special, *letters])}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(special)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<|eot_id|>"
    ).save_pretrained(folder)
    config = {
        "model_type": "minicpmv",
        "query_num": QUERIES,
        "auto_map": {"AutoConfig": "tiny.TinyConfig", "AutoModel": "tiny.Tiny"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModel

    given = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    net = AutoModel.from_config(given, trust_remote_code=True)
    save_file(
        {key: value.clone() for key, value in net.state_dict().items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    return folder
