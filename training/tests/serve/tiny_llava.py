"""Writes a tiny vision-language model at random, with all that transformers wants beside it: no download."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

WIDTH, CONTEXT, SIDE, PATCH = 32, 96, 32, 8
RATINGS = ("bad", "poor", "fair", "good", "excellent")
IMAGE_POSITIONS = (SIDE // PATCH) ** 2
WORDS = [
    "the",
    "image",
    "is",
    "bad",
    "poor",
    "fair",
    "good",
    "excellent",
    "a",
    "cat",
    "on",
    "mat",
    "what",
    "do",
    "you",
    "see",
    "answer",
    "with",
    "one",
    "word",
]
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}> {% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<image> {% else %}{{ p['text'] }} {% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}"
)


def write_tiny_llava(folder: Path, seed: int = 0) -> Path:
    """A LLaVA of two layers; hidden states of WIDTH numbers, CONTEXT positions."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    processor = _processor()
    tokenizer = processor.tokenizer
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=CONTEXT,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
        patch_size=PATCH, projection_dim=16,
    )  # fmt: skip
    image = tokenizer.convert_tokens_to_ids("<image>")
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_id=image, vision_feature_layer=-1)
    )
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)  # as it comes, all words are nearly as likely
    head = model.get_output_embeddings().weight.data
    said = tokenizer.convert_tokens_to_ids(list(RATINGS))
    head[[word for word in range(len(head)) if word not in said]] *= 0.05  # so that it says one of the five
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _processor():
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

    size = {"height": SIDE, "width": SIDE}
    return LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size),
        tokenizer=PreTrainedTokenizerFast(
            tokenizer_object=_tokenizer(),
            unk_token="<unk>",
            pad_token="<pad>",
            eos_token="</s>",
            extra_special_tokens={"image_token": "<image>"},
        ),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )


def _tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["<unk>", "<pad>", "</s>", "<image>", "<user>", "<system>", "<assistant>"]
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(special)
    return tokenizer


if __name__ == "__main__":
    write_tiny_llava(Path(sys.argv[1]))
