"""Pictures that nobody would take for a generated photograph or painting, drawn by a program.

Two sets of each kind: the guard learns from one and is reported on the other. They differ in what they
draw, how it
is laid out, in fonts, colours and sizes, so that the second is no copy of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from assay_training.data import DataError

Rng = np.random.Generator
FONTS = Path("/usr/share/fonts")
SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "qui",
    "ro",
    "su",
    "ta",
    "ve",
    "wi",
    "xo",
    "ya",
    "zen",
    "tor",
    "mal",
    "der",
    "ing",
    "est",
    "an",
]
SIZES = ((1280, 720), (1080, 1080), (900, 1200), (1600, 900), (720, 1280), (640, 480))


def drawn(kind: str, number: int, new: bool) -> Image.Image:
    """One picture of a kind of KINDS; always the same one."""
    rng = np.random.default_rng((7, list(KINDS).index(kind), number, int(new)))
    return KINDS[kind](rng, new)


@cache
def _fonts() -> dict[bool, list[Path]]:
    """Files for new pictures (True) and for those learnt from."""
    found = sorted(FONTS.rglob("*.ttf"))
    if not found:
        raise DataError(f"{FONTS}: no fonts; pictures of pages need some (Debian: fonts-dejavu)")
    serif = [path for path in found if "Serif" in path.name or "Mono" in path.name]
    return {True: serif or found, False: [path for path in found if path not in serif] or found}


def _font(rng: Rng, size: float, new: bool) -> ImageFont.FreeTypeFont:
    fonts = _fonts()[new]
    return ImageFont.truetype(str(fonts[rng.integers(len(fonts))]), max(8, round(size)))


def _line(rng: Rng, words: int) -> str:
    return " ".join("".join(rng.choice(SYLLABLES, rng.integers(1, 4))) for _ in range(words))


def _colour(rng: Rng, low: int = 0, high: int = 256) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, 3).tolist())


def _paper(rng: Rng, new: bool) -> tuple[tuple, tuple]:
    """Background and ink."""
    dark = rng.random() < 0.25
    paper, ink = _colour(rng, 225), _colour(rng, 0, 70)
    return (ink, paper) if dark else (paper, ink)


def _page(rng: Rng, new: bool) -> Image.Image:
    """Paragraphs in one to three columns (seen), or a letter with a heading, lists and a table (new)."""
    width, height = ((850, 1100), (1000, 1400), (1240, 900), (800, 800))[rng.integers(4)]
    paper, ink = _paper(rng, new)
    image = Image.new("RGB", (width, height), paper)
    draw, size = ImageDraw.Draw(image), rng.uniform(13, 26)
    font, y, margin = _font(rng, size, new), rng.uniform(30, 120), rng.uniform(30, 110)
    columns = 1 if new else int(rng.integers(1, 4))
    step = (width - 2 * margin) / columns
    for column in range(columns):
        top, left = y, margin + column * step
        draw.text((left, top), _line(rng, 4).title(), ink, _font(rng, size * 1.8, new))
        top += size * 3
        while top < height - margin - size:
            words = max(2, int(step / size / 2.6))
            indent = (rng.integers(3) * size * 1.5 if new else 0) if rng.random() < 0.3 else 0
            mark = "- " if new and indent else ""
            draw.text(
                (left + indent, top),
                mark + _line(rng, words)[: int((step - indent) / size * 1.65)],
                ink,
                font,
            )
            top += size * (1.35 if rng.random() < 0.85 else rng.uniform(2, 3.5))
    if new:
        box = (margin, height * 0.6, width - margin, height * 0.85)
        draw.rectangle(box, paper, ink, 2)
        for row in range(1, int(rng.integers(3, 8))):
            draw.line((box[0], box[1] + row * size * 1.6, box[2], box[1] + row * size * 1.6), ink, 1)
            draw.text((box[0] + 8, box[1] + row * size * 1.6 - size * 1.4), _line(rng, 5), ink, font)
    return image


def _screen(rng: Rng, new: bool) -> Image.Image:
    """A window with menu, list and form (seen); a desktop of windows, an editor or a web page of
    cards (new)."""
    width, height = SIZES[rng.integers(len(SIZES))]
    dark = rng.random() < 0.5
    ground = _colour(rng, 15, 60) if dark else _colour(rng, 215)
    ink = _colour(rng, 190) if dark else _colour(rng, 10, 90)
    image = Image.new("RGB", (width, height), ground)
    draw, accent, size = ImageDraw.Draw(image), _colour(rng), rng.uniform(12, 20)
    font = _font(rng, size, new)
    shade = tuple(int(np.clip(value + (18 if dark else -18), 0, 255)) for value in ground)
    if not new:
        draw.rectangle((0, 0, width, size * 2.2), accent)
        for item in range(6):
            draw.text((20 + item * width / 8, size * 0.5), _line(rng, 1), (255, 255, 255), font)
        side = width * rng.uniform(0.15, 0.3)
        draw.rectangle((0, size * 2.2, side, height), shade)
        for row in range(int((height - size * 3) / (size * 2))):
            draw.text((12, size * 3 + row * size * 2), _line(rng, 2)[: int(side / size * 1.4)], ink, font)
        y = size * 4
        while y < height - size * 3:
            draw.text((side + 24, y), _line(rng, 2), ink, font)
            box = (side + width * 0.2, y - 4, width - 40, y + size * 1.5)
            if rng.random() < 0.6:
                draw.rectangle(box, None, ink, 1)
            else:
                draw.rounded_rectangle((box[0], box[1], box[0] + 120, box[3]), 6, accent)
            y += size * rng.uniform(2.2, 4)
        return image
    style = rng.integers(3)
    if style == 0:  # a desktop
        for _ in range(int(rng.integers(2, 5))):
            left, top = rng.uniform(0, width * 0.5), rng.uniform(0, height * 0.5)
            right, low = left + width * rng.uniform(0.3, 0.5), top + height * rng.uniform(0.3, 0.5)
            draw.rectangle(
                (left, top, right, low), _colour(rng, 200) if not dark else _colour(rng, 0, 60), ink
            )
            draw.rectangle((left, top, right, top + size * 1.8), _colour(rng))
            for row in range(int((low - top) / size / 1.5) - 2):
                draw.text(
                    (left + 8, top + size * (2.2 + row * 1.5)),
                    _line(rng, 4)[: int((right - left) / size * 1.5)],
                    ink,
                    font,
                )
        draw.rectangle((0, height - size * 2.4, width, height), shade)
    elif style == 1:  # an editor
        for row in range(int(height / size / 1.4)):
            draw.text((8, row * size * 1.4), f"{row + 1:3d}", shade, font)
            x = size * (3 + 2 * rng.integers(5))
            for _ in range(int(rng.integers(0, 7))):
                word = _line(rng, 1)
                draw.text(
                    (x, row * size * 1.4), word, _colour(rng, 120) if dark else _colour(rng, 0, 150), font
                )
                x += size * 0.65 * (len(word) + 1)
    else:  # cards
        count = int(rng.integers(2, 5))
        cell = width / count
        for number in range(count * int(height / cell + 1)):
            left, top = number % count * cell + 10, number // count * cell + size * 4
            draw.rounded_rectangle((left, top, left + cell - 20, top + cell - 20), 10, shade)
            draw.rectangle((left + 8, top + 8, left + cell - 28, top + cell * 0.5), _colour(rng))
            for row in range(3):
                draw.text(
                    (left + 10, top + cell * 0.55 + row * size * 1.5),
                    _line(rng, 2)[: int(cell / size * 1.3)],
                    ink,
                    font,
                )
        draw.text((20, size), _line(rng, 5), accent, _font(rng, size * 1.6, new))
    return image


def _pixels(rng: Rng, new: bool) -> Image.Image:
    """Mirrored sprites on a plain ground (seen); a landscape of tiles with figures (new); enlarged
    by nearest."""
    colours = np.array([_colour(rng) for _ in range(int(rng.integers(4, 12)))], np.uint8)
    if not new:
        side = int(rng.choice([16, 24, 32]))
        half = rng.random((side, side // 2))
        y, x = np.mgrid[:side, : side // 2] / side
        body = np.hypot((y - 0.5) * 1.1, (0.5 - x)) < rng.uniform(0.25, 0.45)
        grid = np.where(body & (half < 0.9), (half * 7 % 1 * (len(colours) - 1)).astype(int) // 2 + 1, 0)
        grid = np.concatenate([grid, grid[:, ::-1]], 1) % len(colours)
    else:
        height, width = ((48, 64), (64, 64), (60, 108))[rng.integers(3)]
        ground = (height * (0.65 + 0.1 * np.sin(np.arange(width) / rng.uniform(4, 14)))).astype(int)
        rows = np.arange(height)[:, None]
        grid = np.where(rows > ground, 2 + (rows - ground > 4), rows * 2 // height)
        for _ in range(int(rng.integers(5, 14))):
            h, w = rng.integers(4, 14, 2)
            y, x = rng.integers(0, height - h), rng.integers(0, width - w)
            part = rng.random((h, w)) < 0.7
            grid[y : y + h, x : x + w] = np.where(
                part, rng.integers(len(colours)), grid[y : y + h, x : x + w]
            )
            grid[y, x : x + w] = grid[y + h - 1, x : x + w] = rng.integers(len(colours))
        grid %= len(colours)
    scale = int(rng.integers(8, 25))
    return Image.fromarray(colours[grid].repeat(scale, 0).repeat(scale, 1))


def _lines(rng: Rng, new: bool) -> Image.Image:
    """Loose curves and ellipses (seen); buildings, stick figures and hatching (new): ink on paper,
    nothing filled."""
    width, height = ((800, 800), (900, 700), (700, 1000))[rng.integers(3)]
    ink = (0, 0, 0) if rng.random() < 0.7 else _colour(rng, 0, 110)
    image = Image.new("RGB", (width, height), (255, 255, 255) if rng.random() < 0.6 else _colour(rng, 232))
    draw, thick = ImageDraw.Draw(image), int(rng.integers(1, 6))
    if not new:
        for _ in range(int(rng.integers(6, 30))):
            start, steps = rng.uniform(0, 1, 2) * (width, height), rng.normal(0, 30, (40, 2))
            path = start + np.cumsum(np.cumsum(steps, 0) * 0.15, 0)
            draw.line([tuple(point) for point in path], ink, thick, joint="curve")
        for _ in range(int(rng.integers(2, 10))):
            x, y, a, b = rng.uniform(0, width), rng.uniform(0, height), *rng.uniform(15, 200, 2)
            draw.ellipse((x - a, y - b, x + a, y + b), None, ink, thick)
        return image
    for _ in range(int(rng.integers(2, 6))):
        x, w, h = rng.uniform(0, width * 0.8), rng.uniform(80, 240), rng.uniform(120, height * 0.6)
        base = height * 0.85
        draw.rectangle((x, base - h, x + w, base), None, ink, thick)
        draw.polygon([(x, base - h), (x + w / 2, base - h - w / 3), (x + w, base - h)], None, ink, thick)
        for row in range(int(h / 50)):
            draw.rectangle(
                (x + 12, base - h + 12 + row * 50, x + 34, base - h + 40 + row * 50), None, ink, thick
            )
    for _ in range(int(rng.integers(1, 5))):
        x, y, r = rng.uniform(50, width - 50), height * rng.uniform(0.55, 0.8), rng.uniform(12, 30)
        draw.ellipse((x - r, y - r, x + r, y + r), None, ink, thick)
        for ends in ((0, 1, 0, 4), (0, 2, -2, 3), (0, 2, 2, 3), (0, 4, -1.5, 6.5), (0, 4, 1.5, 6.5)):
            a, b, c, d = (value * r for value in ends)
            draw.line((x + a, y + b, x + c, y + d), ink, thick)
    for _ in range(int(rng.integers(0, 60))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        draw.line((x, y, x + 40, y - 40), ink, max(1, thick // 2))
    return image


KINDS: dict[str, Callable[[Rng, bool], Image.Image]] = {
    "text pages": _page,
    "screenshots": _screen,
    "pixel art": _pixels,
    "line art": _lines,
}


def pixelated(picture: Image.Image, rng: Rng, new: bool) -> Image.Image:
    """Few pixels in few colours, enlarged: pixel art of a real motive. `new` ones are dithered or finer."""
    side = int(rng.choice([72, 112]) if new else rng.choice([48, 64, 96]))
    small = picture.resize((side, side), Image.Resampling.BOX if new else Image.Resampling.BICUBIC)
    dither = Image.Dither.FLOYDSTEINBERG if new and rng.random() < 0.5 else Image.Dither.NONE
    few = small.quantize(int(rng.choice([8, 16, 32])), dither=dither).convert("RGB")
    return few.resize((side * 8, side * 8), Image.Resampling.NEAREST)


def traced(picture: Image.Image, rng: Rng, new: bool) -> Image.Image:
    """Its edges in ink: line art of a real motive. `new` ones are contours, or borders of flat colours."""
    smooth = picture.convert("L").filter(ImageFilter.GaussianBlur(rng.uniform(1, 2.5)))
    if not new:
        edges = smooth.filter(ImageFilter.FIND_EDGES)
        return ImageOps.invert(edges).point(lambda value: 255 if value > 255 - 14 else 20).convert("RGB")
    if rng.random() < 0.5:
        return (
            smooth.filter(ImageFilter.CONTOUR).point(lambda value: 255 if value > 238 else 0).convert("RGB")
        )
    flat = smooth.quantize(6).convert("L")
    edges = ImageChops.difference(flat, flat.filter(ImageFilter.MaxFilter(3)))
    return ImageOps.invert(edges.point(lambda value: 255 if value > 2 else 0)).convert("RGB")


TURNED = {"pixelated pictures": pixelated, "traced pictures": traced}  # made of unrated pictures
