"""The classes are what the definitions say, and what ComfyUI expects."""

import inspect
import json
import subprocess
import sys

import pytest
from conftest import PACK

NODES = json.loads((PACK / "definitions.json").read_text("utf-8"))["nodes"]


def test_every_definition_has_its_class(loaded):
    assert [*loaded.NODE_CLASS_MAPPINGS] == [node["id"] for node in NODES]
    names = {node["id"]: node["displayName"] for node in NODES}
    assert names == loaded.NODE_DISPLAY_NAME_MAPPINGS
    assert (PACK / loaded.WEB_DIRECTORY / "assay.js").exists()


@pytest.mark.parametrize("node", NODES, ids=[node["id"] for node in NODES])
def test_inputs_are_parameters(loaded, node):
    cls = loaded.NODE_CLASS_MAPPINGS[node["id"]]
    types = cls.INPUT_TYPES()
    parameters = inspect.signature(cls.run).parameters
    assert {*parameters} == {"self", *types["required"], *types["optional"], *types["hidden"]}
    for name in [*types["optional"], *types["hidden"]]:
        assert parameters[name].default is not inspect.Parameter.empty, name
    counts = {len(value) for value in (cls.RETURN_TYPES, cls.RETURN_NAMES, cls.OUTPUT_IS_LIST, cls.OUTPUT_TOOLTIPS)}
    assert counts == {len(node["outputs"])}


def test_input_types_are_fresh_each_time(loaded):
    cls = loaded.NODE_CLASS_MAPPINGS["AssayGate"]
    cls.INPUT_TYPES()["required"]["aspect"][0].append("spoilt")
    cls.INPUT_TYPES()["required"].clear()
    assert cls.INPUT_TYPES()["required"]["aspect"][0] == ["quality", "alignment", "authenticity"]


def test_import_is_light():
    """Nothing heavy is loaded for the nodes' sake; the host has it, but tools that only list nodes have not."""
    pack, init = str(PACK), str(PACK / "__init__.py")
    code = (
        "import sys, importlib.util as u;"
        f"s = u.spec_from_file_location('p', {init!r}, submodule_search_locations=[{pack!r}]);"
        "m = u.module_from_spec(s); sys.modules['p'] = m; s.loader.exec_module(m);"
        "print([n for n in ('torch', 'numpy', 'aiohttp', 'msgpack', 'server') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
