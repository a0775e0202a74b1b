"""Views of an image and what the text graphs made of its prompt to probabilities of the grades.

Shapes: n images, C views of each (W windows and the whole), T tokens a view, P paths, N = n C views or, where
the paths are stacked, P n C.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.acl_iqa.experts import KINDS
from assay_training.acl_iqa.flat import ClassAttention, Dense, FusedAttention, FusedMlp, class_tokens
from assay_training.acl_iqa.model import AclIqa, view_average
from assay_training.acl_iqa.moe import Mixture
from assay_training.clip.model import DEVIATION, MEAN, split_heads, unit

NOTHING = -103.97  # the exponential of less is 0 in float32
OUT = -1e9  # added to what is to have no part in a sum of exponentials


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
        downs = [expert.adapter_down for expert in experts]
        self.down = Dense(torch.cat([d.weight for d in downs]), torch.cat([d.bias for d in downs]))
        self.register_buffer("kernels", kernels)
        self.register_buffer("bias", torch.cat([conv.bias.detach() for conv in convs]))
        centres = kernels[:, :, 2, 2].unflatten(0, (count, -1)).transpose(1, 2)
        self.register_buffer("centre", torch.block_diag(*centres))
        ups = torch.stack([e.adapter_up.weight.detach().T for e in experts])
        biases = torch.stack([e.adapter_up.bias.detach() for e in experts])
        self.register_buffer("up", torch.cat([ups, biases[:, None]], 1))  # [6, bottleneck + 1, width]
        self.register_buffer("shut", F.one_hot(torch.tensor(ups.shape[1]))[:, None] * OUT)  # on biases

    def forward(self, x: Tensor, gates: Tensor, tokens: int) -> Tensor:
        """Flat tokens [N T, width], class tokens alone (T = 1) or with patches, and gate logits [N, 6]."""
        top, index = gates.topk(self.chosen, -1)
        down = self.down(x).unflatten(0, (-1, tokens))
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
            return (inner @ up.flatten(1, 2)).flatten(0, 1)
        worthless = (top - top[:, :1] < NOTHING)[..., None, None]  # a gate value of 0: see `combined`
        outputs = inner @ (up + self.shut * worthless)
        if self.combine == "gated-logsumexp":
            outputs = outputs + top.log_softmax(-1)[..., None, None]
        most = outputs.amax(1, keepdim=True)  # three times as fast in onnxruntime as its ReduceLogSumExp
        return ((outputs - most).exp().sum(1, keepdim=True).log() + most).squeeze(1).flatten(0, 1)


class ScoreGraph(nn.Module):
    """Views, embeddings of the graded texts, and what the gates need of the instructions, to probabilities.

    What comes before the first experts is the same on both paths and is run once; from there on the paths are
    stacked, the collaborative one first. After the last block only the class token is read, so that block
    computes no other.
    """

    def __init__(self, model: AclIqa, grades: Tensor | None = None) -> None:
        """grades: their embeddings [1, 5, joint] where they are the same for every prompt; not fed then."""
        super().__init__()
        self.config = config = model.config
        self.register_buffer("grades", grades)
        self.tokens, self.last = config.clip.tokens, config.clip.layers - 1
        self.stem, self.blocks = Stem(model), model.encoder.vision_resblocks
        self.attentions, self.mlps = nn.ModuleList(), nn.ModuleList()
        self.queries, self.mixtures = nn.ModuleList(), nn.ModuleList()
        for index, block in enumerate(self.blocks):
            attention = ClassAttention if index == self.last else FusedAttention
            self.attentions.append(attention(block.attn, self.tokens))
            paths = config.paths if index in config.moe_blocks else ("",)
            self.mlps.append(nn.ModuleList(FusedMlp(getattr(block, f"mlp{path}")) for path in paths))
        for block in (self.blocks[index] for index in config.moe_blocks):
            query = block.cross_attn.q_proj
            self.queries.append(Dense(query.weight, query.bias))
            self.mixtures.append(FusedMixture(block.adapter_MoE))
        self.norms = nn.ModuleList(getattr(model, f"ln_post{path}") for path in config.paths)
        for number, path in enumerate(config.paths):
            self.register_buffer(f"proj_{number}", getattr(model, f"proj{path}").detach())
        theta = model.theta.detach() if len(config.paths) == 2 else torch.tensor(1.0)
        shares = torch.stack([theta, 1 - theta])[: len(config.paths)]
        self.register_buffer("shares", shares * model.logit_scale.detach().exp())

    def forward(
        self,
        windows: Tensor,
        whole: Tensor,
        gate_keys: Tensor,
        gate_values: Tensor,
        grades: Tensor | None = None,
    ) -> Tensor:
        """[n, W, side, side, 3], [n, side, side, 3], the instruction's two and [n, 5, joint] to [n, 5]."""
        grades = self.grades if grades is None else grades
        views, x = windows.shape[1] + 1, self.stem(windows, whole).flatten(0, 1)
        gate_keys, gate_values = (of.transpose(0, 1).flatten(0, 1) for of in (gate_keys, gate_values))
        for index in range(len(self.blocks)):
            if index not in self.config.moe_blocks:
                x = self._attended(x, index)
                x = x + self.mlps[index][0](self.blocks[index].ln_2(x))
                continue
            number = self.config.moe_blocks.index(index)
            queries, x = self._asked(x, number, views), self._attended(x, index)
            if number == 0:
                queries, x = (torch.cat([part] * len(self.config.paths)) for part in (queries, x))
            gates = gate_logits(queries, gate_keys[:, number], gate_values[:, number], views)
            x = self._experts(x, gates, index)
        logits = 0
        for path, part in enumerate(self._by_path(x)):
            v = unit(self.norms[path](part) @ getattr(self, f"proj_{path}")).unflatten(0, (-1, views))
            logits = logits + self.shares[path] * (v @ grades.transpose(1, 2))
        return view_average(logits, self.config.average)

    def _attended(self, x: Tensor, index: int) -> Tensor:
        """x + attention; of the class tokens alone in the last block."""
        before = class_tokens(x, self.tokens) if index == self.last else x
        return before + self.attentions[index](self.blocks[index].ln_1(x))

    def _asked(self, x: Tensor, number: int, views: int) -> Tensor:
        """[n C T, width] to queries [n, heads, C T, size]: all views of an image ask one set of keys."""
        q = self.queries[number](x)
        return split_heads(q.unflatten(0, (-1, views * self.tokens)), self.config.clip.heads)

    def _experts(self, x: Tensor, gates: Tensor, index: int) -> Tensor:
        h, tokens = self.blocks[index].ln_2(x), 1 if index == self.last else self.tokens
        mixed = self.mixtures[self.config.moe_blocks.index(index)](h, gates, tokens)
        return (
            x + mixed + torch.cat([mlp(h) for mlp, h in zip(self.mlps[index], self._by_path(h), strict=True)])
        )

    def _by_path(self, x: Tensor) -> list[Tensor]:
        stacked, paths = x.unflatten(0, (len(self.config.paths), -1)), range(len(self.config.paths))
        return [stacked[path] for path in paths]


def gate_logits(queries: Tensor, keys: Tensor, values: Tensor, views: int) -> Tensor:
    """[n, heads, C T, size], [n, heads, size, L] and [n, heads, L, 6] to [n C, 6].

    The mean over a view's tokens is taken of the attention weights.
    """
    weights = (queries @ keys).softmax(-1).unflatten(2, (views, -1)).mean(3)
    return (weights @ values).sum(1).flatten(0, 1)
