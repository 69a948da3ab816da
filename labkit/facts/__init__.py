"""Typed, validated access to `datasets/`: every fact that the course states, with its source and its date.

    >>> from labkit import facts
    >>> facts.verdict("llama-3.1", "product", monthly_active_users=1_000_000).verdict
    'allowed'

Plain CSV and dataclasses; pandas loads only in `frame()`.
"""

from labkit.facts.architectures import (
    ArchitectureRow,
    GGUFSize,
    architectures,
    find_architecture,
    gguf_sizes,
)
from labkit.facts.files import frame, table
from labkit.facts.records import (
    Licence,
    ModelVersion,
    Price,
    Term,
    Use,
    licence,
    licences,
    model,
    models,
    prices,
    term,
    terms,
    use,
    uses,
)
from labkit.facts.verdicts import (
    NOT_LEGAL_ADVICE,
    PLACES,
    Circumstances,
    LicenceVerdict,
    licence_verdict,
    verdict,
)

__all__ = [
    "NOT_LEGAL_ADVICE",
    "PLACES",
    "ArchitectureRow",
    "Circumstances",
    "GGUFSize",
    "Licence",
    "LicenceVerdict",
    "ModelVersion",
    "Price",
    "Term",
    "Use",
    "architectures",
    "find_architecture",
    "frame",
    "gguf_sizes",
    "licence",
    "licence_verdict",
    "licences",
    "model",
    "models",
    "prices",
    "table",
    "term",
    "terms",
    "use",
    "uses",
    "verdict",
]
