"""A reward server as trainers have them: Flask, one request at a time, JSON with JPEG in base64.

python -m gunicorn --workers 1 --bind 127.0.0.1:PORT plain_server:app
"""

import base64
import io
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
from flask import Flask, jsonify, request
from PIL import Image
from tokenizers import Tokenizer

FOLDER = Path(os.environ["PLAIN_MODEL"])
MANIFEST = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
VARIANT = MANIFEST["variants"][MANIFEST["defaultVariant"]]
SIZE = (MANIFEST["image"]["width"], MANIFEST["image"]["height"])

# As it comes, with all cores for one run.
session = onnxruntime.InferenceSession(FOLDER / next(iter(VARIANT["graphs"].values())))
tokenizer = Tokenizer.from_file(str(FOLDER / MANIFEST["text"]["tokenizer"]))
tokenizer.enable_truncation(MANIFEST["text"]["contextLength"])
tokenizer.enable_padding(length=MANIFEST["text"]["contextLength"], pad_id=MANIFEST["text"]["padId"])

app = Flask(__name__)


@app.get("/")
def alive():
    return jsonify(ok=True)


@app.post("/")
def score():
    asked = request.get_json()
    files = [io.BytesIO(base64.b64decode(text)) for text in asked["images"]]
    pixels = np.stack(
        [np.asarray(Image.open(file).convert("RGB").resize(SIZE, Image.BICUBIC)) for file in files]
    )
    ids = np.array([found.ids for found in tokenizer.encode_batch(asked["prompts"])], dtype=np.int64)
    quality = session.run(["quality"], {MANIFEST["image"]["input"]: pixels, MANIFEST["text"]["ids"]: ids})[0]
    return jsonify(scores=quality[:, 0].tolist())
