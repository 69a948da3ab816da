"""Architectures as rows of building blocks, for `labkit.estimating.config`."""
