# ---
# chapter: 6
# objectives:
#   - say what a model keeps of the text it has read, and why
#   - compute the size of that cache from the numbers of a model card and the type of the cache
#   - predict the memory at a long context, check it on your machine, and say what several conversations need
# insight: >
#   Besides the weights, a model keeps notes on every token it has read. The weights are loaded once; the notes
#   grow with the text and with the number of conversations, and at a long context they can outgrow the weights.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Eight words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model reads and writes tokens.
# - **weights**: the numbers inside a model that training produced.
# - **layer**: one of the equal steps that a token goes through, one after another.
# - **context**: the tokens that a model can look back on: the question, the documents, and its own answer so far.
# - **quantization**: storing numbers with fewer bits, rounded. *Q4_K_M* and *Q4_1* name such formats for weights.
# - **model card**: the maker's data sheet of a model.
# - **VRAM**: the memory of a graphics card (GPU). Without one, the same is needed in the computer's own memory.
# - **llama.cpp**: the program that runs the models of this course.
#
# Sizes here are in MiB and GiB: 1 KiB is 1024 bytes, 1 MiB is 1024 KiB, 1 GiB is 1024 MiB.

# %% name="import"
import labkit as lk

# %% [markdown] name="model-intro"
# The chapter needs a model's size, not its wisdom. So it writes a **twin** of the course's small model, SmolLM2: a file with exactly its
# architecture, and random numbers as weights. The twin takes the memory that SmolLM2 takes. It is removed at the end.

# %% name="model"
file = lk.twin("smollm2-135m", "Q4_1")
print(f"{file.bytes / 2**20:.0f} MiB of weights")

# %% [markdown] name="predict-intro"
# ## Predict
#
# Besides the weights, the model keeps notes on the text: the **KV cache**. Commit to a guess before you read on.

# %% name="predict-cache"
lk.predict(
    "ch06-cache",
    "How large is the cache of this model for a context of 8,192 tokens?",
    unit="MiB",
)

# %% [markdown] name="why-intro"
# ## What is kept, and why
#
# A model writes one token at a time. For the next token, each layer looks back at all the tokens before it. It does so with
# three lists of numbers that it computes for each token:
#
# - the **query** of the new token says what it looks for;
# - the **key** of each earlier token says what is to be found there;
# - the **value** of each earlier token is what is taken over where query and key match.
#
# A token's key and value never change once they are computed. So they are kept: that is the KV cache (K for keys, V for values).
# The query is used once and forgotten.
#
# What would it cost to do without? Measure it: the time for one more token with the cache, and when all tokens before it are
# computed again. Each is measured several times; the **median** is the middle one of the values. A **95 % interval** is a
# range made by a method that catches the true value 19 times out of 20.

# %% name="benefit" tags=["measure"]
lk.with_and_without_cache(file)

# %% [markdown] name="formula-intro"
# ## The formula
#
# Each layer does this several times side by side, with short lists: its **heads**. Many models save memory by letting several
# query heads share one key and one value. So a model card gives two numbers: *heads* (for queries) and **KV heads** (for keys and values).
# Only KV heads are cached. SmolLM2 has 9 heads and 3 KV heads.
#
# > bytes per token = 2 × layers × KV heads × head size × bytes per number
#
# The 2 stands for key and value. The **head size** is the length of one list. A number takes 2 bytes as *f16*, the usual
# 16-bit number. Times the tokens, that is the cache.

# %% name="steps"
lk.kv_steps(file, context=8192)

# %% [markdown] name="measure-intro"
# ## Measure
#
# Does the formula hold? The next cell starts llama.cpp with room for 8,192 tokens, and reads the memory. No token is
# computed: the cache is still empty. It runs on the processor; on a graphics card, the same would lie in VRAM.
#
# A word in the table: **resident** is what really lies in memory.

# %% name="measure" tags=["measure"]
run = lk.measure_memory(file, context=8192, fill=False)
run

# %% name="compare"
lk.compare_prediction("ch06-cache", run.buffers.kv_bytes / 2**20, unit="MiB")

# %% [markdown] name="compare-note"
# That is the cache itself, as llama.cpp reports it. Making the context took a few MiB more: book-keeping.

# %% [markdown] name="types-intro"
# The cache can be stored with fewer bits. In *q8_0* a number takes about one byte, in *q4_0* about half a byte; it is
# rounded, so the model's answers may change a little. Now measure three contexts with three types each. That takes some seconds.

# %% name="contexts" tags=["measure"]
result = lk.compare_memory(file, contexts=(512, 4096, 8192))
result

# %% name="cache-chart"
lk.cache_chart(result)

# %% [markdown] name="conversations-intro"
# Several conversations at once share the weights, but each has a text of its own, so a cache of its own. Computed from your
# measurement:

# %% name="conversations"
cache, weights = run.buffers.kv_bytes / 2**20, file.bytes / 2**20
for n in (1, 4, 16):
    print(f"{n:2} × 8,192 tokens: weights {weights:.0f} MiB + cache {n} × {cache:.0f} = {n * cache:,.0f} MiB")

# %% [markdown] name="fit-intro"
# ## Will it run?
#
# You can now say what a model takes *before* you download it: weights, plus cache, plus a buffer for the computation. This tool
# adds them up for any model of the course's list and compares them with the memory of your machine.
#
# Three things to try with Llama 3.1 8B:
#
# 1. Move the context from 8,192 to 131,072. Which part grows?
# 2. Store the cache as q8_0. What does it save?
# 3. Set Llama 3.1 8B to 4,096 tokens and f16: its cache takes 0.50 GiB (512 MiB). Now choose *Llama 2 7B*, which can do no
#    more than 4,096 tokens: 2.00 GiB. It has fewer parameters, but 32 KV heads, not 8.

# %% name="fit"
lk.fit_explorer()

# %% [markdown] name="myths-intro"
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong or too simple.

# %% name="myths"
lk.myths(6)

# %% [markdown] name="myth-file-intro"
# **"A model needs as much memory as its file is large."** Compare, from your own measurement:

# %% name="myth-file"
print(f"the file:             {file.bytes / 2**20:6.1f} MiB")
print(f"memory, 8,192 tokens: {run.resident_bytes / 2**20:6.1f} MiB")
print(f"of it, for the cache and its book-keeping: {run.context_bytes / 2**20:.1f} MiB")

# %% [markdown] name="myth-empty-intro"
# **"A long context costs memory only when you fill it."** The last line was measured with an *empty* cache: the model had
# read nothing. So with llama.cpp, the context that you ask for is the context that you pay for.

# %% name="quiz-kv"
lk.quiz("ch06-kv-cache")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="mistral-card"
lk.exercise("ch06-mistral")

# %% tags=["answer"] name="ch06-mistral"
# BEGIN STUB
# mistral = {
#     "bytes_per_token": None,
#     "cache_gib": None,
#     "total_gib": None,
#     "total_gib_for_4": None,
# }
# END STUB
bytes_per_token = 2 * 32 * 8 * 128 * 2
cache_gib = bytes_per_token * 8192 / 2**30
mistral = {
    "bytes_per_token": bytes_per_token,
    "cache_gib": cache_gib,
    "total_gib": 4.07 + cache_gib,
    "total_gib_for_4": 4.07 + 4 * cache_gib,
}

# %% tags=["check"] name="check-mistral"
lk.check("ch06-mistral", mistral)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the
# answer cell.

# %% name="record" tags=["measure"]
print(result.record())

# %% name="your-slope-card"
lk.exercise("ch06-your-slope")

# %% tags=["answer"] name="ch06-your-slope"
# BEGIN STUB
# your_slope = {
#     "record": "paste the line here",
#     "measured_bytes_per_token": None,
#     "computed_bytes_per_token": None,
#     "tokens_in_a_gib": None,
# }
# END STUB
record = "f16 512: 105.1 MiB, 4096: 184.3 MiB, 8192: 274.5 MiB; "
record += "30 layers, 9 heads, 3 KV heads, head size 64; 2026-11-22"
measured = (274.5 - 105.1) * 2**20 / (8192 - 512)
computed = 2 * 30 * 3 * 64 * 2
your_slope = {
    "record": record,
    "measured_bytes_per_token": measured,
    "computed_bytes_per_token": computed,
    "tokens_in_a_gib": 2**30 / computed,
}

# %% tags=["check"] name="check-your-slope"
lk.check("ch06-your-slope", your_slope)

# %% [markdown] name="remember"
# ## What to remember
#
# - The cache keeps a key and a value for each token, in each layer, so that nothing is computed twice.
# - bytes per token = 2 × layers × KV heads × head size × bytes per number. Take the KV heads, not the heads.
# - Memory = weights (once) + cache (per token and conversation) + a buffer for the computation.
# - llama.cpp takes the whole cache at the start. Ask for the context that you need, not for the longest.
# - Some models need far less than the formula says: those with windows, and those with compressed keys and values.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: models that break the formula, the buffer for the computation, flash attention, and
# a cache in fewer bits.

# %% [markdown] name="windows-intro"
# ### Windows
#
# In Gemma 3 1B, 22 of 26 layers look back on the last 512 tokens only: a **sliding window**. Such a layer needs a cache
# for its window and for one batch of 512 tokens, and no more.

# %% name="windows"
lk.kv_steps("gemma-3-1b", context=32_768)

# %% [markdown] name="mla-intro"
# ### Compressed keys and values
#
# DeepSeek's models keep one short list per token and layer, from which the keys and values of all heads are computed when needed. That is
# multi-head latent attention (MLA). DeepSeek V3 keeps 576 numbers. Ordinary keys and values of its 128 heads, 128 numbers each,
# would be 2 × 128 × 128 = 32,768: 57 times as many.

# %% name="mla"
lk.kv_steps("deepseek-v3", context=8192)

# %% [markdown] name="buffer-intro"
# ### The buffer for the computation, and flash attention
#
# While it computes, a model needs room for intermediate results. llama.cpp reserves a **compute buffer** for them and says how
# large it is. For a small model that knows many different tokens it can be as large as the weights. **Reserved** is what a
# program asked for; only what it has **touched** takes memory. Compare the two in the table.

# %% name="buffer" tags=["measure"]
lk.measure_memory(file, context=8192, fill=True)

# %% [markdown] name="flash-intro"
# **Flash attention** computes the same attention in pieces, so that the table of all queries against all keys never exists as a
# whole. It leaves the cache as it is and makes the compute buffer smaller. llama.cpp switches it on by itself where it can, and
# stores *values* with fewer bits only when it is on.
#
# ### Memory against context
#
# One line for each type of cache; where your machine's memory ends, the picture says so. Each mark on the lower axis is
# several times the last, so a straight line looks bent.

# %% name="memory-chart"
lk.memory_chart("llama-3.1-8b")

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(6, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# The last cell removes the twin from your disk.

# %% name="close"
print(lk.forget_twins())
