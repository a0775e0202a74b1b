"""The panel: one control for each input of the definitions."""

from __future__ import annotations

from .definitions import INPUTS, TITLE


def panel(script, gradio) -> list:
    """The controls, whose values are the arguments of every hook, in the order of the definitions."""
    with gradio.Accordion(TITLE, open=False, elem_id=script.elem_id("panel")):
        controls = {}
        for row in _rows():
            with gradio.Row():
                controls |= {described["name"]: _control(script, gradio, described) for described in row}
        return [controls[described["name"]] for described in INPUTS]


def _rows() -> list[list[dict]]:
    """Neighbours that belong together stand in one row."""
    rows: dict[int, list[dict]] = {}
    for described in INPUTS:
        rows.setdefault(described["row"], []).append(described)
    return list(rows.values())


def _control(script, gradio, described: dict):
    shared = {
        "label": described["label"],
        "value": described["default"],
        "info": described["tooltip"],
        "elem_id": script.elem_id(described["name"]),
    }
    kind = described["type"]
    if kind == "BOOLEAN":
        return gradio.Checkbox(**shared)
    if kind == "COMBO":
        return gradio.Radio(choices=list(described["choices"]), **shared)
    if kind == "STRING":
        return gradio.Textbox(**shared)
    bounds = {"minimum": described["min"], "maximum": described["max"], "step": described["step"]}
    if described["max"] <= 1:
        return gradio.Slider(**bounds, **shared)
    return gradio.Number(precision=0 if kind == "INT" else 2, **bounds, **shared)
