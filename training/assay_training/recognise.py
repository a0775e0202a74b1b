"""What a state dict is of, by the names of its tensors: for messages about files taken for another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from assay_training.clip.naming import clip_name

CONVERT = "`python -m assay_training convert {}`"
# parts of names that all must occur, and what has them; the first that fits is told
SYSTEMS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("adapter_MoE.", "vision_resblocks."), f"ACL-IQA ({CONVERT.format('acl-iqa')})"),
    (("ImageAssessmentModel.",), f"AAPMT with the Metric Transformer ({CONVERT.format('aapmt')})"),
    (("blip.visual_encoder.", "mlp.layers."), f"ImageReward ({CONVERT.format('aapmt')})"),
    (("xlstm_pooler.", "W.weight"), f"M3-AGIQA ({CONVERT.format('m3-agiqa')})"),
    (("tablock1.", "gating."), f"MA-AGIQA ({CONVERT.format('ma-agiqa')})"),
    (("tablock1.", "swintransformer1."), f"MANIQA ({CONVERT.format('maniqa')})"),
    (("pyramid_extractors.",), f"the head of Diff-AGIQA ({CONVERT.format('diff-agiqa')})"),
    (("diffusion_model.",), "Stable Diffusion, which makes images"),
    (("first_stage_model.",), "Stable Diffusion, which makes images"),
    (("encoder.mid", "decoder.mid"), "a VAE alone, a part of a model that makes images"),
    (("encoder.mid_block.", "encoder.down_blocks."), "a VAE alone, a part of a model that makes images"),
    (("down_blocks.", "up_blocks."), "a part of a diffusion model, which makes images"),
    (("lora_",), "a LoRA, which changes a model that makes images"),
    (("visual_encoder.", "text_encoder.", "text_decoder."), "BLIP, which describes images"),
    (("visual_encoder.", "text_encoder."), "BLIP, which compares images and texts"),
    (("language_model.",), "a model of language and images"),
    (("model.layers.", "lm_head"), "a language model"),
    (("self_attn.q_proj", "embed_tokens"), "a language model"),
    (("param_groups",), "the state of an optimiser"),
)
AESTHETIC = {"layers.0.weight": (1024, 768)}


def recognised(state: Mapping[str, Tensor]) -> str | None:
    """In words, such as `CLIP ViT-B/16`; None if it is nothing known."""
    names = list(state)
    for parts, kind in SYSTEMS:
        if all(any(part in name for name in names) for part in parts):
            return kind
    clip = clip_name(state)
    if clip:
        return f"CLIP {clip}, without a scorer on top of it"
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    if all(shapes.get(name) == shape for name, shape in AESTHETIC.items()):
        return f"the LAION aesthetic predictor ({CONVERT.format('clip --preset laion-aesthetic --head')})"
    return None


def listed(keys: Iterable[object], most: int = 5) -> str:
    """Names in a message; many of one part are told together: `encoder.block.1.* (24)`."""
    found = [str(key) for key in keys]
    if len(found) <= most:
        return ", ".join(found)
    depth = max(key.count(".") for key in found)
    while depth:
        groups: dict[str, int] = {}
        for key in found:
            part = ".".join(key.split(".")[:depth])
            groups[part] = groups.get(part, 0) + 1
        if len(groups) <= most:
            return ", ".join(f"{part}.* ({count})" if count > 1 else part for part, count in groups.items())
        depth -= 1
    return ", ".join(found[:most]) + f" and {len(found) - most} more"
