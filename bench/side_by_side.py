"""Our daemon and a plain reward server (plain_server.py): the same clients, the same images, one run."""

from __future__ import annotations

import base64
import io
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pictures import PROMPT, pictures

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models/assay-lite"

#: Process and address.
Server = tuple[subprocess.Popen, str]


@contextmanager
def plain():
    """Its process and its address. Needs flask and gunicorn."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--workers",
        "1",
        "--bind",
        "127.0.0.1:0",
        "plain_server:app",
    ]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        env={**os.environ, "PLAIN_MODEL": str(MODEL)},
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stderr:
        said.append(line)
        if "Listening at: " in line:
            break
    else:
        raise SystemExit(
            "".join(said) + "\nThe plain server needs more: pip install flask gunicorn tokenizers"
        )
    url = line.split("Listening at: ")[1].split()[0]
    try:
        urllib.request.urlopen(url, timeout=60).read()  # the network is loaded
        yield process, url
    finally:
        process.terminate()
        process.communicate(timeout=10)


def ask_plain(url: str) -> Callable[[np.ndarray], list[float]]:
    """As a trainer's client asks: each image a JPEG, all in one request."""
    from PIL import Image

    def ask(images: np.ndarray) -> list[float]:
        texts = []
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=95)
            texts.append(base64.b64encode(file.getvalue()).decode())
        body = json.dumps({"images": texts, "prompts": [PROMPT] * len(texts)}).encode()
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=900) as answer:
            return json.load(answer)["scores"]

    return ask


def ask_ours(url: str) -> Callable[[np.ndarray], list[float]]:
    from assay_client import AssayClient

    assay = AssayClient(url, timeout=900)
    return lambda images: [result.aspects["quality"].raw for result in assay.score(images, PROMPT)]


def _client(make: Callable, url: str, seed: int, calls: int, batch: int, barrier, queue) -> None:
    images = pictures(calls * batch, seed)
    ask = make(url)
    barrier.wait()
    took, scores = [], []
    for at in range(0, len(images), batch):
        begun = time.perf_counter()
        scores += ask(images[at : at + batch])
        took.append(1000 * (time.perf_counter() - begun))
    queue.put((seed, took, scores))


def cpu_ms(process: subprocess.Popen) -> float:
    """What it and its children have computed so far; NaN where the system does not tell in this way."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ticks = 0
        for pid in (str(process.pid), *children):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return 1000 * ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return math.nan


def measured(make: Callable, server: Server, clients: int, calls: int, batch: int) -> tuple[dict, dict]:
    """Figures, and the scores by client."""
    process, url = server
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(clients + 1), context.SimpleQueue()
    # seeds by the number of clients, too: nothing was seen before
    seeds = [1000 * clients + at for at in range(clients)]
    workers = [
        context.Process(target=_client, args=(make, url, seed, calls, batch, barrier, queue))
        for seed in seeds
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    begun, computed = time.perf_counter(), cpu_ms(process)
    found = [queue.get() for _ in workers]
    seconds, cpu = time.perf_counter() - begun, cpu_ms(process) - computed
    for worker in workers:
        worker.join()
    took = sorted(ms for _, all_of_one, _ in found for ms in all_of_one)
    count = clients * calls * batch
    figures = {
        "imagesPerSecond": round(count / seconds, 2),
        "p50Ms": round(statistics.median(took), 1),
        "p95Ms": round(took[max(0, -(-95 * len(took) // 100) - 1)], 1),
        "serverCpuMs": round(cpu / count, 1),
    }
    return figures, {seed: scores for seed, _, scores in found}


def compare(ours: Server, other: Server, clients: int, images: int, batch: int) -> dict:
    """About `images` images in all, by so many clients that wait for each answer."""
    calls = max(1, round(images / clients / batch))
    plain_figures, plain_scores = measured(ask_plain, other, clients, calls, batch)
    our_figures, our_scores = measured(ask_ours, ours, clients, calls, batch)
    apart = [
        abs(a - b) for seed in our_scores for a, b in zip(our_scores[seed], plain_scores[seed], strict=True)
    ]
    return {
        "clients": clients,
        "images": clients * calls * batch,
        "ours": our_figures,
        "plain": plain_figures,
        "speedOverPlain": round(our_figures["imagesPerSecond"] / plain_figures["imagesPerSecond"], 2),
        "p95OverPlain": round(our_figures["p95Ms"] / plain_figures["p95Ms"], 2),
        "rawScoresApart": round(max(apart), 3),  # by the JPEG
    }
