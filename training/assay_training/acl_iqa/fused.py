"""The same net cut into three graphs, with everything precomputed that is constant.

Texts are encoded once a prompt. What reaches the gates of a vision block is linear in the text states except
for the softmax: keys are multiplied by the key matrix and scaled, values by value, output and gate matrices
at once, so that six numbers a head and position remain. The score graph then has no text in it.

Shapes: n images, C views of each, P paths, B blocks with experts, L ids a text.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.acl_iqa.experts import KINDS
from assay_training.acl_iqa.model import AclIqa, MoeBlock, view_average
from assay_training.acl_iqa.moe import CrossAttention, Mixture
from assay_training.clip.model import (
    DEVIATION,
    MEAN,
    Attention,
    at_end,
    attend,
    causal_mask,
    merge_heads,
    split_heads,
    unit,
)


class TextStates(nn.Module):
    """Ids to text states; the causal mask is a constant."""

    def __init__(self, model: AclIqa, layers: int) -> None:
        super().__init__()
        self.embedding, self.position = model.token_embedding, model.text_positional_embedding
        self.blocks = model.encoder.text_resblocks[:layers]
        self.register_buffer("mask", causal_mask(model.config.clip.context, self.position.detach()))

    def forward(self, ids: Tensor) -> list[Tensor]:
        """[N, L] to the output [N, L, text width] of each block."""
        x, states = self.embedding(ids) + self.position, []
        for block in self.blocks:
            x = block(x, self.mask)
            states.append(x)
        return states


class GradesGraph(nn.Module):
    """Graded texts to their embeddings of length 1."""

    def __init__(self, model: AclIqa) -> None:
        super().__init__()
        self.states = TextStates(model, model.config.clip.text_layers)
        self.norm, self.projection = model.ln_final, model.text_projection

    def forward(self, ids: Tensor) -> Tensor:
        """[n, 5, L] to [n, 5, joint]."""
        flat = ids.flatten(0, 1)
        v = at_end(self.norm(self.states(flat)[-1]), flat) @ self.projection
        return unit(v).unflatten(0, (ids.shape[0], ids.shape[1]))


class InstructionGraph(nn.Module):
    """Instructions to keys and folded values of the gates of all blocks with experts."""

    def __init__(self, model: AclIqa) -> None:
        super().__init__()
        config = model.config
        self.heads, self.moe_blocks = config.clip.heads, config.moe_blocks
        self.states = TextStates(model, config.moe_blocks[-1])
        self.keys = nn.ModuleList()
        for number, index in enumerate(config.moe_blocks):
            block = model.encoder.vision_resblocks[index]
            self.keys.append(block.cross_attn.k_proj)
            gates = [getattr(block.adapter_MoE, f"w_gate{path}") for path in config.paths]
            matrices, biases = zip(*(fold_gate(block.cross_attn, gate) for gate in gates), strict=True)
            self.register_buffer(f"matrix_{number}", torch.stack(matrices))
            self.register_buffer(f"bias_{number}", torch.stack(biases)[:, None])

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[n, P, L] to keys [n, P, B, heads, size, L] and values [n, P, B, heads, L, 6]."""
        count, paths = ids.shape[:2]
        states, keys, values = self.states(ids.flatten(0, 1)), [], []
        for number, index in enumerate(self.moe_blocks):
            text = states[index - 1]
            key = split_heads(self.keys[number](text), self.heads)
            keys.append((key * key.shape[-1] ** -0.5).transpose(-1, -2).unflatten(0, (count, paths)))
            text = text.unflatten(0, (count, paths))
            value = text @ getattr(self, f"matrix_{number}") + getattr(self, f"bias_{number}")
            values.append(value.unflatten(-1, (self.heads, -1)).transpose(2, 3))
        return torch.stack(keys, 2), torch.stack(values, 2)


def fold_gate(cross: CrossAttention, gate: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix [text width, heads * 6] and bias [heads * 6] that make gate logits of text states.

    Attention weights of a head add up to 1 over the positions, so what its values, summed over heads, are
    weighted to equals (out_proj of the attention's result) @ gate, with the biases. Folded in float64.
    """
    heads, width = cross.heads, gate.shape[0]
    out = (cross.out_proj.weight.double().T @ gate.double()).view(heads, width // heads, -1)
    value = cross.v_proj.weight.double().view(heads, width // heads, -1)
    matrix = torch.einsum("hst,hse->the", value, out).flatten(1)
    bias = torch.einsum("hs,hse->he", cross.v_proj.bias.double().view(heads, -1), out)
    bias = bias + cross.out_proj.bias.double() @ gate.double() / heads
    return matrix.float().detach(), bias.flatten().float().detach()


class Stem(nn.Module):
    """Views to tokens: CLIP's normalisation and the positions are folded into one product."""

    def __init__(self, model: AclIqa) -> None:
        super().__init__()
        clip = model.config.clip
        self.grid, self.patch = clip.grid, clip.patch
        kernel = model.conv1.weight.detach().double()
        mean, deviation = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (MEAN, DEVIATION))
        matrix = (kernel / (255 * deviation)).permute(2, 3, 1, 0).flatten(0, 2)
        position = model.positional_embedding.detach().double()
        self.register_buffer("matrix", matrix.float())
        self.register_buffer(
            "offset", (position[1:] - (kernel * mean / deviation).sum((1, 2, 3))).float().contiguous()
        )
        self.register_buffer("first", (position[:1] + model.class_embedding.detach().double()).float())
        self.norm = model.ln_pre

    def forward(self, windows: Tensor, whole: Tensor) -> Tensor:
        """[n, W, side, side, 3] and [n, side, side, 3] in 0..255 to tokens [n (W + 1), T, width]."""
        views = torch.cat([windows.float(), whole[:, None]], 1).flatten(0, 1)
        cut = views.unflatten(1, (self.grid, self.patch)).unflatten(3, (self.grid, self.patch))
        patches = cut.transpose(2, 3).flatten(3).flatten(1, 2) @ self.matrix + self.offset
        first = self.first.expand(patches.shape[0], 1, -1)
        return self.norm(torch.cat([first, patches], 1))


class FusedMixture(nn.Module):
    """Six experts at once: joint products, one grouped convolution, only the chosen ones brought back up."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.combine, self.chosen = mixture.combine, mixture.chosen
        experts, count = mixture.adapter_experts, len(KINDS)
        convs = [expert.adapter_conv for expert in experts]
        kernels = torch.cat([conv.kernel().detach() for conv in convs])
        self.register_buffer(
            "down", torch.cat([e.adapter_down.weight.detach() for e in experts]).T.contiguous()
        )
        self.register_buffer("down_bias", torch.cat([e.adapter_down.bias.detach() for e in experts]))
        self.register_buffer("kernels", kernels)
        self.register_buffer("bias", torch.cat([conv.bias.detach() for conv in convs]))
        centres = kernels[:, :, 2, 2].unflatten(0, (count, -1)).transpose(1, 2)
        self.register_buffer("centre", torch.block_diag(*centres))
        ups = torch.stack([e.adapter_up.weight.detach().T for e in experts])
        biases = torch.stack([e.adapter_up.bias.detach() for e in experts])
        self.register_buffer("up", torch.cat([ups, biases[:, None]], 1))  # [6, bottleneck + 1, width]

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        """Tokens [N, T, width], the class token alone (T = 1) or with its patches, and gate logits [N, 6]."""
        top, index = gates.topk(self.chosen, -1)
        tokens = x.shape[1]
        down = x @ self.down + self.down_bias
        inner = down[:, :1] @ self.centre + self.bias
        if tokens > 1:
            side = round((tokens - 1) ** 0.5)
            maps = down[:, 1:].transpose(1, 2).unflatten(-1, (side, side))
            maps = F.conv2d(maps, self.kernels, self.bias, padding=2, groups=len(KINDS))
            inner = torch.cat([inner, maps.flatten(2).transpose(1, 2)], 1)
        inner = F.pad(inner.unflatten(-1, (len(KINDS), -1)), (0, 1), value=1.0).transpose(1, 2)
        place = index[..., None, None].expand(-1, -1, tokens, inner.shape[-1])
        inner, up = inner.gather(1, place), self.up[index]  # [N, chosen, T, b + 1], [N, chosen, b + 1, width]
        if self.combine == "weighted-sum":
            inner = (inner * top.softmax(-1)[..., None, None]).transpose(1, 2).flatten(2)
            return inner @ up.flatten(1, 2)
        outputs = inner @ up
        if self.combine == "gated-logsumexp":
            outputs = outputs + top.log_softmax(-1)[..., None, None]
        most = outputs.amax(1, keepdim=True)  # three times as fast in onnxruntime as its ReduceLogSumExp
        return ((outputs - most).exp().sum(1, keepdim=True).log() + most).squeeze(1)


class FusedAttention(nn.Module):
    """Self-attention; with `first` only the class token asks."""

    def __init__(self, attention: Attention, first: bool) -> None:
        super().__init__()
        self.heads, self.first, self.out = attention.heads, first, attention.out_proj
        weight, bias = attention.in_proj_weight.detach().T, attention.in_proj_bias.detach()
        width = len(weight)
        cuts = ((0, width), (width, 3 * width)) if first else ((0, 3 * width),)
        self.cuts = len(cuts)
        for number, (start, end) in enumerate(cuts):
            self.register_buffer(f"weight_{number}", weight[:, start:end].contiguous())
            self.register_buffer(f"bias_{number}", bias[start:end].clone())

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, width] to the same, or to [N, 1, width]."""
        if self.first:
            q = x[:, :1] @ self.weight_0 + self.bias_0
            k, v = (x @ self.weight_1 + self.bias_1).chunk(2, -1)
        else:
            q, k, v = (x @ self.weight_0 + self.bias_0).chunk(3, -1)
        return self.out(merge_heads(attend(*(split_heads(part, self.heads) for part in (q, k, v)))))


class ScoreGraph(nn.Module):
    """Views, embeddings of the graded texts, and what the gates need of the instructions, to probabilities.

    What comes before the first experts is the same on both paths and is run once. After the last block only
    the class token is read, so that block computes no other.
    """

    def __init__(self, model: AclIqa) -> None:
        super().__init__()
        self.config = config = model.config
        self.stem, self.blocks = Stem(model), model.encoder.vision_resblocks
        last = config.clip.layers - 1
        self.attentions = nn.ModuleList(FusedAttention(b.attn, i == last) for i, b in enumerate(self.blocks))
        self.mixtures = nn.ModuleDict(
            {str(index): FusedMixture(self.blocks[index].adapter_MoE) for index in config.moe_blocks}
        )
        self.norms = nn.ModuleList(getattr(model, f"ln_post{path}") for path in config.paths)
        for number, path in enumerate(config.paths):
            self.register_buffer(f"proj_{number}", getattr(model, f"proj{path}").detach())
        theta = model.theta.detach() if len(config.paths) == 2 else torch.tensor(1.0)
        shares = torch.stack([theta, 1 - theta])[: len(config.paths)]
        self.register_buffer("shares", shares * model.logit_scale.detach().exp())

    def forward(
        self, windows: Tensor, whole: Tensor, grades: Tensor, gate_keys: Tensor, gate_values: Tensor
    ) -> Tensor:
        """[n, W, side, side, 3], [n, side, side, 3], [n, 5, joint] and the instruction's two to [n, 5]."""
        views, shared = windows.shape[1] + 1, self.stem(windows, whole)
        first = self.config.moe_blocks[0]
        for index in range(first):
            shared = self._plain(shared, index)
        attended, queries = self._attended(shared, first), self._queries(shared, first, views)
        logits = 0
        for path in range(len(self.config.paths)):
            x = shared
            for index, block in enumerate(self.blocks):
                if index < first:
                    continue
                if isinstance(block, MoeBlock):
                    number = self.config.moe_blocks.index(index)
                    text = gate_keys[:, path, number], gate_values[:, path, number]
                    asked = queries if index == first else self._queries(x, index, views)
                    mixed = attended if index == first else self._attended(x, index)
                    x = self._experts(mixed, gate_logits(asked, *text, views), index, path)
                else:
                    x = self._plain(x, index)
            v = unit(self.norms[path](x[:, 0]) @ getattr(self, f"proj_{path}")).unflatten(0, (-1, views))
            logits = logits + self.shares[path] * (v @ grades.transpose(1, 2))
        return view_average(logits, self.config.average)

    def _plain(self, x: Tensor, index: int) -> Tensor:
        x, block = self._attended(x, index), self.blocks[index]
        return x + block.mlp(block.ln_2(x))

    def _attended(self, x: Tensor, index: int) -> Tensor:
        """x + attention; of the class token alone in the last block."""
        attention = self.attentions[index]
        return (x[:, :1] if attention.first else x) + attention(self.blocks[index].ln_1(x))

    def _queries(self, x: Tensor, index: int, views: int) -> Tensor:
        """[n C, T, width] to [n, heads, C T, size]: all views of an image ask one set of keys."""
        q = self.blocks[index].cross_attn.q_proj(x)
        return split_heads(q.unflatten(0, (-1, views)).flatten(1, 2), self.config.clip.heads)

    def _experts(self, x: Tensor, gates: Tensor, index: int, path: int) -> Tensor:
        block = self.blocks[index]
        h = block.ln_2(x)
        return x + self.mixtures[str(index)](h, gates) + getattr(block, f"mlp{self.config.paths[path]}")(h)


def gate_logits(queries: Tensor, keys: Tensor, values: Tensor, views: int) -> Tensor:
    """[n, heads, C T, size], [n, heads, size, L] and [n, heads, L, 6] to [n C, 6].

    The mean over a view's tokens is taken of the attention weights.
    """
    weights = (queries @ keys).softmax(-1).unflatten(2, (views, -1)).mean(3)
    return (weights @ values).sum(1).flatten(0, 1)
