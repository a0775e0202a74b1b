"""The tower of a graph that ships can be read back, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from assay_training.base.blocks import BLOCK
from assay_training.base.compress import SHAPE
from assay_training.base.reuse import read_products
from assay_training.data import DataError
from assay_training.graph import Graph
from assay_training.tower.clip import MATRICES

SHIPPED = Path(__file__).parents[3] / "models" / "assay-base" / "assay-base.int4.onnx"


def test_reads_what_the_shipped_graph_holds():
    products = read_products(SHIPPED)
    assert list(products) == [f"{block}.{name}" for block in range(SHAPE.blocks) for name in MATRICES]
    constants = {entry.name: entry for entry in onnx.load(SHIPPED).graph.initializer}
    packed = [numpy_helper.to_array(entry) for name, entry in constants.items() if name.endswith(".codes")]
    assert len(packed) == len(products)
    for product, codes in zip(products.values(), packed, strict=True):
        np.testing.assert_array_equal(product.blocked.packed(), codes)
        rows, columns = product.blocked.codes.shape
        assert product.bias.shape == (rows,)
        assert product.blocked.step.shape == (rows, columns // BLOCK)


def test_refuses_a_graph_without_such_products(tmp_path):
    graph = Graph("other")
    graph.node("Identity", "x", name="y")
    ends = ({"x": (np.float32, ["n"])}, {"y": (np.float32, ["n"])})
    graph.save(tmp_path / "other.onnx", *ends)
    with pytest.raises(DataError, match="0 four-bit products, expected 48"):
        read_products(tmp_path / "other.onnx")
