"""assay-lite: a small image-quality scorer for CPUs, EfficientNet-Lite0 fine-tuned on AGIQA-3K."""
