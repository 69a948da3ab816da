# ---
# chapter: 5
# objectives:
#   - read the name of a quantization, and know what it does not say
#   - quantize a model yourself, and measure what was lost, with three measures that mean something
#   - choose a quantization for a budget, and defend the choice with your numbers
# insight: >
#   The first bits that you take away usually cost next to nothing, the last ones a lot. Where the loss begins to
#   hurt, no name tells you. It takes a measurement, and you can make it in a minute.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Six words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model gives every possible next token a probability.
# - **weights**: the numbers inside a model that training produced. They are also called *parameters*.
# - **quantization**: storing the weights with fewer bits, rounded. (Chapter 4 does it by hand.)
# - **F16**: 16 bits for each weight. From this form the smaller ones are made.
# - **GGUF**: the file format in which this course keeps the weights.
# - **llama.cpp**: the program that runs the models of this course, and that quantizes them.
#
# Sizes here are in MiB and GiB: 1 MiB is 1024² bytes, 1 GiB is 1024³.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# The course has a model of its own, **pocket-base**: 3 million weights, trained on texts about a small made-up world. You will turn
# it into six smaller files. The smallest is called Q2_K. Commit to two numbers before you measure.

# %% name="predict-size"
lk.predict("ch05-size", "How large is the Q2_K file, in percent of the F16 file?", unit="%")

# %% name="predict-same"
lk.predict(
    "ch05-same",
    "F16 and Q2_K read 100 beginnings of texts. In how many is their first choice of the next token the same?",
    unit="of 100",
)

# %% [markdown] name="name-intro"
# ## Reading a name
#
# Weights are rounded in **blocks**. A block stores one number in common, its **scale**, and for each weight a small whole number;
# weight ≈ scale × small number. How a block is laid out is a **type**: Q4_K is one. A *finer* type has more bits.
#
# | in the name | says |
# |---|---|
# | **Q8**, **Q4**, **Q2** | about how many bits the small numbers of most weights take. Scales come on top |
# | **_0**, **_1** | the older kind: blocks of 32 weights with a scale. _1 stores an offset as well, which is added |
# | **_K** | a *K-quant*: blocks of 256 weights in smaller groups, each with a scale that is itself stored in few bits |
# | **_S**, **_M**, **_L** | small, medium or large *mixture*: how many of the matrices get a finer type |
#
# So a name such as Q4_K_M is no type. It is a recipe: which matrix is stored how. Make one, and look inside.

# %% name="quantize"
file = lk.quantize("pocket-base", "Q4_K_M")
lk.size_table(file)

# %% [markdown] name="layer-intro"
# Most of it is Q4_K: 4 bits for a weight's small number, and half a bit for its share of what the block has in common. But who got the
# finer type? A matrix in a file is called a *tensor*. Here are the table of the tokens (`token_embd`, the *embedding*), and three of each
# layer: two of the *attention*, which looks at the tokens before, and one of the *feed-forward part* (ffn), which works on each token by
# itself. `blk.0` is the first layer.

# %% name="layers"
header = lk.read_gguf_header(file.path)
for tensor in header.tensors:
    if any(part in tensor.name for part in ("token_embd", "attn_q", "attn_v", "ffn_down")):
        print(f"{tensor.name:22} {tensor.type_name}")

# %% [markdown] name="layers-note"
# `attn_v` and `ffn_down` get Q6_K in some of the layers, `attn_q` nowhere: the recipe spends more bits where its authors found that they
# pay. Newer versions of llama.cpp may choose other types under the same name.
#
# ## What was lost?
#
# Rounded weights give other probabilities. Here is one sentence, before and after. First the F16 model:

# %% name="one-f16"
source = lk.get_model("pocket-base")
with lk.load_model(source, context=256) as model:
    before = lk.next_token_chart(model, "Once upon a time there was a", top=5)
before

# %% name="one-q2"
with lk.load_model(lk.quantize(source, "Q2_K"), context=256) as model:
    after = lk.next_token_chart(model, "Once upon a time there was a", top=5)
after

# %% [markdown] name="measures-intro"
# Which rows changed? More probability in the first row is not better: the aim is to be like F16.
#
# One sentence proves nothing. Three measures take thousands of places in a text, where the true next token is known:
#
# - **Perplexity** asks: how unsure is the model of the token that really comes? 4 means: as unsure as if it had to choose among 4 equally
#   likely tokens. 1 is certainty; lower is better.
# - **KL divergence** asks: how far is the whole list of probabilities from that of F16? 0 is no difference. Its unit is the *nat*. Read small
#   values as percent: at 0.07 nats, F16 gives the tokens that it expects about 7 % more probability, on average, than the other file does.
# - **Same first choice** asks: in what share of the places do both prefer the same token?
#
# Perplexity is easily computed. Say a model gave the true tokens of a short text these probabilities:

# %% name="perplexity"
p1, p2, p3 = 0.5, 0.25, 0.125
perplexity = (1 / (p1 * p2 * p3)) ** (1 / 3)
print(f"{perplexity:.2f}")

# %% [markdown] name="perplexity-note"
# In steps: turn each probability around (2, 4 and 8), multiply (64), and take the third root, since there are three: 4.
#
# ## Measure
#
# Now all six. The next cell makes the four files that you do not have yet, with llama.cpp's own quantizer. Then all seven read a text
# about the same made-up world, side by side. It was kept out of training. This takes some seconds to half a minute.

# %% name="measure" tags=["measure"]
table = lk.compare_quantizations(source)
table

# %% [markdown] name="compare-intro"
# Perplexity can wobble from file to file, and even fall: rounding hurts some tokens, and helps others by chance. In KL divergence
# changes can't cancel each other: it counts every one, whichever way it goes. Look how each column changes from line to line.
#
# Now your predictions.

# %% name="compare-size"
share = table["Q2_K"].file_bytes / table["F16"].file_bytes
lk.compare_prediction("ch05-size", 100 * share, unit="%")

# %% name="compare-same"
lk.compare_prediction("ch05-same", 100 * table["Q2_K"].comparison.same_top.share, unit="of 100")

# %% [markdown] name="speed-intro"
# ## And the speed?
#
# pocket-base is so small that a processor may keep all of it in its cache, a small fast memory. Most models that people use do not fit there. So
# speed is measured on a **twin**: a file of 252 million random weights, for each quantization (together about 1 GiB on disk). What it writes
# is noise, but its speed is real. A **95 % interval** is a range made by a method that catches the true value 19 times out of 20.

# %% name="speed" tags=["measure"]
speeds = lk.writing_speeds()
speeds

# %% [markdown] name="chart-intro"
# Bytes are not all. Each type must also be unpacked, and some are quicker to unpack than others. So a smaller file can be slower:
# compare each line with the one above it.
#
# All of it on one page. Read it from top to bottom: the files get smaller. What happens to the three measures, and where do the steps grow?
# On the log scale each line to the right is ten times as much.

# %% name="chart"
lk.quality_chart(table, speeds)

# %% [markdown] name="close-intro"
# The twins have done their work. The next cell removes them from your disk.

# %% name="close"
print(lk.forget_twins())

# %% [markdown] name="large-intro"
# ## Large models
#
# Is it the same with models that people use? The authors of llama.cpp measured Llama 3 8B, a model with well over 2,000 times as many weights. Its first
# steps cost little, and each further one more than the one before. Compare with yours: the perplexity added, and the last column.

# %% name="large"
lk.published_quality("llama-3-8b")

# %% [markdown] name="choose"
# ## Choosing
#
# - Take the finest that fits your memory and is fast enough. Leave room for the model's notes on your text (chapter 6).
# - Q8_0 and Q6_K add hardly any perplexity to Llama 3 8B. Even so, its first choice changes in some places: see the last column.
# - Q5_K_M and Q4_K_M are the usual compromise. Q4_K_M is a good place to start.
# - Below that, measure first, on texts like yours. A smaller model with more bits may serve you better: chapter 12 shows how to compare.
#
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong or too simple.

# %% name="myths"
lk.myths(5)

# %% [markdown] name="myth-95-intro"
# **"Q4_K_M keeps 95 % of the quality."** Of what? Three measures of the same file, and each gives another number:

# %% name="myth-95"
q4 = table["Q4_K_M"].comparison
print(f"perplexity, more than F16:  {100 * q4.perplexity_ratio.value - 100:+7.2f} %")
print(f"same first choice:          {100 * q4.same_top.share:7.2f} %")
print(f"KL divergence:              {q4.kl_divergence.value:7.4f} nats")

# %% [markdown] name="myth-bits-intro"
# **"The number in the name is the number of bits."** Look at the bits per weight in your own table. In a model this small the embedding is a
# larger part of the whole, and it gets a finer type. So Q4_K_M and Q2_K take even more bits than with Llama 3.1 8B above.

# %% name="quiz-quantizations"
lk.quiz("ch05-quantizations")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="published-card"
lk.exercise("ch05-published")

# %% tags=["answer"] name="ch05-published"
# BEGIN STUB
# published = {
#     "q4_k_m_more_percent": None,
#     "q2_k_more_percent": None,
#     "q4_k_m_bits": None,
#     "q2_k_bits": None,
# }
# END STUB
published = {
    "q4_k_m_more_percent": 100 * (6.4071 / 6.2316 - 1),
    "q2_k_more_percent": 100 * (9.7516 / 6.2316 - 1),
    "q4_k_m_bits": 4.58 * 1024**3 * 8 / 8.03e9,
    "q2_k_bits": 2.96 * 1024**3 * 8 / 8.03e9,
}

# %% tags=["check"] name="check-published"
lk.check("ch05-published", published)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the
# answer cell. `B` stands for bytes, `ppl` for perplexity, `kl` for KL divergence, `same` for the same first choice.

# %% name="record" tags=["measure"]
print(table.record())

# %% name="three-budgets-card"
lk.exercise("ch05-three-budgets")

# %% tags=["answer"] name="ch05-three-budgets"
# BEGIN STUB
# three_budgets = {
#     "record": "paste the line here",
#     "page": None,
#     "page_percent": None,
#     "service": None,
#     "service_percent": None,
#     "reader": None,
#     "reader_percent": None,
# }
# END STUB
record = "F16 5839328 B ppl 2.618; Q8_0 3136000 B ppl 2.619 kl 0.00009530 same 99.45 %; "
record += "Q6_K 2437632 B ppl 2.627 kl 0.0006258 same 98.53 %; "
record += "Q5_K_M 2167808 B ppl 2.610 kl 0.001601 same 98.39 %; "
record += "Q4_K_M 1913856 B ppl 2.620 kl 0.004480 same 97.27 %; "
record += "Q3_K_M 1646080 B ppl 2.654 kl 0.01221 same 96.02 %; "
record += (
    "Q2_K 1369600 B ppl 2.743 kl 0.06653 same 91.31 %; 5100 tokens; pocket-base a61629c277ae; 2026-11-22"
)
three_budgets = {
    "record": record,
    "page": "Q5_K_M",
    "page_percent": 100 * 2167808 / 5839328,
    "service": "Q4_K_M",
    "service_percent": 97.27,
    "reader": "Q3_K_M",
    "reader_percent": 100 * (2.654 / 2.618 - 1),
}

# %% tags=["check"] name="check-three-budgets"
lk.check("ch05-three-budgets", three_budgets)

# %% [markdown] name="remember"
# ## What to remember
#
# - A name such as Q4_K_M is a recipe: a kind of block, about so many bits, and finer types for some matrices.
# - Real bits per weight are above the number in the name: scales and finer types count.
# - A loss needs a measure: perplexity, KL divergence, or how often the first choice stays the same.
# - The first steps usually cost little, each further one more. Where it begins to hurt depends on the model, so measure it on yours.
# - Smaller files are often faster. Not always: how fast a type can be unpacked counts too.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# For whoever wants more, the chapter is complete without it: whether answers get worse, the importance matrix, another model, rows that do
# not fit, other names, and the other myths.

# %% [markdown] name="answers-intro"
# ### Do the answers get worse?
#
# A loss in probabilities need not change an answer. pocket-instruct, the sister of pocket-base that answers questions, gets 100 questions
# that no training text holds, at three quantizations.

# %% name="answers" tags=["measure"]
answering = [lk.quantize("pocket-instruct", quant) for quant in ("Q8_0", "Q4_K_M", "Q2_K")]
lk.count_right("pocket-instruct", *answering, bare=False)

# %% [markdown] name="imatrix-intro"
# ### The importance matrix
#
# Not all weights matter equally. `llama-imatrix` lets the model read some text and notes which inputs are large; the quantizer then rounds with
# care where it counts. The result has the same name and nearly the same size. Compare the rows with and without it, above all Q2_K.

# %% name="imatrix"
lk.published_quality("llama-3-8b", everything=True)

# %% [markdown] name="other-intro"
# ### Another model loses differently
#
# Llama 2 7B, trained on far less text, bears the same rounding better. One explanation: more training packs more into the same weights,
# so that each bit counts.

# %% name="other"
lk.published_quality("llama-2-7b")

# %% [markdown] name="rows-intro"
# ### Rows that do not fit
#
# A K-quant needs rows of 256 weights, or a multiple. Gemma 3 270M has rows of 640. Such matrices fall back to another type, and the file comes out
# larger than its name suggests: as Q2_K it is hardly smaller than as Q4_K_M.

# %% name="rows"
lk.published_sizes("gemma-3-270m")

# %% [markdown] name="names-intro"
# ### More names

# %% name="names"
lk.facts_table("quantization_names")

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(5, core=False)
