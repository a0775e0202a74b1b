"""What alignment does not see in a prompt: the same images with their prompts changed, heads new to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay_training.base.clip import Judge
from assay_training.base.encoder import Encoder, meanings
from assay_training.base.fit import Features, fit_heads
from assay_training.base.heads import Seen, Settings, Table
from assay_training.data import Ratings
from assay_training.tower.protocol import SHOWN

FOLD = 0  # whose images are judged
NOTICED = 0.05  # MOS by which alignment has to fall
COLOURS = [
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "orange",
    "pink",
    "purple",
    "brown",
    "gold",
    "golden",
    "silver",
]
CHANGES: dict[str, Callable[[str], str]] = {
    "words in reverse order": lambda text: " ".join(reversed(text.replace(",", "").split())),
    '"no" before it': lambda text: f"no {text}",
    '"a" becomes "seven"': lambda text: re.sub(r"^(an?|one) ", "seven ", text),
    "colours exchanged": lambda text: re.sub(
        rf"\b({'|'.join(COLOURS)})\b", lambda m: COLOURS[(COLOURS.index(m[1]) + 4) % len(COLOURS)], text
    ),
}
# prompts of the fold in other languages
LANGUAGES = {
    "German": {
        "the large cresting waves": "die großen, sich auftürmenden Wellen",
        "superman punches the pope": "Superman schlägt den Papst",
        "legionary of the roman empire, baroque style": "Legionär des Römischen Reiches, Barockstil",
        "little girl with a mushroom hat, anime style": "kleines Mädchen mit einem Pilzhut, Anime-Stil",
        "painted portrait of intense woman, anime style": "gemaltes Porträt einer eindringlichen Frau, Anime-Stil",
        "robots building robots in a factory, hyper detail": "Roboter bauen Roboter in einer Fabrik, viele Details",
        "portrait of butterflies swarming flowers, warm color": "Porträt von Schmetterlingen über Blumen, warme Farben",
        "a huge wooden carving sculpture of a fox, hyper detail": "eine riesige Holzskulptur eines Fuchses, viele Details",
    },
    "Spanish": {
        "the large cresting waves": "las grandes olas encrespadas",
        "superman punches the pope": "superman golpea al papa",
        "legionary of the roman empire, baroque style": "legionario del imperio romano, estilo barroco",
        "little girl with a mushroom hat, anime style": "niña pequeña con un sombrero de seta, estilo anime",
        "painted portrait of intense woman, anime style": "retrato pintado de una mujer intensa, estilo anime",
        "robots building robots in a factory, hyper detail": "robots construyendo robots en una fábrica, muy detallado",
        "portrait of butterflies swarming flowers, warm color": "retrato de mariposas entre flores, colores cálidos",
        "a huge wooden carving sculpture of a fox, hyper detail": "una enorme escultura de un zorro tallada en madera",
    },
}


def blind_table(
    ratings: Ratings,
    features: Features,
    judges: tuple[Judge, ...],
    table: Table,
    encoder: Encoder,
    tokenizer: Path,
    settings: Settings,
) -> dict:
    """Mean fall of alignment in MOS, share noticed; and how often the right prompt wins in other languages."""
    test, train = (np.flatnonzero((ratings.fold == FOLD) == inside) for inside in (True, False))
    test = test[ratings.alignment[test] >= SHOWN]
    heads, prompts = fit_heads(features, judges, table, train, settings, 0), ratings.prompt[test]
    seen = Seen.of(features["plain"][test])
    found = heads.judge(seen)

    def aligned(texts: list[str]) -> np.ndarray:
        unique, place = np.unique(texts, return_inverse=True)
        wanted = heads.words.wanted(meanings(encoder, tokenizer, unique.tolist()))
        return heads.aligned(found, seen, wanted[place])

    original, names = aligned(prompts.tolist()), np.unique(prompts).tolist()
    changes = CHANGES | {"another prompt": lambda text: names[(names.index(text) + 7) % len(names)]}
    result = {"changes": {}, "languages": {}}
    for name, change in changes.items():
        texts = [change(str(text)) for text in prompts]
        touched = np.array(texts) != prompts
        fall = (original - aligned(texts))[touched]
        result["changes"][name] = {
            "images": int(touched.sum()),
            "fall": float(fall.mean()),
            "noticed": float((fall > NOTICED).mean()),
        }
    for name, pairs in {"English": {text: text for text in LANGUAGES["German"]}, **LANGUAGES}.items():
        scores = np.stack([aligned([text] * len(test)) for text in pairs.values()], 1)
        own = prompts[:, None] == np.array(list(pairs))
        rows = own.any(1)
        wins = scores[rows][own[rows]][:, None] > scores[rows]
        result["languages"][name] = {
            "images": int(rows.sum()),
            "wins": float(wins.sum() / (rows.sum() * (len(pairs) - 1))),
        }
    return result
