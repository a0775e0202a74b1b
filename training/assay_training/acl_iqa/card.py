"""The model card: what the net is, where it comes from, and how paper and code differ."""

from __future__ import annotations

from assay_training.acl_iqa.config import AclConfig

COMBINED = {
    "logsumexp": "log of the sum of the experts' exponentials, without gate values (upstream's code)",
    "gated-logsumexp": "log of the gate-weighted sum of the experts' exponentials (an earlier revision)",
    "weighted-sum": "sum weighted by the gates (the paper, Eq. 4)",
}
AVERAGED = {
    "logits": "logits of the windows before the softmax; the whole image counts half (upstream's code)",
    "probabilities": "probabilities of all views, each counting the same (the paper, Eq. 12)",
}


def card(config: AclConfig, checkpoint: str, without_effect: list[str]) -> str:
    """Markdown."""
    passes = (
        "twice, collaboratively and adversarially, each pass steered"
        if len(config.paths) == 2
        else "once, steered"
    )
    instructions = "\n".join(f"- `{text}`" for text in config.instructions)
    grades = "\n".join(f"- `{text}`" for text in config.grades)
    return f"""# ACL-IQA, {config.task}

Windows of an image and its whole pass CLIP ViT-B/32 {passes} by an instruction that
holds the prompt: it chooses {config.chosen} of six convolutional experts in every odd block. The
embeddings of the image are compared with five graded texts; the expected grade is the score, 0 to 5.

A re-implementation from a description of the method; weights: `{checkpoint}`.

Instructions:
{instructions}

Graded texts, worst first:
{grades}

## Choices where paper and code differ

- Experts are combined as: {COMBINED[config.combine]}.
- Averaged over views: {AVERAGED[config.average]}.
- The gates attend to all {config.clip.context} positions of the instruction, those of the padding included.
- The whole image is resized without antialiasing, its aspect ratio is not kept.
- Prompts are mended before they are tokenized, as by OpenAI's tokenizer: mangled encodings, HTML entities,
  control characters, ligatures, quotes. `mending.json` holds its tables. Letters newer than the Unicode of
  whatever reads the folder may be split otherwise.

Stored in the checkpoint without effect on scores: {len(without_effect)} tensors{_named(without_effect)}.

## Licence

The authors' code carries no licence and they publish no fine-tuned weights; nothing of theirs is part of this
folder. CLIP's weights are OpenAI's (MIT licence). Weights trained on AGIQA-3K (Li et al., IEEE TCSVT 2023,
doi 10.1109/TCSVT.2023.3319020; MIT licence, some mirrors add "academic use" notes) are subject to its terms.
Whoever converts a checkpoint answers for the right to use it.

## Use

Meant for ranking images made for a prompt. Not for telling real from generated, for safety decisions, for
judging people, or as the only reward of a training loop. Fewer windows are faster and less exact.
"""


def _named(keys: list[str]) -> str:
    endings = sorted({key.rsplit(".", 1)[-1] for key in keys})
    return f" (`{'`, `'.join(endings)}`)" if endings else ""
