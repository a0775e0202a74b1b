"""ACL-IQA as plain torch: one CLIP run once a path, steered by that path's instruction.

Written for clarity: nothing is shared between the paths and nothing is fused; `text_graphs.py` and
`score_graph.py` do both. Parameters have upstream's names without their prefix `model.`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.moe import CrossAttention, Mixture
from assay_training.clip.model import (
    EPSILON,
    Attention,
    Block,
    Mlp,
    at_end,
    causal_mask,
    normalised,
    unit,
)

GRADES = 5
TOP = 5.0  # of the score


class MoeBlock(nn.Module):
    """A vision block with experts beside its perceptron, of which there is one a path."""

    def __init__(self, config: AclConfig) -> None:
        super().__init__()
        clip = config.clip
        self.attn = Attention(clip.width, clip.heads)
        self.ln_1, self.ln_2 = nn.LayerNorm(clip.width, EPSILON), nn.LayerNorm(clip.width, EPSILON)
        for path in config.paths:
            setattr(self, f"mlp{path}", Mlp(clip.width))
        self.cross_attn = CrossAttention(clip.width, clip.text_width, clip.heads)
        self.adapter_MoE = Mixture(config)

    def forward(self, x: Tensor, text: Tensor, path: str) -> tuple[Tensor, Tensor]:
        """Tokens [N, T, width], text states [N, S, text width] -> tokens and the loss of the gates."""
        gate = self.cross_attn(x, text).mean(1)  # of the raw tokens, before self-attention
        x = x + self.attn(self.ln_1(x))
        h = self.ln_2(x)
        mixed, loss = self.adapter_MoE(h, gate, path)
        return x + mixed + getattr(self, f"mlp{path}")(h), loss


class Encoder(nn.Module):
    """The blocks of both towers. Odd vision blocks are MoeBlocks."""

    def __init__(self, config: AclConfig) -> None:
        super().__init__()
        clip = config.clip
        self.vision_resblocks = nn.ModuleList(
            MoeBlock(config) if index in config.moe_blocks else Block(clip.width, clip.heads)
            for index in range(clip.layers)
        )
        self.text_resblocks = nn.ModuleList(
            Block(clip.text_width, clip.text_heads) for _ in range(clip.text_layers)
        )


class AclIqa(nn.Module):
    """Windows and whole of an image, graded texts and instructions to probabilities of five grades."""

    def __init__(self, config: AclConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AclConfig()
        clip = config.clip
        self.class_embedding = nn.Parameter(torch.randn(clip.width) * clip.width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(clip.tokens, clip.width) * clip.width**-0.5)
        self.conv1 = nn.Conv2d(3, clip.width, clip.patch, clip.patch, bias=False)
        self.ln_pre = nn.LayerNorm(clip.width, EPSILON)
        for path in config.paths:
            setattr(self, f"ln_post{path}", nn.LayerNorm(clip.width, EPSILON))
            setattr(self, f"proj{path}", nn.Parameter(torch.randn(clip.width, clip.joint) * clip.width**-0.5))
        self.text_positional_embedding = nn.Parameter(torch.randn(clip.context, clip.text_width) * 0.01)
        self.token_embedding = nn.Embedding(clip.vocabulary, clip.text_width)
        self.ln_final = nn.LayerNorm(clip.text_width, EPSILON)
        self.text_projection = nn.Parameter(torch.randn(clip.text_width, clip.joint) * clip.text_width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(100.0).log())
        self.theta = nn.Parameter(torch.tensor(0.5))  # without effect if there is one path
        self.encoder = Encoder(config)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, windows: Tensor, whole: Tensor, grades: Tensor, instructions: Tensor) -> Tensor:
        """Probabilities of the five grades [n, 5], worst first.

        windows: [n, W, side, side, 3] in 0..255; whole: [n, side, side, 3] in 0..255, the last view;
        grades: ids [n, 5, context]; instructions: ids [n, paths, context].
        """
        images = normalised(torch.cat([windows.float(), whole[:, None]], 1))
        texts = unit(self.encode_text(grades.flatten(0, 1))).unflatten(0, (-1, GRADES))
        vectors = [
            self.encode_image(images, instructions[:, number], path)[0]
            for number, path in enumerate(self.config.paths)
        ]
        return self.probabilities(self.mixed_logits(vectors, texts))

    def encode_text(self, ids: Tensor) -> Tensor:
        """int64 [N, context] to joint embeddings [N, joint], not of length 1."""
        x = self.text_states(ids)[-1]
        return at_end(self.ln_final(x), ids) @ self.text_projection

    def text_states(self, ids: Tensor) -> list[Tensor]:
        """int64 [N, context] to the output [N, context, text width] of every text block."""
        x = self.token_embedding(ids) + self.text_positional_embedding
        mask, states = causal_mask(ids.shape[1], x), []
        for block in self.encoder.text_resblocks:
            x = block(x, mask)
            states.append(x)
        return states

    def encode_image(self, images: Tensor, instruction: Tensor, path: str) -> tuple[Tensor, Tensor]:
        """Views [n, C, 3, side, side], normalised, and ids [n, context] of the path's instruction.

        Returns embeddings [n, C, joint] of length 1 and the auxiliary loss. Vision block i reads the text
        states after text block i - 1.
        """
        views = images.shape[1]
        states = [state.repeat_interleave(views, 0) for state in self.text_states(instruction)]
        patches = self.conv1(images.flatten(0, 1)).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        x, losses = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding), []
        for index, block in enumerate(self.encoder.vision_resblocks):
            if isinstance(block, MoeBlock):
                x, loss = block(x, states[index - 1], path)
                losses.append(loss)
            else:
                x = block(x)
        v = getattr(self, f"ln_post{path}")(x[:, 0]) @ getattr(self, f"proj{path}")
        return unit(v).unflatten(0, (-1, views)), torch.stack(losses).mean()

    def mixed_logits(self, vectors: list[Tensor], texts: Tensor) -> Tensor:
        """Embeddings [n, C, joint] of each path and texts [n, 5, joint] to logits [n, C, 5]."""
        logits = [self.logits(v, texts) for v in vectors]
        return logits[0] if len(logits) == 1 else self.theta * logits[0] + (1 - self.theta) * logits[1]

    def logits(self, v: Tensor, texts: Tensor) -> Tensor:
        """Scaled cosines [n, C, 5] of [n, C, joint] and [n, 5, joint]."""
        return self.logit_scale.exp() * (v @ texts.transpose(1, 2))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [n, C, 5] of all views, the whole image last, to [n, 5]."""
        return view_average(logits, self.config.average)


def view_average(logits: Tensor, average: str) -> Tensor:
    """[n, C, 5] to probabilities [n, 5].

    `logits`: windows are averaged before the softmax and the whole image counts as much as all windows
    together. `probabilities`: every view has a softmax of its own and counts the same.
    """
    if average == "probabilities":
        return logits.softmax(-1).mean(1)
    return (logits[:, :-1].mean(1).softmax(-1) + logits[:, -1].softmax(-1)) / 2


def score_of(probabilities: Tensor) -> Tensor:
    """[..., 5] to scores in 0..5: the expected grade 1..5, brought to that range."""
    grades = torch.arange(1, GRADES + 1, device=probabilities.device, dtype=probabilities.dtype)
    return ((probabilities * grades).sum(-1) - 1) / (GRADES - 1) * TOP
