"""CLIP as torch modules, its published weights and its tokenizer; shared by the systems that build on it."""
