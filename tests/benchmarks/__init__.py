"""Measurements of labkit itself, side by side with a peer in the same run.

    python -m tests.benchmarks                                  # all the tables
    python -m tests.benchmarks.import_time
    python -m tests.benchmarks.chapter_memory NOTEBOOK
    python -m tests.benchmarks.build_llama_tools FOLDER llama-bench     # prints the program's path
    python -m tests.benchmarks.against_llama_bench --llama-bench PROGRAM
    python -m tests.benchmarks.quality_against_llama_perplexity --tools FOLDER

These are not tests: what they print depends on the machine. The tests check invariants and ratios only.
"""
