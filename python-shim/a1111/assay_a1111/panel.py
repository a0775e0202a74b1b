"""The panel: one control for each input of the definitions."""

from __future__ import annotations

from .definitions import INPUTS, TITLE


def panel(script, gradio) -> list:
    """The controls, whose values are the arguments of every hook, in the order of the definitions."""
    controls = {}
    with gradio.Accordion(TITLE, open=False, elem_id=script.elem_id("panel")):
        controls |= _drawn(script, gradio, [one for one in INPUTS if not one.get("more")])
        with gradio.Accordion("More", open=False, elem_id=script.elem_id("more")):
            controls |= _drawn(script, gradio, [one for one in INPUTS if one.get("more")])
    return [controls[described["name"]] for described in INPUTS]


def _drawn(script, gradio, inputs: list[dict]) -> dict:
    """Controls by name, in rows."""
    controls = {}
    for row in sorted({described["row"] for described in inputs}):
        with gradio.Row():
            for described in inputs:
                if described["row"] == row:
                    controls[described["name"]] = _control(script, gradio, described)
    return controls


def _control(script, gradio, described: dict):
    shared = {
        "label": described["label"],
        "value": described["default"],
        "elem_id": script.elem_id(described["name"]),
    }
    kind = described["type"]
    if kind == "BOOLEAN":
        return gradio.Checkbox(**shared)
    shared["info"] = described.get("hint") or described["tooltip"]
    if kind == "COMBO":
        return gradio.Radio(choices=list(described["choices"]), **shared)
    if kind == "STRING":
        return gradio.Textbox(max_lines=1, **shared)
    bounds = {"minimum": described["min"], "maximum": described["max"], "step": described["step"]}
    if described["max"] <= 1:
        return gradio.Slider(**bounds, **shared)
    return gradio.Number(precision=0 if kind == "INT" else 2, **bounds, **shared)
