"""Getting a model file: catalogue, download, GGUF header, loading."""
