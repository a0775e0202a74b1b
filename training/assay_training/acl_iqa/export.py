"""The net's three graphs as checked ONNX files.

    grades:      ids [n, 5, L]                       -> grades [n, 5, joint], of length 1
    instruction: ids [n, P, L]                       -> gate_keys [n, P, B, heads, size, L],
                                                        gate_values [n, P, B, heads, L, 6]
    score:       windows uint8 [n, W, S, S, 3], whole float32 [n, S, S, 3], grades, gate_keys, gate_values
                                                     -> probabilities of the grades [n, 5]

The texts of quality are the same for every prompt: their embeddings are constants of the score graph
then, and there is no grades graph.

P paths (col, adv; one for conv-moe), B blocks with experts (6), L ids a text (77), S pixels a side (224). For
ViT-B/32 keys and values of a prompt are 3.1 MB. The number of windows W is free.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.model import GRADES, AclIqa
from assay_training.acl_iqa.score_graph import ScoreGraph
from assay_training.acl_iqa.text_graphs import GradesGraph, InstructionGraph
from assay_training.acl_iqa.views import WHOLE, WINDOWS
from assay_training.onnx_export import export

IDS = "ids"


def export_graphs(model: AclIqa, folder: Path, grades: Tensor | None = None) -> dict[str, Path]:
    """Writes FOLDER/{grades,instruction,score}.onnx, float32; the score's output is named after the task.

    grades: ids [1, 5, L] of texts that are the same for every prompt; then there is no grades.onnx.
    Raises AssertionError if onnxruntime and torch disagree.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("grades", "instruction", "score") if grades is None else ("instruction", "score")
    paths = {name: folder / f"{name}.onnx" for name in names}
    if grades is None:
        export(GradesGraph(model), {IDS: example_ids(model.config, GRADES)}, ["grades"], paths["grades"])
    instructions = example_ids(model.config, len(model.config.paths))
    export(InstructionGraph(model), {IDS: instructions}, ["gate_keys", "gate_values"], paths["instruction"])
    export_score(model, paths["score"], grades)
    return paths


def export_score(model: AclIqa, path: Path, grades: Tensor | None = None) -> None:
    """The last of the graphs alone; `grades` as in `export_graphs`."""
    config = model.config
    with torch.no_grad():
        keys, values = InstructionGraph(model)(example_ids(config, len(config.paths)))
        vectors = GradesGraph(model)(example_ids(config, GRADES) if grades is None else grades)
    args = example_views(config) | {"gate_keys": keys, "gate_values": values}
    constant = None if grades is None else vectors
    args |= {"grades": vectors} if grades is None else {}
    export(ScoreGraph(model, constant), args, [config.task], path, free={WINDOWS: {1: "windows"}})


def example_ids(config: AclConfig, texts: int) -> Tensor:
    """[1, texts, context] of random texts of different lengths, filled up with 0."""
    clip, generator = config.clip, torch.Generator().manual_seed(0)
    ids = torch.randint(1, clip.vocabulary - 2, (1, texts, clip.context), generator=generator)
    for number in range(texts):
        end = 2 + (3 * number) % (clip.context - 2)
        ids[0, number, end] = clip.vocabulary - 1
        ids[0, number, end + 1 :] = 0
    ids[..., 0] = clip.vocabulary - 2
    return ids


def example_views(config: AclConfig, windows: int = 2) -> dict[str, Tensor]:
    """Windows and whole of one image of noise."""
    side, generator = config.clip.side, torch.Generator().manual_seed(0)
    cut = torch.randint(0, 256, (1, windows, side, side, 3), generator=generator, dtype=torch.uint8)
    return {WINDOWS: cut, WHOLE: torch.rand(1, side, side, 3, generator=generator) * 255}
