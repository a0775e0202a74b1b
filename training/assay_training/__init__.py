"""Trains, measures and exports the scorers that Assay ships. Start with `python -m assay_training --help`."""

import os

# Read by onnxruntime as it is imported: it would look up a telemetry host, keep a device id under ~/.cache
# and leave files in /tmp. The other is for what a dependency may bring one day (https://consoledonottrack.com).
os.environ.update(ORT_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
