"""What the authors' Diff-AGIQA says with random weights, with our noise and nothing left to chance.

Clone github.com/sxfly99/Diff-AGIQA, which is no part of this repository, and use a Python with its diffusers:
pip install diffusers==0.29.2 transformers==4.44.2 'huggingface_hub<0.26' accelerate ftfy. A folder with
vocab.json and merges.txt of CLIP is needed. Takes 8 GB of memory and a minute or two for each picture.

    python bench/upstream_diffusion.py --source CLONE --dir DIR --tokenizer FOLDER
    python -m assay_training convert diff-agiqa --diffusion DIR/sd15 --head DIR/upstream-diff-agiqa.pt \\
        --out DIR/models/diff-agiqa --int8 --fp16      # in training/, in its own Python
    npm run parity:full -- --made DIR --systems upstream-diff-agiqa

Their extractor of features patches files of diffusers only to hand activations out; here hooks do. The model
that makes images is built of diffusers' classes, with weights that are drawn, and written as a folder.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from upstream import draw  # which makes assay_training known

from assay_training.diff_agiqa.config import FULL
from assay_training.diff_agiqa.latents import fixed_noises
from assay_training.parity import MOST_SLOW, SHAPES, pairs, write_images

UNET = {
    "sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768,
    "attention_head_dim": 8,
}  # fmt: skip
VAE = {
    "block_out_channels": (128, 256, 512, 512), "latent_channels": 4, "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
TEXT = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "skip_prk_steps": True,
    "steps_offset": 1, "set_alpha_to_one": False,
}  # fmt: skip
LONG_WORDS, STRENGTH = 70, 50 / 1000  # as theirs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="clone of the authors' repository")
    parser.add_argument("--dir", type=Path, required=True, help="folder to write into")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        required=True,
        help="vocab.json and merges.txt of CLIP",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the weights (1)")
    parser.add_argument("--pairs", type=int, default=MOST_SLOW, help="of picture and prompt")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    folder = write_diffusion(options.dir / "sd15", options.tokenizer, options.seed)
    net = authors_net(options.source, folder, options.seed)
    images = write_images(options.dir / "images", SHAPES["full"], 0)
    chosen = pairs(images)[: options.pairs]
    with torch.no_grad():
        meet(net, chosen)
        before = torch.cat([before_the_last(net, path, prompt) for path, prompt in chosen])
        spread_out(net.quality_head[8], before)
        logits = net.quality_head[8](before)[:, 0].tolist()
        scores = (5 * net.quality_head[8:](before))[:, 0].tolist()
    torch.save(net.state_dict(), options.dir / "upstream-diff-agiqa.pt")
    items = []
    for (path, prompt), score, logit in zip(chosen, scores, logits, strict=True):
        print(f"{path.name} {score:.6f}, before the sigmoid {logit:.6f}", flush=True)
        items.append({"image": path.name, "prompt": prompt, "scores": {"quality": score}})
    report = json.dumps({"id": "diff-agiqa", "items": items}, ensure_ascii=False, indent=1)
    (options.dir / "upstream-diff-agiqa.json").write_text(report + "\n", encoding="utf-8")


def write_diffusion(folder: Path, tokenizer: Path, seed: int) -> Path:
    """A folder of diffusers in float32, made if it is not there; returns it."""
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionImg2ImgPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    if folder.is_dir():
        return folder
    reader = CLIPTokenizer.from_pretrained(tokenizer, pad_token="<|endoftext|>", model_max_length=77)
    config = CLIPTextConfig(**TEXT, bos_token_id=49406, eos_token_id=49407)
    nets = (
        UNet2DConditionModel(**UNET),
        AutoencoderKL(**VAE, sample_size=512),
        CLIPTextModel(config),
    )
    for number, net in enumerate(nets):
        draw(net.eval(), diffusion_values, seed + number)
    unet, vae, text = nets
    pipe = StableDiffusionImg2ImgPipeline(
        vae,
        text,
        reader,
        unet,
        PNDMScheduler(**SCHEDULE),
        None,
        None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def diffusion_values(name: str, value: Tensor, drawn: Tensor) -> Tensor:
    """Norms and biases count; matrices keep the size of what they are given."""
    if value.ndim == 1:
        return 1 + 0.1 * drawn if "norm" in name and name.endswith("weight") else 0.1 * drawn
    if "embedding" in name and "time" not in name:
        return 0.5 * drawn
    return drawn * value[0].numel() ** -0.5


class FeatureExtractor:
    """As theirs is called; `layer` holds the names of activations in the order in which they are made."""

    def __init__(self, folder: Path, layer: dict[str, bool]) -> None:
        from diffusers import StableDiffusionImg2ImgPipeline

        self.pipe = pipe = StableDiffusionImg2ImgPipeline.from_pretrained(folder, safety_checker=None)
        self.layer, self.found = layer, {}
        for module in (pipe.unet, pipe.vae, pipe.text_encoder):
            module.requires_grad_(False)
        blocks = {"mid-vit-block0-ffn-inner": pipe.unet.mid_block.attentions[0]}
        for level, up in enumerate(pipe.unet.up_blocks):
            for number, block in enumerate(getattr(up, "attentions", [])):
                blocks[f"up-level{level}-repeat{number}-vit-block0-ffn-inner"] = block
        for name in layer:
            blocks[name].transformer_blocks[0].ff.net[0].register_forward_hook(self._keep(name))
        self._fix()

    def _keep(self, name: str) -> Callable:
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            side = round(output.shape[1] ** 0.5)
            self.found[name] = output.transpose(1, 2).reshape(len(output), -1, side, side)

        return hook

    def _fix(self) -> None:
        """The posterior's mean, and the first of the shipped noises, in the place of both draws."""
        from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
        from diffusers.pipelines.stable_diffusion import (
            pipeline_stable_diffusion_img2img as pipeline,
        )

        DiagonalGaussianDistribution.sample = lambda self, generator=None: self.mean
        pipeline.randn_tensor = lambda shape, **_: fixed_noises(1, FULL).reshape(shape)

    def preprocess_image(self, images: Tensor, is_tensor: bool) -> Tensor:
        return self.pipe.image_processor.preprocess(list(images))

    def encode_prompt(self, prompt: str) -> Tensor:
        pipe = self.pipe
        if len(prompt.split(" ")) > LONG_WORDS:
            ids = pipe.tokenizer(prompt, return_tensors="pt", truncation=False).input_ids
            return torch.cat([pipe.text_encoder(part)[0] for part in ids.split(77, 1)], 1)
        return pipe.encode_prompt(prompt, "cpu", 1, True, negative_prompt="")[0]

    def extract(self, prompts: Tensor, batch_size: int, image: Tensor, image_type: str) -> dict[str, Tensor]:
        pipe = self.pipe
        pipe.scheduler.set_timesteps(1000)
        time = pipe.get_timesteps(1000, STRENGTH, "cpu")[0][:1]
        latents = pipe.prepare_latents(image, time, 1, batch_size, torch.float32, "cpu")
        self.found = {}
        pipe.unet(pipe.scheduler.scale_model_input(latents, time), time, prompts)
        return self.found


def authors_net(source: Path, folder: Path, seed: int) -> nn.Module:
    """Their net, drawn by their constructors; its attention, which starts at zero, gets to work."""
    package = ModuleType("diffusion_feature")
    package.FeatureExtractor = lambda layer, **_: FeatureExtractor(folder, layer)
    sys.modules["diffusion_feature"] = package
    Tensor.cuda = lambda self: self
    sys.path.insert(0, str(source))
    from net.DiffAGIQA1k import DiffAGIQA

    torch.manual_seed(seed)
    net = DiffAGIQA(device="cpu").eval()
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.endswith("gamma"):
                value.normal_(0.3, 0.2)
    extract, known = net.extract_features, {}

    def kept(images: Tensor, prompts: list[str], task: str) -> tuple[Tensor, ...]:
        key = (float(images.double().sum()), *prompts)
        if key not in known:
            known[key] = extract(images, prompts, task)
        return known[key]

    net.extract_features = kept  # takes most of the time, and is the same in both passes
    return net


def meet(net: nn.Module, chosen: list[tuple[Path, str]]) -> None:
    """Gives batch norms the statistics of these pictures, as training would: else nothing gets through."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all that it sees
        norm.train()
    for path, prompt in chosen:
        before_the_last(net, path, prompt)
    net.eval()


def before_the_last(net: nn.Module, path: Path, prompt: str) -> Tensor:
    """What the last layer is given, [1, 128].

    Pictures are brought to 512 x 512 and entities of HTML resolved before, as ours does and theirs cannot.
    """
    image = Image.open(path).convert("RGB").resize((512, 512), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None, None].float() / 255
    found: list[Tensor] = []
    hook = net.quality_head[8].register_forward_hook(lambda _module, inputs, _output: found.append(inputs[0]))
    net(pixels, [html.unescape(html.unescape(prompt))])
    hook.remove()
    return found[0]


def spread_out(last: nn.Linear, given: Tensor) -> None:
    """Changes the layer so that what it gives has mean 0.4 and deviation 1: no score is at an end."""
    found = last(given)
    print(f"the last layer is multiplied by {float(1 / found.std()):.3g}", flush=True)
    last.weight *= 1 / found.std()
    last.bias.copy_((last.bias - found.mean()) / found.std() + 0.4)


if __name__ == "__main__":
    main()
