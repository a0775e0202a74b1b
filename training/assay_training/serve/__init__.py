"""A server of what a vision-language model holds of an image, for scorers that judge by it."""
