"""ACL-IQA: two passes of one CLIP, each steered by an instruction, judging an image against graded texts."""
