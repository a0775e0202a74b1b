"""What a model gives for a request: hidden states, or an answer with the probabilities of its tokens."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay_training.serve.conversation import RequestError, read_conversation
from assay_training.serve.family import Family, Given

POOLS, DTYPES = ("mean", "none"), ("float32", "float16")
MOST_TOP = 20  # tokens that could have stood in place of one
MOST_TOKENS = 4096  # of an answer


@dataclass(frozen=True)
class Held:
    """Hidden states: an array in NumPy's format, and how many positions the conversation has."""

    body: bytes
    positions: int


def hold(family: Family, request: dict) -> Held:
    """[width], or [positions, width] up to `max_positions`. Raises RequestError."""
    pool, dtype = _of("pool", request.get("pool", "mean"), POOLS), _of("dtype", request.get("dtype"), DTYPES)
    most = _count("max_positions", request.get("max_positions"))
    given = family.given(read_conversation(request.get("messages")), answering=False)
    family.check(given)
    if most and pool == "none" and given.seen > most:
        raise RequestError(
            f"the image alone takes {given.seen} positions, more than max_positions ({most}): nothing "
            "would be read of what is asked; start the server with fewer --slices",
            422,
        )
    states = family.states(given)
    states = states.mean(0) if pool == "mean" else states[:most]
    file = io.BytesIO()
    np.save(file, states.cpu().numpy().astype(np.dtype(dtype).newbyteorder("<")), allow_pickle=False)
    return Held(file.getvalue(), given.length)


@torch.inference_mode()
def answer(family: Family, request: dict) -> dict:
    """A chat completion in the form of OpenAI. Raises RequestError."""
    _refuse_the_rest(request)
    most = _count("max_tokens", request.get("max_tokens") or request.get("max_completion_tokens")) or 512
    tells = bool(request.get("logprobs"))
    top = min(_count("top_logprobs", request.get("top_logprobs"), least=0) or 0, MOST_TOP)
    given = family.given(read_conversation(request.get("messages")), answering=True)
    family.check(given)
    most = min(most, MOST_TOKENS, max(1, family.context - given.length))
    search = {"num_beams": 1} if tells else {"num_beams": 1} | family.search
    found = family.generate(
        given,
        max_new_tokens=most,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=tells,
        **search,
    )
    ids = found.sequences[0][given.prefix :].tolist()
    ended = len(ids) < most or ids[-1] in _ends(family, given)
    text = family.tokenizer.decode(ids, skip_special_tokens=True).strip()
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop" if ended else "length",
        "logprobs": {"content": _told(family, ids, found.scores, top)} if tells else None,
    }
    spent = {"prompt_tokens": given.length, "completion_tokens": len(ids)}
    return {
        "object": "chat.completion",
        "choices": [choice],
        "usage": spent | {"total_tokens": sum(spent.values())},
    }


def _refuse_the_rest(request: dict) -> None:
    """What is asked for beyond the likeliest answer is refused, rather than left out in silence."""
    for name, harmless in (("temperature", (None, 0, 0.0)), ("n", (None, 1)), ("stream", (None, False))):
        if request.get(name) not in harmless:
            raise RequestError(
                f"{name}: expected {harmless[1]}, found {request[name]!r}: one answer, the likeliest"
            )
    if request.get("response_format") or request.get("tools"):
        raise RequestError("response_format and tools are not known here")


def _told(family: Family, ids: list[int], scores: tuple[Tensor, ...], top: int) -> list[dict]:
    special = set(family.tokenizer.all_special_ids)
    told = []
    for one, row in zip(ids, scores, strict=True):
        if one in special:
            continue
        logprobs = row[0].float().log_softmax(-1)
        values, places = logprobs.topk(top)
        others = zip(places.tolist(), values.tolist(), strict=True)
        told.append(
            _token(family, one, float(logprobs[one]))
            | {"top_logprobs": [_token(family, *other) for other in others]}
        )
    return told


def _token(family: Family, token: int, logprob: float) -> dict:
    return {"token": family.tokenizer.decode([token]), "logprob": max(logprob, -9999.0)}


def _ends(family: Family, given: Given) -> set[int]:
    told = getattr(getattr(family.net, "generation_config", None), "eos_token_id", None)
    ends = told if isinstance(told, list) else [told]
    return {one for one in [*ends, family.tokenizer.eos_token_id] if one is not None} & set(
        family.tokenizer.all_special_ids
    )


def _of(name: str, value: object, known: tuple[str, ...]) -> str:
    value = known[0] if value is None else value
    if value not in known:
        raise RequestError(f"{name}: expected one of {', '.join(known)}, found {value!r}")
    return value


def _count(name: str, value: object, least: int = 1) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise RequestError(f"{name}: expected a number from {least} on, found {value!r}")
    return value
