"""What the authors' own code says with random weights, for the daemon to be held against.

Clone that code, which is not part of this repository, and use a Python with its requirements and torchvision:

    ImageReward   github.com/THUDM/ImageReward   pip install transformers==4.30.2 timm==0.9.16 fairscale
    AAPMT         github.com/huskydoge/CS3324-Digital-Image-Processing   the same
    ACL-IQA       github.com/LQAMEI/ACL-IQA      pip install ftfy regex pandas

`npm run parity:full -- --keep DIR` writes the pictures and prompts; then, for image-reward as for aapmt,
acl-iqa, acl-iqa-alignment and acl-iqa-authenticity:

    python bench/upstream.py image-reward --source CLONE --dir DIR --vocabulary vocab.txt
    python -m assay_training convert aapmt --checkpoint DIR/upstream-image-reward.pt --tokenizer vocab.txt \\
        --out DIR/models/image-reward --int8      # in training/, in its own Python
    # acl-iqa: convert acl-iqa --checkpoint DIR/upstream-acl-iqa.pt --clip CLONE/acl_iqa/clip_main …
    npm run parity:full -- --made DIR --systems upstream-image-reward
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from PIL import Image
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))

from assay_training.aapmt.checkpoint import centre_metric
from assay_training.aapmt.config import TEXTS
from assay_training.acl_iqa.config import AclConfig
from assay_training.clip.model import Clip

Judge = Callable[[Path, str], dict[str, float]]  # of a picture and a prompt, by aspect
REWARDS = {  # where the package ImageReward stands in a clone, and its configuration
    "image-reward": (".", "train/src/config/med_config.json"),
    "aapmt": ("Assignment1/IQA_no_checkpoints", "ImageReward/config/med_config.json"),
}
AAPMT_ORDER = ("alignment", "quality", "authenticity")  # of the scores, as AAPMT trains and reads them
TASKS = {"acl-iqa": "quality", "acl-iqa-alignment": "alignment", "acl-iqa-authenticity": "authenticity"}
CLIP_SIZES = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}  # stored in CLIP's archive


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", choices=(*REWARDS, *TASKS))
    parser.add_argument("--source", type=Path, required=True, help="clone of the authors' repository")
    parser.add_argument("--dir", type=Path, required=True, help="folder that parity:full --keep wrote")
    parser.add_argument("--vocabulary", type=Path, help="vocab.txt of bert-base-uncased")
    parser.add_argument("--seed", type=int, default=1, help="of the weights (1)")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.system in REWARDS:
        package, config = REWARDS[options.system]
        net, judge = image_reward(options.source / package, config, options.vocabulary, options.seed)
        state = net.state_dict()
    else:
        net, judge = acl_iqa(options.source, TASKS[options.system], options.dir, options.seed)
        state = {"model_state_dict": net.state_dict()}
    name = f"upstream-{options.system}"
    torch.save(state, options.dir / f"{name}.pt")
    items = json.loads((options.dir / f"{options.system}.json").read_text(encoding="utf-8"))["items"]
    with torch.no_grad():
        for item in items:
            item["scores"] = judge(options.dir / "images" / item["image"], item["prompt"])
            print(item["image"], item["scores"], flush=True)
    report = json.dumps({"id": options.system, "items": items}, ensure_ascii=False, indent=1)
    (options.dir / f"{name}.json").write_text(report + "\n", encoding="utf-8")


def image_reward(source: Path, config: str, vocabulary: Path | None, seed: int) -> tuple[nn.Module, Judge]:
    """The authors' ImageReward, or AAPMT's with its Metric Transformer.

    The package imports training code and options, so only the module is taken. Aspects are asked for by our
    `TEXTS`.
    """
    import transformers

    if vocabulary:
        tokenizer = transformers.BertTokenizer(str(vocabulary), do_lower_case=True)
        transformers.BertTokenizer.from_pretrained = lambda *_, **__: tokenizer
    for name in ("ImageReward", "ImageReward.models"):
        package = ModuleType(name)
        package.__path__ = [str(source / name.replace(".", "/"))]
        sys.modules[name] = package
    options = ModuleType("config.options")
    options.opts, options.config = SimpleNamespace(fix_base=False, fix_rate=0), {"BLIP": {"vit": "large"}}
    sys.modules |= {"config": ModuleType("config"), "config.options": options}
    from ImageReward.ImageReward import ImageReward

    net = ImageReward(str(source / config)).eval()
    draw(net, reward_values, seed)
    last = net.mlp.layers[-1]
    with torch.no_grad():
        last.weight *= 1.5 / _collapsed(net.mlp).norm()
        last.bias += 0.5 - net.mlp(torch.zeros(1, 768))[0, 0]
        if hasattr(net, "ImageAssessmentModel"):
            centre_metric(net.state_dict())

    def judge(path: Path, prompt: str) -> dict[str, float]:
        texts = {aspect: text.replace("{prompt}", prompt) for aspect, text in TEXTS.items()}
        if hasattr(net, "ImageAssessmentModel"):
            place = AAPMT_ORDER.index
            return {
                aspect: float(net.score_forall(text, Image.open(path))[place(aspect)])
                for aspect, text in texts.items()
            }
        return {aspect: net.score(text, Image.open(path)) for aspect, text in texts.items()}

    return net, judge


def _collapsed(mlp: nn.Module) -> Tensor:
    """The reward's layers, none of which bends, as one row."""
    row = torch.eye(768)
    for layer in mlp.layers:
        if isinstance(layer, nn.Linear):
            row = layer.weight @ row
    return row


def reward_values(name: str, value: Tensor, drawn: Tensor) -> Tensor:
    """Attention is neither flat nor hard, and the text counts beside the image."""
    if "norm" in name.lower():
        return (0.3 * drawn).exp() if name.endswith("weight") else 0.3 * drawn
    if name.endswith(("bias", "pos_embed", "cls_token")):
        return 0.5 * drawn
    if "embeddings." in name:
        return drawn
    gain = 0.15 if "crossattention.output" in name else 3 if "text_encoder" in name else 1.5
    return drawn * gain / value[0].numel() ** 0.5


def acl_iqa(source: Path, task: str, work: Path, seed: int) -> tuple[nn.Module, Judge]:
    """The authors' net for a task, on what their data set makes of a file at test time.

    Grades and instructions are those of `AclConfig`: theirs stand inside of training scripts.
    """
    config = AclConfig(task=task, variant="conv-moe" if task == "authenticity" else "acl")
    sys.modules |= {"IPython": SimpleNamespace(embed=None), "clip": ModuleType("clip")}  # imported, not used
    sys.path.insert(0, str(source / "acl_iqa"))
    clip = {key: value.clone() for key, value in Clip().state_dict().items()}
    clip |= {name: torch.tensor(size) for name, size in CLIP_SIZES.items()}
    archive = SimpleNamespace(eval=lambda: SimpleNamespace(state_dict=lambda: clip))
    torch.jit.load = lambda *_, **__: archive
    from clip_main.acl_iqa import tokenize
    from ImageDataset import AIGCDataset_3k
    from iqa_model import ACLIQA, ConvMoE
    from utils import _preprocess2

    kind = ConvMoE if config.variant == "conv-moe" else ACLIQA
    net = kind(clip_model_name=__file__, device="cpu", topk=config.chosen).float().eval()
    draw(net, acl_values, seed)

    def ids(templates: tuple[str, ...], prompt: str) -> list[Tensor]:
        return [tokenize(text.replace("{prompt}", prompt), truncate=True) for text in templates]

    def judge(path: Path, prompt: str) -> dict[str, float]:
        table = work / "upstream.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["name", "prompt"], [path.resolve(), "-"]])
        data = AIGCDataset_3k(str(table), "/", _preprocess2(), config.views.count, True, blind=True)
        views = data[0]["I"][None]
        shares = net(views, torch.cat(ids(config.grades, prompt)), *ids(config.instructions, prompt))[0][0]
        return {task: float((shares * torch.arange(5)).sum() / 4 * 5)}

    return net, judge


def acl_values(name: str, value: Tensor, drawn: Tensor) -> Tensor:
    """CLIP's are kept but for their biases; gates and experts, which start at zero, get to work."""
    if name.endswith(("logit_scale", "theta")):
        return value
    if "w_gate" in name or "w_noise" in name:
        return 0.3 * drawn
    if "adapter_conv" in name:
        return 0.2 * drawn
    if "adapter_" in name and name.endswith("weight"):
        return drawn * value.shape[-1] ** -0.5
    if "cross_attn" in name and name.endswith("weight"):
        return 2 * drawn * value.shape[-1] ** -0.5
    return value + 0.1 * drawn if "bias" in name else value


@torch.no_grad()
def draw(net: nn.Module, values: Callable[[str, Tensor, Tensor], Tensor], seed: int) -> None:
    """Sets all parameters to what `values` makes of their name, value and normal noise."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in net.named_parameters():
        value.copy_(values(name, value, torch.randn(value.shape, generator=generator)))


if __name__ == "__main__":
    main()
