"""Nodes for tests: slow work with previews, failures, blocked images, odd frames, NaN. Core ComfyUI has none of these."""

import time

from comfy.utils import ProgressBar
from comfy_execution.graph_utils import ExecutionBlocker
from PIL import Image
from server import PromptServer

FRESH = (64, 64)


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
            bar.update_absolute(step + 1, steps, ("JPEG", Image.new("RGB", FRESH, (50, 85, 119)), None))
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


NODE_CLASS_MAPPINGS = {
    "AssayTestSteps": Steps,
    "AssayTestFail": Fail,
    "AssayTestBlock": Block,
    "AssayTestFrame": Frame,
    "AssayTestNaN": NotANumber,
}
