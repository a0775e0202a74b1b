"""M3-AGIQA: a predictor of opinion scores on the hidden states of a vision-language model."""
