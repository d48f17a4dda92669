"""The base models, questions and runs of papers: what their `compute` is made of."""
