"""Stand-ins for the modules of a host of the AUTOMATIC1111 family, and the loop that calls the hooks of a script.

Images are flat greys: the share of white is that of `shade(seed)`, so that a test knows what is judged.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType, SimpleNamespace

import torch
from PIL import Image

SIZE = 16


class Rng:
    """Draws the noise of one batch."""

    def __init__(self, shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0):
        self.shape = shape
        self.seeds = list(seeds)
        self.subseeds = list(subseeds or [])
        self.subseed_strength = subseed_strength


@dataclass
class Processing:
    """What a job is about: the fields that the extension reads or sets."""

    prompt: str = "a lake"
    negative_prompt: str = "blurry"
    seed: int = 100
    subseed: int = 500
    subseed_strength: float = 0
    seed_resize_from_h: int = 0
    seed_resize_from_w: int = 0
    batch_size: int = 8
    n_iter: int = 1
    restore_faces: bool = False
    init_images: list = field(default_factory=list)
    overlay_images: list | None = None
    color_corrections: list | None = None
    outpath_samples: str = "outputs/txt2img-images"
    #: The first is the script that was chosen, 0 for none.
    script_args: tuple = (0,)
    extra_generation_params: dict = field(default_factory=dict)


class Processed:
    def __init__(self, p, images, infotexts):
        self.images, self.infotexts = images, infotexts
        self.all_prompts, self.all_negative_prompts = p.all_prompts, p.all_negative_prompts
        self.all_seeds, self.all_subseeds = p.all_seeds, p.all_subseeds
        self.seed, self.subseed = p.all_seeds[0], p.all_subseeds[0]
        self.extra_generation_params = p.extra_generation_params
        self.comments = ""

    def js(self) -> dict:
        """As it comes over the API."""
        told = {key: value for key, value in vars(self).items() if key != "images"}
        return json.loads(json.dumps(told, allow_nan=False))


def create_infotext(p, prompts, seeds, subseeds, index=0, all_negative_prompts=None, use_main_prompt=False) -> str:
    """Functions are called where the host knows them, lists are looked into, and texts are texts."""
    parameters = {"Steps": 4, "Seed": seeds[index], **p.extra_generation_params}
    if p.subseed_strength:
        parameters["Variation seed"] = subseeds[index]
    told = []
    for key, value in parameters.items():
        if callable(value) and sys.modules["modules.scripts"].knows_functions:
            value = value(p=p, index=index, use_main_prompt=use_main_prompt)
        elif isinstance(value, list):
            value = value[index]
        if value is not None:
            told.append(f"{key}: {json.dumps(value) if ',' in str(value) else value}")
    return f"{prompts[index]}\nNegative prompt: {all_negative_prompts[index]}\n{', '.join(told)}"


class FamilyHost:
    """`kind`: "forge" passes tensors and has every hook; "sdnext" passes pictures and lacks some."""

    def __init__(self, kind: str = "forge"):
        self.kind = kind
        self.state = SimpleNamespace(
            interrupted=False, skipped=False, stopping_generation=False, job_count=-1, job_no=0
        )
        if kind == "sdnext":
            self.state.job_count, self.state.batch_count = 1, 0
        self.shade = lambda seed: (seed % 10) / 10
        #: What is drawn over an image by its place in the batch; called by the host when it composes.
        self.compose = lambda p, place, image: image
        self.saved: list[Image.Image] = []
        self.sampled: list[list[int]] = []
        self.rngs: list[Rng] = []
        self.job_counts: list[int] = []
        #: Called with the number of the batch when it has been sampled.
        self.on_sampled = lambda number: None
        self.spoil = lambda number, images: images
        #: Whether a grid comes before the images.
        self.has_grid = False
        self.before_grid = lambda params: None

    def modules(self) -> dict[str, ModuleType]:
        names = ["before_process", "process", "before_process_batch", "postprocess_batch_list", "postprocess_image"]
        names += ["postprocess", *(["postprocess_image_after_composite"] if self.kind == "forge" else [])]
        base = type("Script", (), {name: lambda self, p, *args, **more: None for name in names})
        base.elem_id = lambda self, name: f"script_txt2img_assay_{name}"
        scripts = _module("modules.scripts", Script=base, AlwaysVisible=object(), knows_functions=self.kind == "forge")
        commands = SimpleNamespace(server_name=None, port=7861)
        shared = _module("modules.shared", state=self.state, opts=SimpleNamespace(), cmd_opts=commands)
        processing = _module("modules.processing", create_infotext=create_infotext)
        on_image_grid = partial(setattr, self, "before_grid")
        callbacks = _module("modules.script_callbacks", on_image_grid=on_image_grid)
        parts = {"scripts": scripts, "shared": shared, "processing": processing, "script_callbacks": callbacks}
        return {"modules": _module("modules", **parts), **{f"modules.{n}": m for n, m in parts.items()}}

    def run(self, script, p: Processing, *args) -> Processed:
        """One job, as the host makes it."""

        def call(hook: str, *given, **more) -> None:
            getattr(script, hook)(p, *given, *args, **more)

        call("before_process")
        self._lay_out(p)
        call("process")
        images, infotexts = [], []
        if self.state.job_count == -1:
            self.state.job_count = p.n_iter
        if self.kind == "sdnext":
            self.state.batch_count = p.n_iter
        for number in range(p.n_iter):
            p.iteration = number
            self.state.skipped = False
            if self.state.interrupted:
                break
            row = slice(number * p.batch_size, (number + 1) * p.batch_size)
            for name in ("prompts", "negative_prompts", "seeds", "subseeds"):
                setattr(p, name, getattr(p, f"all_{name}")[row])
            p.rng = Rng((4, 2, 2), p.seeds, p.subseeds, p.subseed_strength)
            self.job_counts.append(getattr(self.state, "batch_count", self.state.job_count))
            call("before_process_batch", batch_number=number, prompts=p.prompts, seeds=p.seeds, subseeds=p.subseeds)
            if not p.prompts:
                break
            self.sampled.append(list(p.rng.seeds))
            self.rngs.append(p.rng)
            batch = self.spoil(number, [self._image(seed) for seed in p.rng.seeds])
            self.on_sampled(number)
            self.state.job_no += 1
            pp = SimpleNamespace(images=batch)
            call("postprocess_batch_list", pp, batch_number=number)
            for place, thing in enumerate(pp.images):
                self._finish(p, call, place, thing, images, infotexts)
        if self.has_grid and len(images) > 1:
            self._add_grid(p, images, infotexts)
        processed = Processed(p, images, infotexts)
        if not (self.kind == "sdnext" and self.state.interrupted):
            call("postprocess", processed)
        return processed

    def _lay_out(self, p) -> None:
        count = p.batch_size * p.n_iter
        p.all_prompts = [f"{p.prompt} {i}" for i in range(count)]
        p.all_negative_prompts = [p.negative_prompt] * count
        p.all_seeds = [p.seed + (0 if p.subseed_strength else i) for i in range(count)]
        p.all_subseeds = [p.subseed + i for i in range(count)]

    def _image(self, seed: int):
        level = self.shade(seed)
        if self.kind == "forge":
            return torch.full((3, SIZE, SIZE), level)
        return Image.new("RGB", (SIZE, SIZE), (int(level * 255),) * 3)

    def _finish(self, p, call, place: int, thing, images: list, infotexts: list) -> None:
        p.batch_index = place
        image = thing
        if torch.is_tensor(thing):
            levels = (255.0 * thing.permute(1, 2, 0).numpy()).astype("uint8")
            image = Image.fromarray(levels)
        first = SimpleNamespace(image=image)
        call("postprocess_image", first)
        image = self.compose(p, place, first.image)
        if self.kind == "forge":
            last = SimpleNamespace(image=image)
            call("postprocess_image_after_composite", last)
            image = last.image
        text = create_infotext(p, p.prompts, p.seeds, p.subseeds, place, p.negative_prompts)
        if not self.state.interrupted and not self.state.skipped:
            self.saved.append(image)
        images.append(image)
        infotexts.append(text)
        image.info["parameters"] = text

    def _add_grid(self, p, images: list, infotexts: list) -> None:
        self.before_grid(SimpleNamespace(imgs=list(images)))
        texts = p.all_prompts, p.all_seeds, p.all_subseeds
        infotexts.insert(0, create_infotext(p, *texts, 0, p.all_negative_prompts, use_main_prompt=True))
        images.insert(0, Image.new("RGB", (SIZE, SIZE)))


def seeds_in(processed: Processed) -> list[int]:
    """The seed that the text of each image tells."""
    return [int(text.split("Seed: ")[1].split(",")[0]) for text in processed.infotexts]


def shades_in(processed: Processed) -> list[float]:
    """What is to be seen on each image."""
    return [round(image.getpixel((0, 0))[0] / 255, 1) for image in processed.images]


def _module(name: str, **attributes) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(attributes)
    return module
