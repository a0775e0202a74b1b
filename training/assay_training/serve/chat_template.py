"""Any vision-language model of transformers that brings a processor with a chat template."""

from __future__ import annotations

from torch import nn

from assay_training.serve.conversation import Conversation, RequestError
from assay_training.serve.family import Family, Given, Loading, LoadingError


class ChatTemplate(Family):
    """Its processor writes the conversation, and makes the image what the net wants."""

    def __init__(self, loading: Loading) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        stored = {"local_files_only": True, "trust_remote_code": loading.code}
        self.processor = AutoProcessor.from_pretrained(loading.folder, **stored)
        self.net = AutoModelForImageTextToText.from_pretrained(loading.folder, dtype=loading.dtype, **stored)
        self.net = self.net.to(loading.device).eval()
        self.tokenizer = self.processor.tokenizer
        if not (getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template):
            raise LoadingError(
                f"{loading.folder}: its processor has no chat template, so nothing can be asked"
            )
        config = self.net.config
        text = getattr(config, "text_config", config)
        self.context = getattr(text, "max_position_embeddings", None) or 1 << 20
        self.image_id = getattr(config, "image_token_id", getattr(config, "image_token_index", None))

    @property
    def head(self) -> nn.Module:
        return self.net.get_output_embeddings()

    def given(self, conversation: Conversation, answering: bool) -> Given:
        messages = [
            {"role": turn.role, "content": [_part(part, conversation.image) for part in turn.parts]}
            for turn in conversation.turns
        ]
        try:
            found = self.processor.apply_chat_template(
                messages,
                add_generation_prompt=answering,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        except Exception as error:  # templates refuse in their own words: a system message, an order of roles
            raise RequestError(f"the model's chat template refuses this conversation: {error}") from None
        inputs = {
            name: value.to(self.net.device, self.net.dtype if value.is_floating_point() else None)
            for name, value in found.items()
        }
        ids = inputs["input_ids"][0]
        places = (ids == self.image_id).nonzero() if self.image_id is not None else ids[:0]
        seen = int(places.max()) + 1 if len(places) else 0
        return Given(inputs, len(ids), seen, prefix=len(ids))


def _part(part: str | None, image: object) -> dict:
    return {"type": "image", "image": image} if part is None else {"type": "text", "text": part}
