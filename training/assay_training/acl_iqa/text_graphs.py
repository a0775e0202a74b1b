"""Texts to what the score graph reads, once a prompt.

What reaches the gates of a vision block is linear in the text states except for the softmax: keys are
multiplied by the key matrix and scaled, values by value, output and gate matrices at once, so that six
numbers a head and position remain. The score graph then has no text in it.

Shapes: n images, P paths, B blocks with experts, L ids a text.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.acl_iqa.model import AclIqa
from assay_training.acl_iqa.moe import CrossAttention
from assay_training.clip.model import at_end, causal_mask, split_heads, unit


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
