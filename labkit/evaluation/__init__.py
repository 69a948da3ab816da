"""What a model can do: the same questions to several models, answered, judged and counted."""
