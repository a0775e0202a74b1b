"""BLIP's image encoder and its text encoder that looks at images, as ImageReward and its kin use them.

Li et al., "BLIP: Bootstrapping Language-Image Pre-training", arXiv 2201.12086. Modules carry the names
under which published checkpoints keep their tensors.
"""
