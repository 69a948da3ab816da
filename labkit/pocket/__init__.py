"""The pocket models: a small world, the texts about it, and the training of models that know it.

Everything here is open: the texts come from the generators in this package (CC0), the tokenizer and the
models from `make pocket`. Only `architecture`, `training` and what calls them need PyTorch.
"""
