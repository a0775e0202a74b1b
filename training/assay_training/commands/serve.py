"""`serve`: what a vision-language model holds and says; `merge-lora`: an adapter put into its base."""

from __future__ import annotations

import argparse
from pathlib import Path

DTYPES = ("float32", "float16", "bfloat16")


def add(commands) -> None:
    """Puts `serve` and `merge-lora` below `commands`."""
    serve = commands.add_parser("serve", help="serve hidden states and answers of a vision-language model")
    serve.add_argument("--model", type=Path, required=True, help="its folder, as Hugging Face stores it")
    serve.add_argument("--name", help="what clients call it (the name of the folder)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8100, help="port; 0 picks a free one (8100)")
    serve.add_argument("--token-file", type=Path, help="file of one word that clients must send")
    serve.add_argument("--device", default="cpu", help="cpu, cuda, mps (cpu)")
    serve.add_argument("--dtype", choices=DTYPES, help="of its weights (float32 on a CPU, else float16)")
    serve.add_argument("--slices", type=int, default=9, help="parts of a large image, MiniCPM-V alone (9)")
    serve.add_argument("--trust-code", action="store_true", help="run Python code that lies in the folder")
    serve.set_defaults(command=_serve)
    merge = commands.add_parser("merge-lora", help="write a model with a LoRA adapter put into its weights")
    merge.add_argument("--base", type=Path, required=True, help="folder of the model, in safetensors")
    merge.add_argument("--adapter", type=Path, required=True, help="folder of the adapter, as PEFT writes it")
    merge.add_argument("--out", type=Path, required=True, help="folder to write")
    merge.set_defaults(command=_merge)


def _serve(options: argparse.Namespace) -> None:
    import torch

    from assay_training.serve.families import load
    from assay_training.serve.family import Loading
    from assay_training.serve.server import StatesServer

    token = _token(options.token_file)  # before the model, which takes minutes
    dtype = options.dtype or (DTYPES[0] if options.device == "cpu" else DTYPES[1])
    code = {"code": options.trust_code, "slices": options.slices}
    family = load(Loading(options.model, options.device, getattr(torch, dtype), **code))
    name = options.name or options.model.resolve().name
    server = StatesServer(family, name, options.host, options.port, token)
    print(f"serve: {name} at {server.address}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def _token(path: Path | None) -> str | None:
    """The word in a file. Raises DataError: an empty one would let everybody in."""
    from assay_training.data import DataError

    if not path:
        return None
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise DataError(f"--token-file {path}: cannot be read: {reason}") from None
    if len(words) != 1:
        raise DataError(f"--token-file {path}: expected one word, found {len(words)}")
    return words[0]


def _merge(options: argparse.Namespace) -> None:
    from assay_training.serve.merge import merge_lora

    merge_lora(options.base, options.adapter, options.out)
