# ---
# chapter: 2
# objectives:
#   - say where the parameters of a language model are, and which part holds the most
#   - count the parameters of a dense model from its config.json, exactly
#   - tell what the count says of a model (the size of its weights), and what it does not
# insight: >
#   You can count a model's parameters from a few lines of text, before you download anything. The count tells
#   how large the weights are. It does not tell how good the model is, nor all the memory that it needs.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Seven words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model reads and writes tokens.
# - **parameter** or **weight**: one of the numbers inside a model that training produced.
# - **matrix**: a table of numbers. One with 8 rows and 4 columns holds 32 parameters.
# - **layer**: one of the equal steps that a token goes through, one after another.
# - **dense**: every token uses all parameters. (Chapter 3 is about the others.)
# - **quantization**: storing each number in fewer bits, so that the file gets smaller. `Q4_1` takes about 5. (Chapter 1)
# - **GGUF**: the file format in which this course keeps the weights.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# A model has one table with a row for each token that it knows: the **embedding**. SmolLM2-135M, the small model of this course, knows
# 49,152 tokens and has 30 layers.

# %% name="predict-embedding"
lk.predict("ch02-embedding", "What share of its parameters is the embedding?", unit="%")

# %% [markdown] name="config-intro"
# ## A few lines tell it all
#
# Next to the weights of a model lies a small text file, `config.json`. It states the shape of the model. These
# are the lines that fix the number of parameters:

# %% name="config"
config = lk.model_config("smollm2-135m")
config

# %% [markdown] name="walk-intro"
# ## What is in a model
#
# ```
# token → embedding → layer 1 → … → layer 30 → last norm → output matrix → scores
# ```
#
# - The **embedding** turns a token into a row of numbers. How many: that is the model's **width** (`hidden_size`).
# - Each **layer** has two parts. **Attention** lets a token look at the tokens before it. The **feed-forward part**
#   then works on the token by itself.
# - A **norm** scales the numbers, so that they stay in range. It has as many parameters as the model is wide.
# - The **output matrix** turns the last numbers into a score for every token of the vocabulary.
#
# Nearly all parameters are in matrices. So counting is: rows times columns, and add up.

# %% [markdown] name="tiny-intro"
# ## One layer, small enough to count
#
# Take a toy model of width 8. Its layer has seven matrices. Each small square is one parameter.

# %% name="tiny"
tiny = {
    "model_type": "llama",
    "vocab_size": 10,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 12,
    "tie_word_embeddings": True,
}
lk.layer_picture(tiny)

# %% [markdown] name="attention-intro"
# **Attention** has four matrices. It works in several **heads** side by side, and each head looks for something else.
#
# - **Q** (query: what the token looks for). 8 rows, the width. Its columns: 4 query heads, each of size 2.
# - **K** (key) and **V** (value: what the earlier tokens offer). 8 rows. Columns: 2 **KV heads** of size 2.
#   Two query heads share one KV head. That saves memory, and most models today do it.
# - **O** (output) leads back: 8 rows, one for each column of Q, and 8 columns, the width.
#
# The **head size** is `head_dim`. Where that line is missing, it is the width divided by the query heads: 8 / 4 = 2.

# %% name="tiny-attention"
width, heads, kv_heads, head_size = 8, 4, 2, 2

q = width * heads * head_size
k = width * kv_heads * head_size
v = width * kv_heads * head_size
o = heads * head_size * width
print(f"Q {q} + K {k} + V {v} + O {o} = {q + k + v + o}")

# %% [markdown] name="ffn-intro"
# The **feed-forward part** has three matrices. **Gate** and **up** lead from the width (8) to a larger one, `intermediate_size`
# (12). **Down** leads back. And a layer has two norms: one before each of its two parts.

# %% name="tiny-layer"
attention = q + k + v + o
feed_forward = 3 * width * 12
norms = 2 * width
layer = attention + feed_forward + norms
print(f"attention {attention} + feed-forward {feed_forward} + norms {norms} = {layer}")

# %% [markdown] name="around-intro"
# Outside the layers there are only two more things: the embedding, one row of 8 for each of the 10 tokens, and the last norm. An output
# matrix would be as large as the embedding. Here the two are **tied**: one matrix serves both ends, and counts once.

# %% name="tiny-total"
embedding = 10 * width
last_norm = width
print(f"embedding {embedding} + 1 layer × {layer} + last norm {last_norm} =", embedding + layer + last_norm)

# %% [markdown] name="real-intro"
# ## The same for a real model
#
# The same lines, with SmolLM2's numbers. Only the counts are larger, and there are 30 layers.

# %% name="real"
width, heads, kv_heads, head_size = 576, 9, 3, 64

attention = 2 * width * heads * head_size + 2 * width * kv_heads * head_size
feed_forward = 3 * width * 1_536
layer = attention + feed_forward + 2 * width
embedding = 49_152 * width
total = embedding + 30 * layer + width
print(f"{total:,}")

# %% [markdown] name="file-intro"
# Is that right? Ask the model file itself. It begins with a list of all its matrices. If it is already on this machine, nothing is
# downloaded. (Without any network a stand-in with random weights takes its place. It has another shape.)

# %% name="file"
file = lk.get_model()
header = lk.read_gguf_header(file.path)
print(f"{file.label}: {header.n_parameters:,} parameters in the file")
print(f"SmolLM2-135M: {total:,} counted from its config")

# %% name="compare-embedding"
lk.compare_prediction("ch02-embedding", 100 * embedding / total, unit="%", counted=True)

# %% [markdown] name="other-intro"
# ## Three things that differ from model to model
#
# - **Tied or not.** With `"tie_word_embeddings": false` the output matrix is there, and counts as much as the embedding.
# - **Head size.** Some models state a `head_dim` that is not width / heads. Then it counts as stated. Below is the toy with heads of size 4
#   in place of 2: Q has 8 rows and 4 × 4 = 16 columns, O has 16 rows and 8 columns.
# - **Small extras of a family.** They are not in the config: you know them by `model_type`. `llama` and `mistral` have none. In
#   `qwen2`, Q, K and V have a **bias**, one number more for each of their columns.
#
# And in an older `llama` config `num_key_value_heads` may be missing. Then there are as many KV heads as query heads.

# %% name="stated-head-size"
lk.layer_picture(tiny | {"head_dim": 4})

# %% [markdown] name="chart-intro"
# ## Where they live
#
# The same parts in models of different sizes. Which part is the largest in each? Compare the first two: Gemma knows more than
# five times as many tokens as SmolLM2.

# %% name="chart"
lk.parameter_chart("smollm2-135m", "gemma-3-270m", "qwen2.5-0.5b", "llama-3.1-8b")

# %% [markdown] name="measure-intro"
# ## Measure: the same count, another shape
#
# Here are two shapes. The second has 9 KV heads in place of 3. To make up for it, its feed-forward part is narrower. The counts are
# equal to the last parameter.

# %% name="shapes"
shapes = {
    "3 KV heads": config,
    "9 KV heads": config | {"num_key_value_heads": 9, "intermediate_size": 1280},
}
lk.parameter_chart(*shapes.values(), names=list(shapes))

# %% name="predict-shapes"
lk.predict(
    "ch02-shapes",
    "Both work on a text of 4,096 tokens. How does the second compare in memory?",
    options=["as much as the first, within 10 %", "more than 10 % more", "more than 10 % less"],
)

# %% [markdown] name="twins-intro"
# Nobody trained these two. The course writes them as **twins**: files of exactly this shape, with random numbers as weights. What a
# twin writes is noise, but it takes the memory that a trained model of its shape would take. The quantization is `Q4_1`. (A KiB is
# 2\*\*10 bytes, a MiB is 2\*\*20, about a million.) This takes up to a minute.

# %% name="measure" tags=["measure"]
memory = {}
for name, shape in shapes.items():
    twin = lk.twin(shape, "Q4_1", show_progress=False)
    run = lk.measure_memory(twin, context=4096)
    memory[name] = run.resident_bytes / 2**20
    file_mib, notes = twin.bytes / 2**20, run.predicted_kv_bytes / 2**20
    print(f"{name}: file of {twin.bytes:,} bytes, measured {memory[name]:.0f} MiB in memory:")
    print(f"   weights {file_mib:.0f} + notes {notes:.0f} + the rest {memory[name] - file_mib - notes:.0f}")

# %% name="compare-shapes"
ratio = memory["9 KV heads"] / memory["3 KV heads"]
outcome = "as much as the first, within 10 %"
if not 0.9 <= ratio <= 1.1:
    outcome = "more than 10 % more" if ratio > 1 else "more than 10 % less"
lk.compare_prediction("ch02-shapes", outcome)

# %% [markdown] name="shapes-note"
# The files are equally large: the weights follow the count. What differs is the model's **notes** on the text so far. It keeps the keys and
# values of every token, for every KV head (computed here; chapter 6 is about them). The rest is working space, nearly the same for both.
#
# ## Myth check

# %% name="myths"
lk.myths(2)

# %% [markdown] name="myth-width-intro"
# **"Attention has 4 × layers × heads × head size parameters."** Compare with what the model file holds.

# %% name="myth-width"
shape = header.blueprint()
claimed = 4 * shape.n_layers * shape.n_heads * shape.head_dim
print(f"claimed: {claimed:>12,}")
print(f"in file: {shape.parameters_by_part()['attention']:>12,}")

# %% [markdown] name="myth-better-intro"
# **"More parameters, better answers."** Below are two models with the same shape and the same count: the small model, and its twin. The only
# difference is the training. (If the small model is the stand-in on your machine, both write noise.)

# %% name="myth-better"
for candidate in (file, lk.twin(file, None, show_progress=False)):
    with lk.load_model(candidate, context=256) as model:
        text = model.generate("The capital of France is", max_tokens=8, temperature=0, chat=False).text
    print(f"{candidate.label}\n   {header.n_parameters:,} parameters: {text!r}\n")

# %% name="quiz-count"
lk.quiz("ch02-count")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="where-card"
lk.exercise("ch02-where-they-live")

# %% tags=["answer"] name="ch02-where-they-live"
# BEGIN STUB
# where_they_live = {
#     "gemma_embedding_percent": None,
#     "llama_feed_forward_percent": None,
#     "llama_attention_percent": None,
# }
# END STUB
where_they_live = {
    "gemma_embedding_percent": 62.6,
    "llama_feed_forward_percent": 70.2,
    "llama_attention_percent": 16.7,
}

# %% tags=["check"] name="check-where"
lk.check("ch02-where-they-live", where_they_live)

# %% [markdown] name="count-intro"
# The second exercise is a function. Take the lines of the section *The same for a real model*, and read the numbers from `config`. A line
# that may be missing is read with `config.get("head_dim", otherwise)`. Try it before you check: on `tiny` (584), on
# `tiny | {"head_dim": 4, "tie_word_embeddings": False}` (856), and on SmolLM2.

# %% name="count-card"
lk.exercise("ch02-count-parameters")


# %% tags=["answer"] name="ch02-count-parameters"
# BEGIN STUB
# def count_parameters(config):
#     ...
# END STUB
def count_parameters(config):
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_size = config.get("head_dim", width // heads)
    q_columns = heads * head_size
    kv_columns = config["num_key_value_heads"] * head_size
    attention = 2 * width * q_columns + 2 * width * kv_columns
    if config["model_type"] == "qwen2":
        attention += q_columns + 2 * kv_columns
    layer = attention + 3 * width * config["intermediate_size"] + 2 * width
    matrices = 1 if config["tie_word_embeddings"] else 2
    return matrices * config["vocab_size"] * width + config["num_hidden_layers"] * layer + width


# %% tags=["check"] name="check-count"
lk.check("ch02-count-parameters", count_parameters)

# %% [markdown] name="remember"
# ## What to remember
#
# - Count matrices: rows times columns. Attention has four per layer, the feed-forward part three.
# - K and V have the KV heads, Q and O the query heads. The width is a factor in all of them.
# - Embedding: vocabulary × width. Twice that where the output matrix is not tied to it.
# - The feed-forward parts usually hold the most. In a small model with a large vocabulary the embedding can (Gemma 3 270M: 63 %).
# - The count gives the size of the weights. Memory for the text, and ability, are other questions.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: a table to check your counting, the list in a file, more families, models that are not
# dense, published shapes, and more myths.

# %% [markdown] name="tiny-check-intro"
# ### The toy, matrix by matrix
#
# The course draws this table up from the config. It lists what llama.cpp, the program that runs the models of this course, would load. Here is the
# toy with heads of size 4 and an output matrix of its own.

# %% name="tiny-check"
lk.parameter_table(tiny | {"head_dim": 4, "tie_word_embeddings": False})

# %% [markdown] name="own-config-intro"
# ### Your function on published models
#
# Once your function is right, it gives the published counts. For `qwen3` and the Gemma models, add what the
# next table says.

# %% name="own-config"
for name in ("llama-2-7b", "llama-3.2-1b", "mistral-7b-v0.3", "qwen2.5-0.5b"):
    print(f"{name:16} {count_parameters(lk.model_config(name))}")

# %% [markdown] name="families-intro"
# ### What the families add

# %% name="families"
lk.facts_table("family_extras")

# %% [markdown] name="header-intro"
# ### What the file lists
#
# A GGUF file names its matrices `blk.0.attn_q.weight` and so on: layer 0, attention, Q. It puts the two sizes in an order of its own: the
# embedding, 49,152 × 576 above, stands there as 576 × 49,152. The count is the same.

# %% name="header-list"
for tensor in header.tensors[:12]:
    print(f"{tensor.name:26} {tensor.shape!s:14} {tensor.n_elements:>12,}")

# %% [markdown] name="moe-intro"
# ### Mixtures of experts
#
# Mixtral's layers have eight feed-forward parts, called experts, and a small matrix in front of them that chooses two (`ffn_gate_inp`).
# So there are two counts: all parameters, and those that one token uses. Chapter 3 measures what follows.

# %% name="moe"
lk.parameter_table("mixtral-8x7b")

# %% [markdown] name="mla-intro"
# ### Latent attention
#
# DeepSeek's models squeeze keys and values through a narrow matrix (`attn_kv_a_mqa`) and widen them again. The formula for Q, K, V and O does
# not hold there. In addition they have experts: in V2-Lite, in all layers but the first.

# %% name="mla"
lk.parameter_table("deepseek-v2-lite")

# %% [markdown] name="shapes-intro"
# ### The shapes of published models

# %% name="architectures"
lk.facts_table("architectures")

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(2, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# The last cell removes the twins from the disk, and closes what is still open.

# %% name="close"
print(lk.forget_twins())
print(lk.close_all_models())
