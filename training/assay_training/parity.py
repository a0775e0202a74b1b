"""Model folders with random weights, and what torch makes of pictures and prompts: the daemon must agree.

The reference takes nothing from the graphs: the plain modules score one image and one prompt at a time, on
what Pillow and torch make of the image.
"""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from assay_training.aapmt import checkpoint as aapmt_checkpoint
from assay_training.aapmt import config as aapmt_config
from assay_training.aapmt.metric import OUTPUTS, DeclaredMetricTransformer
from assay_training.aapmt.package import prepare as prepare_aapmt
from assay_training.acl_iqa.checkpoint import load_checkpoint
from assay_training.acl_iqa.checkpoint import random_checkpoint as random_acl_iqa
from assay_training.acl_iqa.config import AclConfig, Views
from assay_training.acl_iqa.model import score_of
from assay_training.acl_iqa.package import prepare as prepare_acl_iqa
from assay_training.acl_iqa.views import spread_views
from assay_training.case import Case
from assay_training.checkpoints import read_state
from assay_training.clip.model import ACTIVATIONS, ClipConfig, normalised, unit
from assay_training.clip.sizes import open_clip
from assay_training.clip.tokenizer import encode, open_tokenizer, tiny_tokenizer
from assay_training.clip_scorers.checkpoint import random_clip, random_head, write_clip
from assay_training.clip_scorers.export import MOST_BYTES
from assay_training.clip_scorers.package import Sources
from assay_training.clip_scorers.package import prepare as prepare_clip
from assay_training.clip_scorers.presets import HEAD_WIDTHS, PRESETS
from assay_training.convert import make_folder
from assay_training.diff_agiqa import config as diff_config
from assay_training.diff_agiqa.checkpoint import Sources as DiffSources
from assay_training.diff_agiqa.package import manifest_of as diff_manifest
from assay_training.diff_agiqa.package import prepare as prepare_diff_agiqa
from assay_training.diff_agiqa.plain import PlainDiffAgiqa, spread_out
from assay_training.diff_agiqa.random_weights import write_diffusion, write_head
from assay_training.m3_agiqa.parity import m3_agiqa
from assay_training.ma_agiqa.parity import ma_agiqa
from assay_training.maniqa.parity import maniqa
from assay_training.prepare import prepare
from assay_training.scorer import tokens

SIZES = ("tiny", "full")
TINY_ACL_IQA = AclConfig(
    clip=ClipConfig(
        side=32, patch=8, width=24, layers=4, heads=2, text_width=16, text_layers=4, text_heads=2,
        context=20, vocabulary=600, joint=12,
    ),
    views=Views(count=5, stride=8, large_stride=12, large_side=160, enlarge_to=64),
)  # fmt: skip
TINY_CLIP = ClipConfig(
    side=32, patch=8, width=64, layers=4, heads=2, text_width=40, text_layers=3, text_heads=2,
    context=20, vocabulary=600, joint=32,
)  # fmt: skip
SHAPES = {  # width and height of the pictures; the tiny nets see small windows
    "tiny": [(64, 64), (90, 70), (170, 64), (40, 100), (64, 161)],
    "full": [(512, 512), (300, 200), (1024, 640), (224, 700), (1100, 1030)],
}
FULL_CLIPS = {  # by the size that a preset asks for
    None: ClipConfig(),
    "ViT-L/14": ClipConfig(
        patch=14, width=1024, layers=24, heads=16, text_width=768, text_heads=12, joint=768
    ),
    # a quarter of its depth: all of it takes more memory than many machines have
    "ViT-H/14": ClipConfig(
        patch=14, width=1280, layers=8, heads=16, text_width=1024, text_layers=6, text_heads=16, joint=1024
    ),
}
MOST_SLOW = 3  # pairs at full size, where one takes minutes
CUT = 600_000  # bytes in one graph, so that tiny image towers are cut in two, as ViT-H/14's is
WAVES = 25  # most of a picture, in radians
PROMPTS = [
    "a cat",
    "caf&eacute; \u201cna\u00c3\u00afve\u201d",  # an empty one is none, of which there is no score
    ", ".join(["an oil painting of the old harbour at dusk"] * 12),  # longer than any context
    "湖の上の山, Ünïcödé — naïve café ☂️ 日本語",
    "\"Quoted\" $& 'and' 100%  of\tthe   rest",  # no braces: they are syntax, and the daemon takes them away
]


def write_parity(name: str, size: str, out: Path, seed: int, smaller: dict[str, bool]) -> None:
    """Fills OUT/models/<id>, OUT/images/*.png and OUT/<name>.json: {id, items: [{image, prompt, scores}]}.

    An item of a system that asks a language model has its `states`, too: shape, and float32 in base64, by
    what is asked last. smaller: which variants there are besides, as make_folder takes them.
    """
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as work, torch.no_grad():
        case = CASES[name](size, Path(work), seed)
        images = write_images(out / "images", SHAPES[size], seed)
        items = [
            {"image": path.name, "prompt": prompt, "scores": case.judge(Image.open(path), prompt)}
            | told(case, Image.open(path), prompt)
            for path, prompt in pairs(images)[: case.most]
        ]
        system = case.system
        del case  # gigabytes, which conversion has need of, too
        (out / "models").mkdir(exist_ok=True)
        make_folder(system, out / "models" / system.manifest["id"], **smaller)
    report = {"id": system.manifest["id"], "items": items}
    (out / f"{name}.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n")


def told(case: Case, image: Image.Image, prompt: str) -> dict:
    """What the language model has to say of the picture, if one is asked."""
    if not case.holds:
        return {}
    found = case.holds(image, prompt)
    return {
        "states": {
            asked: {"shape": one.shape, "data": b64encode(one.tobytes()).decode()}
            for asked, one in found.items()
        }
    }


def pairs(images: list[Path]) -> list[tuple[Path, str]]:
    """Every picture with two prompts and every prompt with two pictures."""
    count = len(images)
    return [(images[i], PROMPTS[(i + step) % len(PROMPTS)]) for step in (0, 2) for i in range(count)]


def write_images(folder: Path, shapes: list[tuple[int, int]], seed: int) -> list[Path]:
    """Pictures with smooth and with rough parts, so that every resize kernel has something to differ on.

    They are as wavy at every size: what is nothing but fine is noise to the daemon, which then asks nobody.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (width, height) in enumerate(shapes):
        rng = np.random.default_rng((seed, number))
        y, x = np.mgrid[0:height, 0:width]
        most = WAVES / max(width, height)
        waves = sum(
            np.sin(x[..., None] * rng.uniform(0, most, 3) + y[..., None] * rng.uniform(0, most, 3) + phase)
            for phase in range(3)
        )
        pixels = 128 + 35 * waves + rng.normal(0, 12, (height, width, 3)) * (x > width / 2)[..., None]
        paths.append(folder / f"{number}-{width}x{height}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return paths


def acl_iqa(task: str, variant: str) -> Callable[[str, Path, int], Case]:
    """ACL-IQA for one task, or its single-path variant."""

    def case(size: str, work: Path, seed: int) -> Case:
        config = replace(TINY_ACL_IQA if size == "tiny" else AclConfig(), task=task, variant=variant)
        random_acl_iqa(config, work / "checkpoint.pt", seed)
        tokenizer = open_tokenizer(tiny_tokenizer(work / "tokenizer.json", config.clip))
        system = prepare_acl_iqa(work / "checkpoint.pt", work, work / "graphs", task=task, config=config)
        model, _ = load_checkpoint(work / "checkpoint.pt", config)
        context = config.clip.context

        def ids(templates: tuple[str, ...], prompt: str) -> Tensor:
            texts = [template.replace("{prompt}", prompt) for template in templates]
            return torch.from_numpy(encode(tokenizer, texts, context))[None]

        def judge(image: Image.Image, prompt: str) -> dict[str, float]:
            windows, whole = spread_views(image.convert("RGB"), config.clip.side, config.views)
            grades, instructions = ids(config.grades, prompt), ids(config.instructions, prompt)
            return {task: float(score_of(model(windows[None], whole[None], grades, instructions))[0])}

        return Case(system, judge)

    return case


def aapmt(metric: bool) -> Callable[[str, Path, int], Case]:
    """ImageReward, or AAPMT with the Metric Transformer."""

    def case(size: str, work: Path, seed: int) -> Case:
        config = aapmt_config.TINY if size == "tiny" else aapmt_config.FULL
        path = work / "checkpoint.pt"
        aapmt_checkpoint.random_checkpoint(config, path, seed, metric)
        system = prepare_aapmt(path, None, work / "graphs", config=config)
        model = aapmt_checkpoint.load(path, config).model
        head = declared_metric(path, config) if metric else None
        spec = system.manifest["text"]
        tokenizer = Tokenizer.from_file(str(system.tokenizer))

        def judge(image: Image.Image, prompt: str) -> dict[str, float]:
            pixels = prepare(image, {"dtype": "uint8", **system.manifest["image"]})["image"]
            seen = model.tokens(torch.tensor(pixels)[None])
            found = {}
            for aspect, text in aapmt_config.TEXTS.items():
                read = tokens([text.replace("{prompt}", prompt)], tokenizer, spec)
                ids, mask = (torch.from_numpy(read[spec[name]])[None] for name in ("ids", "mask"))
                feature = model.features(ids, mask, seen)[0]  # one text alone, [1, width]
                found[aspect] = read_metric(head, feature, aspect) if head else read_reward(model, feature)
            return found

        return Case(system, judge)

    return case


def read_reward(model, feature: Tensor) -> float:
    """All layers of the reward one after the other, and the published normalisation."""
    return (float(model.mlp(feature)) - aapmt_config.MEAN) / aapmt_config.DEVIATION


def read_metric(head: DeclaredMetricTransformer, feature: Tensor, aspect: str) -> float:
    """What the declared transformer gives, read as upstream trains it: its first output is alignment."""
    return float(head(feature)[OUTPUTS.index(aapmt_config.HEADS["as-trained"][aspect])])


def declared_metric(path: Path, config: aapmt_config.Config) -> DeclaredMetricTransformer:
    """The Metric Transformer as it is stored, dead parts included."""
    prefix = f"{aapmt_checkpoint.METRIC}."
    state = {key.removeprefix(prefix): v for key, v in read_state(path).items() if key.startswith(prefix)}
    head = DeclaredMetricTransformer(config)
    head.load_state_dict(state)
    return head.eval()


def clip(preset: str) -> Callable[[str, Path, int], Case]:
    """A row of the presets on a random CLIP."""

    def case(size: str, work: Path, seed: int) -> Case:
        row = PRESETS[preset]
        config = TINY_CLIP if size == "tiny" else FULL_CLIPS[row.size]
        config = replace(config, activation=row.activation or ACTIVATIONS[0])
        folder = write_clip(random_clip(config, seed), work / "clip")
        tokenizer = open_tokenizer(tiny_tokenizer(folder / "tokenizer.json", config))
        head = work / "head.pth" if row.kind == "head" else None
        if head:
            torch.save(random_head(config.joint, seed), head)
        most = CUT if size == "tiny" and row.activation else MOST_BYTES
        system = prepare_clip(preset, Sources(folder, head=head), work / "graphs", most_bytes=most)
        model = open_clip(folder)

        def meant(text: str) -> Tensor:
            return unit(model.encode_text(torch.from_numpy(encode(tokenizer, [text], config.context))))[0]

        def read(seen: Tensor, texts: tuple[str, ...]) -> float:
            if head:
                return float(read_layers(torch.load(head, weights_only=True), seen))
            cosines = torch.stack([seen @ meant(text) for text in texts])
            scaled = cosines * model.logit_scale.exp()
            if len(texts) == 2:
                return float(scaled.softmax(0)[0])
            return float({"clip-score": 2.5 * cosines, "pickscore": scaled, "hps": cosines}[preset][0])

        def judge(image: Image.Image, prompt: str) -> dict[str, float]:
            pixels = prepare(image, {"dtype": "uint8", **system.manifest["image"]})["image"]
            seen = unit(model.encode_image(normalised(torch.tensor(pixels)[None])))[0]
            return {
                aspect: read(seen, tuple(text.replace("{prompt}", prompt) for text in texts))
                for aspect, texts in row.texts.items()
            }

        return Case(system, judge)

    return case


def read_layers(state: dict[str, Tensor], feature: Tensor) -> Tensor:
    """LAION's layers one after the other."""
    for number in (0, 2, 4, 6, 7)[: len(HEAD_WIDTHS)]:
        feature = state[f"layers.{number}.weight"] @ feature + state[f"layers.{number}.bias"]
    return feature[0]


def diff_agiqa(size: str, work: Path, seed: int) -> Case:
    """Diff-AGIQA, with a head that tells the first pictures apart."""
    config = diff_config.TINY if size == "tiny" else diff_config.FULL
    most = len(SHAPES[size]) * 2 if size == "tiny" else MOST_SLOW
    folder, head = write_diffusion(config, work / "sd", seed), write_head(config, work / "head.pt", seed)
    sources = DiffSources(folder, head)
    image = {"dtype": "uint8", **diff_manifest(config)["image"]}

    @cache
    def plain() -> PlainDiffAgiqa:
        return PlainDiffAgiqa(sources, folder / "tokenizer" / "tokenizer.json", image, config)

    seen = pairs(write_images(work / "images", SHAPES[size], seed))[:most]
    spread_out(head, [plain().logit(Image.open(path), prompt) for path, prompt in seen])
    plain.cache_clear()  # the head is another one now, and memory is needed
    system = prepare_diff_agiqa(sources, work / "graphs", config=config)
    return Case(system, lambda picture, prompt: {"quality": plain().score(picture, prompt)}, most=most)


CASES: dict[str, Callable[[str, Path, int], Case]] = {
    "acl-iqa": acl_iqa("quality", "acl"),
    "acl-iqa-alignment": acl_iqa("alignment", "acl"),
    "acl-iqa-authenticity": acl_iqa("authenticity", "conv-moe"),
    "image-reward": aapmt(metric=False),
    "aapmt": aapmt(metric=True),
    **{preset: clip(preset) for preset in PRESETS},
    "diff-agiqa": diff_agiqa,
    "maniqa": maniqa("whole"),
    "maniqa-windows": maniqa("windows"),
    "ma-agiqa": ma_agiqa,
    "m3-agiqa": m3_agiqa,
}
