"""Which families there are. A family is a row."""

from __future__ import annotations

from collections.abc import Callable

from assay_training.json_object import read_object
from assay_training.serve.chat_template import ChatTemplate
from assay_training.serve.family import Family, Loading, LoadingError
from assay_training.serve.minicpm_v import MiniCpmV
from assay_training.serve.mplug_owl2 import MplugOwl2

FAMILIES: dict[str, Callable[[Loading], Family]] = {  # by `model_type` in config.json
    "minicpmv": MiniCpmV,
    "mplug_owl2": MplugOwl2,
}

SHOWN = 300  # characters of what transformers says, which may list all models that it knows


def load(loading: Loading) -> Family:
    """The model in a folder; what is no row is taken for one with a chat template. Raises LoadingError."""
    config = loading.folder / "config.json"
    if not config.is_file():
        raise LoadingError(
            f"{loading.folder}: expected a folder of a model as Hugging Face stores it, found no config.json "
            "there; nothing is downloaded here"
        )
    kind = read_object(config).get("model_type")
    try:
        return FAMILIES.get(str(kind), ChatTemplate)(loading)
    except ImportError as error:
        raise LoadingError(f"{loading.folder}: {error}; pip install -e 'training[serve]'") from None
    except LoadingError:
        raise
    except (
        Exception
    ) as error:  # of transformers, safetensors and torch, at folders of another kind or damaged
        raise LoadingError(f"{loading.folder}: cannot be loaded as {kind}: {str(error)[:SHOWN]}") from None
