"""MA-AGIQA: MANIQA's patches, gated with what a language model holds of the image."""
