"""Assay as a script of the host: always there, and doing nothing until it is switched on."""

from assay_a1111.definitions import TITLE
from assay_a1111.hooks import before_grid, hooks_for
from assay_a1111.panel import panel
from modules import script_callbacks, scripts


class Assay(scripts.Script):
    def title(self):
        return TITLE

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        import gradio

        return panel(self, gradio)


for _name, _hook in hooks_for(scripts.Script).items():
    setattr(Assay, _name, _hook)
script_callbacks.on_image_grid(before_grid)
