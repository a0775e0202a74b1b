"""The positive prompt behind an image, found by following links upstream through a workflow in API format."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

#: Looks a node up: `{"class_type": ..., "inputs": {...}}`, or None.
Lookup = Callable[[str], "dict | None"]
Link = tuple[str, int]

#: Inputs of text encoders, in the order in which their texts are joined.
TEXTS = (
    "text",
    "text_g",
    "text_l",
    "t5xxl",
    "clip_g",
    "clip_l",
    "llama",
    "mt5xl",
    "bert",
    "prompt",
    "user_prompt",
    "positive",
    "positive_prompt",
)
#: Inputs that lead from a sampler, or from what stands before it, to the positive conditioning.
POSITIVES = ("positive", "guider", "conditioning", "cond1")
#: Inputs of primitives and text tools.
STRINGS = ("value", "string", "text", "prompt", "string_a", "string_b", "text1", "text2", "text_a", "text_b")
#: Links that lead away from the wording: models and pictures.
ASIDE = ("model", "clip", "vae", "image", "pixels", "latent", "samples", "mask", "control_net", "style_model")
#: Nodes whose conditioning means nothing.
ZEROED = ("ConditioningZeroOut",)


def find_prompt(node: Lookup, start: str, entry: str) -> tuple[str, str]:
    """The prompt of what is linked to input `entry` of node `start`, and how it was found or why not.

    The sampler nearest to the image counts; one further up is asked when that one has no text.
    """
    first = _link(_inputs(node, start).get(entry))
    if first is None:
        return "", f"no prompt: nothing is connected to {entry}"
    met_sampler = False
    for node_id in _upstream(node, first[0]):
        link = _positive(_inputs(node, node_id))
        if link is None:
            continue
        met_sampler = True
        if text := _joined(_conditioning_texts(node, link, set())):
            return text, f"prompt of node {node_id}"
    if met_sampler:
        return "", "no prompt: the conditioning of the sampler has no text"
    return "", "no prompt: no sampler leads to this image"


def _inputs(node: Lookup, node_id: str) -> dict:
    found = node(node_id)
    inputs = found.get("inputs") if isinstance(found, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _link(value: object) -> Link | None:
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
        output = value[1]
        return (value[0], int(output)) if isinstance(output, (int, float)) else None
    return None


def _links(inputs: dict) -> Iterator[tuple[str, Link]]:
    for name, value in inputs.items():
        if (link := _link(value)) is not None:
            yield name, link


def _is_negative(name: str) -> bool:
    return name.startswith("negative") or name in ("uncond", "cond2")


def _upstream(node: Lookup, start: str) -> Iterator[str]:
    """Node ids from `start` upwards, nearest first, each once."""
    seen = {start}
    queue = deque([start])
    while queue:
        node_id = queue.popleft()
        yield node_id
        for name, (source, _) in _links(_inputs(node, node_id)):
            if source not in seen and not _is_negative(name):
                seen.add(source)
                queue.append(source)


def _positive(inputs: dict) -> Link | None:
    found = (_link(inputs.get(name)) for name in POSITIVES)
    return next((link for link in found if link is not None), None)


def _conditioning_texts(node: Lookup, link: Link, seen: set[Link]) -> list[str]:
    """Texts that make up a conditioning, in the order of the inputs."""
    if link in seen:
        return []
    seen.add(link)
    source, output = link
    inputs = _inputs(node, source)
    if (node(source) or {}).get("class_type") in ZEROED:
        return []
    through = _both_polarities(inputs, output)
    if through is not None:
        return _conditioning_texts(node, through, seen)
    own = [_text(node, inputs[name], set()) for name in TEXTS if _is_text(node, name, inputs)]
    if any(own):
        return own
    ahead = [onward for name, onward in _links(inputs) if not _is_negative(name) and not name.startswith(ASIDE)]
    return [text for onward in ahead for text in _conditioning_texts(node, onward, seen)]


def _both_polarities(inputs: dict, output: int) -> Link | None:
    """A node that hands both on, such as a ControlNet, has the negative as its second output."""
    positive, negative = _link(inputs.get("positive")), _link(inputs.get("negative"))
    if positive is None or negative is None:
        return None
    return negative if output == 1 else positive


def _is_text(node: Lookup, name: str, inputs: dict) -> bool:
    """`positive` and `prompt` may hold a text or lead to a conditioning."""
    value = inputs.get(name)
    if isinstance(value, str):
        return True
    link = _link(value)
    return link is not None and name != "positive" and bool(_text(node, value, set()))


def _text(node: Lookup, value: object, seen: set[Link]) -> str:
    """A literal text, or the text that a link to a primitive or text tool brings; empty when it leads nowhere."""
    if isinstance(value, str):
        return value.strip()
    link = _link(value)
    if link is None or link in seen:
        return ""
    seen.add(link)
    inputs = _inputs(node, link[0])
    parts = [_text(node, inputs[name], seen) for name in STRINGS if name in inputs]
    delimiter = inputs.get("delimiter")
    glue = delimiter if isinstance(delimiter, str) else " "
    if not any(parts):
        parts = [_text(node, onward, seen) for _, onward in _links(inputs)]
    return glue.join(part for part in parts if part)


def _joined(texts: list[str]) -> str:
    """One text: encoders of several language models are mostly given the same words."""
    kept: list[str] = []
    for text in sorted(filter(None, texts), key=len, reverse=True):
        if not any(text in longer for longer in kept):
            kept.append(text)
    return ", ".join(text for text in dict.fromkeys(texts) if text in kept)
