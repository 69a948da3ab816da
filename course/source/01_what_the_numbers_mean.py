# ---
# chapter: 1
# objectives:
#   - read a model card and a file header, field by field
#   - work out the size of a file from parameters and quantization, in GB and in GiB
#   - predict the memory that a model needs for a given length of text, and check it on your machine
#   - say what a card cannot tell you
# insight: >
#   The numbers on a card tell you what hardware a model needs. They do not tell you whether it is good, or good
#   for your task. For that you have to try it.
# ---

# %% [markdown] name="before"
# This is the first chapter: nothing else is needed. Some words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model reads and writes tokens.
# - **parameters** or **weights**: the numbers inside a model that training produced.
# - **model card**: the page that tells you about a model, where you download it.
# - **GGUF**: the file format in which this course keeps the weights.
# - **quantization**: storing each number in fewer bits, so that the file gets smaller.
# - **context**: the text that a model works on, in tokens: what it has read (the **prompt**), and what it has written.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# The small model of this course is a file of 94 MiB (1 MiB is 2\*\*20 bytes, a little more than a million). It is going to work with a context of
# up to 8,192 tokens: a dozen pages or so.

# %% name="predict-memory"
lk.predict("ch01-memory", "How much memory will it take in all?", unit="MiB")

# %% [markdown] name="card-intro"
# ## The card
#
# Here is what the card of a well-known model says, put in order. Read the last column once. You need not remember it: the
# numbers come back below. (Licences are the subject of chapter 19.)

# %% name="card"
lk.facts_table("card_fields")

# %% [markdown] name="header-intro"
# ## The file says it too
#
# A card is written by people, and can be wrong or missing. A GGUF file begins with a **header** that states the same
# facts, because the program that runs the model needs them. Get the small model, and read its header. If the
# file is already on this machine, nothing is downloaded. (Without any network a tiny stand-in with random weights takes its place.)
#
# Three things in it may look odd. The name is the maker's internal one. The **tensors** are the tables of numbers of which a model consists.
# The **chat template** is the frame that a program puts around your question, so that the model sees where its answer begins.

# %% name="get-model"
file = lk.get_model()
header = lk.read_gguf_header(file.path)
header

# %% [markdown] name="size-intro"
# ## The size of the file
#
# A file holds every parameter once. So its size is **parameters × bits per parameter / 8**, in bytes: a byte has 8 bits.
#
# But how many bits? The header lists every table of numbers in the file, with the type in which it is stored. Add them up:

# %% name="size"
lk.size_table(file)

# %% [markdown] name="size-note"
# Two things to see. First, the sum is right: the size of a file is no secret. Second, the quantization's name is not the number of bits. In
# the small model, **Q4_1** takes 5 bits: 4 for each number, and 1 for scales that many numbers share. And some tables are stored
# more finely than the name says: the vocabulary's in **Q8_0**, and short rows that scale numbers in **F32**, 32 bits each.
#
# ## GB and GiB
#
# A gigabyte (**GB**) is 10\*\*9 bytes. A gibibyte (**GiB**) is 2\*\*30 bytes, which is 7 % more. Both are in use, and people mix them up.
# So with the smaller ones: a MiB is 2\*\*20 bytes, a KiB is 2\*\*10 = 1,024.

# %% name="units"
for bytes_ in (file.bytes, 8_540_775_840):
    print(f"{bytes_:>13,} bytes = {bytes_ / 10**9:.3f} GB = {bytes_ / 2**30:.3f} GiB")

# %% [markdown] name="published-intro"
# The second line is Llama 3.1 8B in Q8_0. Here are more files of that model, as they are published. The last column is
# the size divided by the parameters: the bits that each quantization *really* takes.

# %% name="published"
lk.published_sizes("llama-3.1-8b")

# %% [markdown] name="names-intro"
# And "8B"? A name too: 8 billion, rounded (a billion is 10\*\*9). These are called 7B. How many parameters have they got?

# %% name="names"
for name in ("llama-2-7b", "mistral-7b-v0.1", "qwen2.5-7b", "gemma-1-7b"):
    print(f"{name:16} {lk.facts.find_architecture(name).parameters:>13,}")

# %% [markdown] name="measure-intro"
# ## Measure: from the disk into memory
#
# To run, a model needs its weights in memory: RAM, or the memory of a graphics card (VRAM). And it needs more than that. Let your machine
# run the small model twice: with a context of 512 tokens, and with one of 8,192. This takes up to a minute.

# %% name="measure" tags=["measure"]
sizes = lk.measure_sizes(file, contexts=(512, 8192))
sizes

# %% name="compare-memory"
lk.compare_prediction("ch01-memory", sizes.memory_mib(8192), unit="MiB")

# %% [markdown] name="context-intro"
# ## Why the context takes memory
#
# While a model works, it keeps notes on every token of the context: the **KV cache**. KV stands for keys and values, two rows of numbers. Each layer keeps
# both, for each of its **KV heads**, and a number takes 2 bytes:
#
# **bytes per token = 2 (key and value) × layers × KV heads × head size × 2 bytes**
#
# The three numbers are in the header. Compare with the two measurements:

# %% name="context"
per_token = 2 * header.n_layers * header.n_kv_heads * header.head_dim * 2
print(f"{per_token:,} bytes per token")
print(f"computed: {per_token * (8192 - 512) / 2**20:.1f} MiB more for {8192 - 512:,} more tokens")
print(f"measured: {sizes.context_growth}")

# %% [markdown] name="context-note"
# So **memory ≈ weights + tokens of context × bytes per token**, and some working space. (Chapter 6 looks closer, and at
# models that keep less.)
#
# ## What a card cannot tell you
#
# - **Is it good?** That follows from the training: which texts, how many, how clean. Two models with the same numbers can be worlds apart.
# - **Is it good for you?** Scores on a card are from other people's tests. Yours may be another task, or another language.
# - **Does its vocabulary fit your language?** If not, your text falls into more pieces: slower, dearer, and the context is full sooner.
# - **How fast is it on your machine?** That depends on your memory and processor as much as on the model.
#
# These you find out by measuring. Most of this course is about how.
#
# ## Myth check

# %% name="myths"
lk.myths(1)

# %% [markdown] name="myth-pass-intro"
# **"The context length is what fits into one forward pass."** A forward pass is one run through the layers. It reads the prompt, and gives
# the first new token. Each further token takes a pass of its own. Watch how prompt and answer share a small context, 256 tokens: the model
# reads 108 digits, then writes on until there is no room left. (In this model's vocabulary each digit is a token, and so is each space.)

# %% name="myth-pass"
with lk.load_model(file, context=256) as model:
    prompt = "1 2 3 4 5 6 7 8 9 " * 12
    answer = model.generate(prompt, max_tokens=500, temperature=0, chat=False)
print(f"{answer.prompt_tokens} tokens read + {answer.tokens} written", end=" ")
print(f"= {answer.prompt_tokens + answer.tokens}, in a context of {model.context}.")
print(f"Passes: 1 for the prompt, and {answer.tokens - 1} more, each for one token.")

# %% [markdown] name="myth-figure-intro"
# **"This model needs so much memory."** You have measured one file at two lengths of context. Look back at the two figures: without the
# length, which of them would be "the" memory of this model?

# %% name="quiz-numbers"
lk.quiz("ch01-numbers")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="three-cards-card"
lk.exercise("ch01-three-cards")

# %% tags=["answer"] name="ch01-three-cards"
# BEGIN STUB
# three_cards = {
#     "mistral_file_gb": None,
#     "mistral_memory_gib": None,
#     "qwen_file_gb": None,
#     "qwen_memory_gib": None,
#     "llama_file_gb": None,
#     "llama_memory_gib": None,
# }
# END STUB
three_cards = {
    "mistral_file_gb": 7.71,
    "mistral_memory_gib": 7.68,
    "qwen_file_gb": 4.66,
    "qwen_memory_gib": 4.56,
    "llama_file_gb": 4.81,
    "llama_memory_gib": 6.48,
}

# %% tags=["check"] name="check-three-cards"
lk.check("ch01-three-cards", three_cards)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the answer cell.

# %% name="record" tags=["measure"]
print(sizes.record())

# %% name="your-file-card"
lk.exercise("ch01-your-file")

# %% tags=["answer"] name="ch01-your-file"
# BEGIN STUB
# your_file = {
#     "record": "paste the line here",
#     "bits_per_parameter": None,
#     "memory_over_file": None,
# }
# END STUB
record = "file 98362432 bytes; 134515008 parameters; "
record += "512 tokens: 139.6 MiB, 8192 tokens: 309.2 MiB; 2026-11-22"
your_file = {
    "record": record,
    "bits_per_parameter": 5.85,
    "memory_over_file": 3.30,
}

# %% tags=["check"] name="check-your-file"
lk.check("ch01-your-file", your_file)

# %% [markdown] name="remember"
# ## What to remember
#
# - File size = parameters × bits per parameter / 8. Take both from numbers, not from names such as "7B" and "Q4".
# - GB is 10\*\*9 bytes, GiB is 2\*\*30: 7 % apart. Say which one you mean.
# - Memory = weights + context × bytes per token + working space. A figure without a context length says little.
# - The context length on a card is a limit for prompt and answer together, not what the model needs.
# - Numbers tell you what hardware you need. Whether the model is good, only a test tells.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: one command for all of this, the header as it stands, and more myths.

# %% [markdown] name="estimate-intro"
# ### All of it in one call
#
# What you did by hand, the course also does for any model whose shape it knows, before anything is downloaded. Compare with the first
# card of the exercise: the working space (compute buffer, output buffer, book-keeping) comes on top of what you added up. Some words:
#
# - **llama.cpp** is the program that runs the models of this course. Some of the figures are its own.
# - **f16**: the KV cache in 16 bits for each number, 2 bytes.
# - **Tensors that fell back**: some tables cannot be stored in the type that was asked for, and get a larger one.
# - **Output buffer**: room for the scores, one for each token of the vocabulary, from which the next token is chosen.

# %% name="estimate"
lk.estimate("mistral-7b-v0.3", "Q8_0", context=4096)

# %% [markdown] name="metadata-intro"
# ### The header as it stands
#
# The table above put the header into words. These are its own keys. Long lists, such as the vocabulary, are left out.

# %% name="metadata"
for key, value in header.metadata.items():
    if not key.startswith("tokenizer."):
        print(f"{key:42} {value!s:.60}")

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(1, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# JupyterLab keeps a notebook's process alive after you close its tab. The last cell closes what is still open.

# %% name="close"
print(lk.close_all_models())
