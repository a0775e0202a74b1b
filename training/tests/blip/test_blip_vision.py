import pytest
import torch
import torch.nn.functional as F

from assay_training.blip.vision import Attention, VisionConfig, VisionEncoder
from blip.blip_world import attention, dense, gelu, normal, scattered

SMALL = VisionConfig(side=12, patch=4, width=8, depth=2, heads=2, hidden=10)


@pytest.fixture(scope="module")
def encoder() -> VisionEncoder:
    return scattered(VisionEncoder(SMALL), 0)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def test_equals_plain_arithmetic(encoder, images):
    state = encoder.state_dict()
    for image, found in zip(images, encoder(images), strict=True):
        corners = [(y, x) for y in range(0, 12, 4) for x in range(0, 12, 4)]
        patches = torch.stack([image[:, y : y + 4, x : x + 4] for y, x in corners])
        kernel = state["patch_embed.proj.weight"]
        tokens = torch.einsum("pcyx,ocyx->po", patches, kernel) + state["patch_embed.proj.bias"]
        x = torch.cat([state["cls_token"][0], tokens]) + state["pos_embed"][0]
        for index in range(SMALL.depth):
            name = f"blocks.{index}"
            query, key, value = dense(
                normal(x, state, f"{name}.norm1", 1e-6), state, f"{name}.attn.qkv"
            ).split(8, -1)
            x = x + dense(attention(query, key, value, 2), state, f"{name}.attn.proj")
            inner = gelu(dense(normal(x, state, f"{name}.norm2", 1e-6), state, f"{name}.mlp.fc1"))
            x = x + dense(inner, state, f"{name}.mlp.fc2")
        torch.testing.assert_close(found, normal(x, state, "norm", 1e-6), rtol=1e-4, atol=1e-4)


def test_attention_equals_torch():
    module = scattered(Attention(SMALL), 2)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(3))
    heads = (module.qkv(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)).unbind()
    wanted = F.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 5, 8)
    torch.testing.assert_close(module(x), module.proj(wanted))


def test_images_do_not_mix(encoder, images):
    alone = torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(encoder(images), alone, rtol=1e-4, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 0.1


def test_published_names_and_shapes():
    with torch.device("meta"):
        state = VisionEncoder(VisionConfig()).state_dict()
    shapes = {
        "cls_token": (1, 1, 1024),
        "pos_embed": (1, 197, 1024),
        "norm.weight": (1024,),
        "norm.bias": (1024,),
    }
    shapes |= {"patch_embed.proj.weight": (1024, 3, 16, 16), "patch_embed.proj.bias": (1024,)}
    matrices = {
        "attn.qkv": (3072, 1024),
        "attn.proj": (1024, 1024),
        "mlp.fc1": (4096, 1024),
        "mlp.fc2": (1024, 4096),
    }
    for block in range(24):
        for name, shape in matrices.items():
            shapes[f"blocks.{block}.{name}.weight"] = shape
            shapes[f"blocks.{block}.{name}.bias"] = shape[:1]
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"blocks.{block}.{name}"] = (1024,)
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes
