"""How far 8 bits move the scores of published scorers, by seed, with weights as the authors' code draws them.

Such weights are harsher than trained ones: gates lie far apart, so that a little noise chooses other experts.
The nets are ours, drawn by the rules of upstream.py; what is printed is what the card of each would state.
`mid` has a third of the width, and takes minutes a seed; `full` takes half an hour.

Example: python bench/int8_error.py acl-iqa image-reward --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))

from upstream import TASKS, acl_values, draw, reward_values

from assay_training.aapmt import config as aapmt_config
from assay_training.aapmt.model import ImageReward
from assay_training.aapmt.package import prepare as prepare_aapmt
from assay_training.acl_iqa.checkpoint import from_clip, write_checkpoint
from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.package import prepare as prepare_acl_iqa
from assay_training.clip.model import Clip, ClipConfig
from assay_training.clip.tokenizer import tiny_tokenizer
from assay_training.convert import System, make_folder
from assay_training.images import load_rgb
from assay_training.parity import PROMPTS, write_images
from assay_training.variant_distance import Distance, distances

MID_CLIP = ClipConfig(width=256, heads=4, text_width=256, text_heads=4, joint=256)
SYSTEMS = (*TASKS, "image-reward")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("systems", nargs="+", choices=SYSTEMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", choices=("mid", "full"), default="mid")
    options = parser.parse_args()
    for system in options.systems:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as work:
                made = drawn(system, options.size, seed, Path(work))
                out = Path(work) / "out" / system
                found = {"as its card says": make_folder(made, out, int8=True)["int8"]}
                found["other pairs"] = other_distances(out, Path(work), seed)
            for pairs, aspects in found.items():
                for aspect, one in aspects.items():
                    told = f"largest {one.largest:.2%}, 95 % within {one.most:.2%} of the range"
                    print(f"{system} {options.size}, seed {seed}, {aspect}, {pairs}: {told}", flush=True)


def other_distances(folder: Path, work: Path, seed: int) -> dict[str, Distance]:
    """Of int8, on pictures and prompts that the conversion did not try."""
    shapes = [(512, 512), (300, 200), (640, 480), (224, 700), (400, 400)] * 6
    pictures = write_images(work / "images", shapes, 100 + seed)
    items = [(load_rgb(path), PROMPTS[number % len(PROMPTS)]) for number, path in enumerate(pictures)]
    manifest = json.loads((folder / "manifest.json").read_text())
    return distances(folder, manifest, items)["int8"]


def drawn(system: str, size: str, seed: int, work: Path) -> System:
    """A system with weights of this seed, exported into WORK."""
    torch.manual_seed(seed)
    path = work / "checkpoint.pt"
    if system == "image-reward":
        config = aapmt_config.FULL if size == "full" else mid_reward()
        torch.save(reward(config, seed), path)
        return prepare_aapmt(path, None, work / "graphs", config=config)
    task = TASKS[system]
    clip = ClipConfig() if size == "full" else MID_CLIP
    config = AclConfig(task=task, variant="conv-moe" if task == "authenticity" else "acl", clip=clip)
    torch.save(Clip(clip).state_dict(), work / "clip.pt")
    net = from_clip(work / "clip.pt", config)
    draw(net, acl_values, seed)
    write_checkpoint(net, path)
    tiny_tokenizer(work / "tokenizer.json", clip)
    made = prepare_acl_iqa(path, work, work / "graphs", task=task, config=config)
    return replace(made, windows=made.windows[:1])


def mid_reward() -> aapmt_config.Config:
    """ImageReward's layers, narrow."""
    full = aapmt_config.FULL
    vision = replace(full.vision, width=256, heads=4, depth=12, hidden=1024)
    return replace(full, vision=vision, text=replace(full.text, width=192, heads=3, hidden=768))


@torch.no_grad()
def reward(config: aapmt_config.Config, seed: int) -> dict:
    """Its state, with a last layer that gives scores of deviation 1.5 around 0.5."""
    net = ImageReward(config)
    draw(net, reward_values, seed)
    last = net.mlp.layers[-1]
    last.weight *= 1.5 / net.mlp.collapsed().weight.norm()
    last.bias += 0.5 - net.mlp.collapsed().bias
    return net.state_dict()


if __name__ == "__main__":
    main()
