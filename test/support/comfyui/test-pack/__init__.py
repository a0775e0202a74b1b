"""Nodes for tests: slow work with previews, failures, blocked images, odd frames, NaN. Core ComfyUI has none of these."""

import time

import folder_paths
import torch
from comfy.utils import ProgressBar
from comfy_execution.graph_utils import ExecutionBlocker
from PIL import Image
from server import PromptServer

SIZE = (64, 64)


class _Node:
    """An image goes in and comes out."""

    EXTRA: dict = {}
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), **cls.EXTRA}}


class Steps(_Node):
    """Works for `steps` times `ms` milliseconds, with a preview a step."""

    EXTRA = {"steps": ("INT", {"default": 10}), "ms": ("INT", {"default": 50, "max": 60000})}

    def run(self, image, steps, ms):
        bar = ProgressBar(steps)
        for step in range(steps):
            time.sleep(ms / 1000)
            bar.update_absolute(step + 1, steps, ("JPEG", Image.new("RGB", SIZE, (50, 85, 119)), None))
        return (image,)


class Fail(_Node):
    """Raises."""

    EXTRA = {"message": ("STRING", {"default": ""})}

    def run(self, image, message):
        raise RuntimeError(message)


class Block(_Node):
    """Blocks what hangs on it, silently when the message is empty."""

    EXTRA = {"message": ("STRING", {"default": ""})}

    def run(self, image, message):
        return (ExecutionBlocker(message or None),)


class Frame(_Node):
    """Sends a binary frame: its type, then bytes in hexadecimal."""

    EXTRA = {"kind": ("INT", {"default": 99, "max": 2**31}), "hex": ("STRING", {"default": ""})}

    def run(self, image, kind, hex):
        server = PromptServer.instance
        server.send_sync(kind, bytes.fromhex(hex), server.client_id)
        return (image,)


class NotANumber(_Node):
    """Puts a NaN into the history and the events, where JSON has no word for it."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True

    def run(self, image):
        return {"ui": {"value": [float("nan")]}}


def _picture(dtype=torch.float32, seed=1):
    """Soft blots of colour, neither blank nor noise."""
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (64, 64), mode="bilinear").permute(0, 2, 3, 1).to(dtype)


def _half_nan():
    image = _picture()
    image[:, :32] = float("nan")
    return image


ODD = {
    "an empty list": lambda: [],
    "none": lambda: [None],
    "nones among images": lambda: [None, _picture(), None, _picture()],
    "an empty batch": lambda: [torch.zeros(0, 64, 64, 3)],
    "nan in half of one": lambda: [_picture(), _half_nan()],
    "0 to 255": lambda: [_picture(), _picture() * 255],
    "-1 to 1": lambda: [_picture(), _picture() * 2 - 1],
    "two channels": lambda: [_picture(), _picture()[..., :2]],
    "alpha": lambda: [_picture(), torch.cat([_picture(), torch.ones(1, 64, 64, 1)], -1)],
    "bfloat16": lambda: [_picture(), _picture(torch.bfloat16)],
    "float16": lambda: [_picture(), _picture(torch.float16)],
    "not contiguous": lambda: [_picture(), _picture().flip(1)[:, ::2].transpose(1, 2)],
    "too large": lambda: [_picture(), _picture().repeat(1, 40, 40, 1), _picture()],
}


class Picture:
    """A picture that follows from its seed."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seed": ("INT", {"default": 0, "max": 2**32 - 1})}}

    def run(self, seed):
        return (_picture(seed=seed),)


class Odd:
    """Images as a faulty node would give them."""

    RETURN_TYPES = ("IMAGE",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"mode": (list(ODD),)}}

    def run(self, mode):
        return (ODD[mode](),)


class Names:
    """A list of texts, one for each number."""

    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"prefix": ("STRING", {}), "count": ("INT", {"default": 1})}}

    def run(self, prefix, count):
        return ([f"{prefix}{i}" for i in range(count)],)


class Encode:
    """Stands in for a text encoder."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"multiline": True})}}

    def run(self, text):
        return ([text],)


class Sample:
    """Stands in for a sampler with its decoder."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        guides = {name: ("CONDITIONING",) for name in ("positive", "negative")}
        return {"required": {**guides, "seed": ("INT", {"default": 0})}}

    def run(self, positive, negative, seed):
        return (_picture(),)


class SaveUntold(_Node):
    """Writes a file and tells nothing of it, or tells it in its own way."""

    EXTRA = {"name": ("STRING", {}), "key": ("STRING", {"default": ""})}
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    def run(self, image, name, key):
        pixels = (image[0].float().clamp(0, 1) * 255).byte().cpu().numpy()
        Image.fromarray(pixels).save(f"{folder_paths.get_output_directory()}/{name}")
        told = {"filename": name, "subfolder": "", "type": "output", "format": "image/png"}
        return {"ui": {key: [told]}} if key else {}


NODE_CLASS_MAPPINGS = {
    "AssayTestOdd": Odd,
    "AssayTestPicture": Picture,
    "AssayTestEncode": Encode,
    "AssayTestSample": Sample,
    "AssayTestNames": Names,
    "AssayTestSave": SaveUntold,
    "AssayTestSteps": Steps,
    "AssayTestFail": Fail,
    "AssayTestBlock": Block,
    "AssayTestFrame": Frame,
    "AssayTestNaN": NotANumber,
}
