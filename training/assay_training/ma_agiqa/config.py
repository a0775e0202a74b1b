"""What the language model is asked, and the switch where paper and code differ.

Wang et al., "Large Multi-modality Model Assisted AI-Generated Image Quality Assessment", ACM MM 2024,
arXiv 2404.17762.
"""

from __future__ import annotations

LANGUAGE_MODEL = "MAGAer13/mplug-owl2-llama2-7b"  # the one that weights are trained with
QUESTIONS = {  # by name of the input; the image follows, and the state is the mean over all positions
    "semantic": "Evaluate the input image to determine if its quality is compromised due to a lack of "
    "meaningful semantic content.",
    "coherence": "Evaluate if the image quality is compromised due to violations of coherence.",
}
# what the gate makes of its numbers: nothing, as the authors' code has it, or a sigmoid, as in the paper
GATES = ("linear", "sigmoid")
MOS_RANGE = (0.0, 5.0)  # of AGIQA-3K
SCALE = 0.8  # of what a layer of windows adds
