"""Assay in hosts of the AUTOMATIC1111 family: judges images between their making and their saving."""
