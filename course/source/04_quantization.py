# ---
# chapter: 4
# objectives:
#   - quantize a block of weights by hand, and say how large the error is
#   - compute the bits per weight of a format, with all that it stores
#   - say what fewer bits make faster and what not, and check it on your machine
# insight: >
#   Quantization stores each weight as a small whole number, and one scale for a block of them. Fewer bits mean
#   fewer bytes to keep and to read, so the model writes faster. The price is rounding.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Seven words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model writes one token after another.
# - **weight**: one of the numbers inside a model that training produced. Also called a parameter.
# - **bit** and **byte**: a bit is 0 or 1, and a byte has 8 bits. Each bit more doubles how many different values you can write: 4 bits
#   give 16, 8 bits 256.
# - **GB**, **MiB** and **GiB**: 1,000,000,000, 1,048,576 and 1,073,741,824 bytes.
# - **F16**: a number such as 0.0273, written with 16 bits. Most models are published in this form or a similar one.
# - **prompt**: the text that you give a model to read before it writes.
# - **prompt processing** and **generation**: reading the prompt, and writing the answer. Both are counted in tokens/s.

# %% name="import"
import numpy as np

import labkit as lk

# %% [markdown] name="why"
# ## Why fewer bits
#
# Llama 2 7B has 6.74 billion weights. At 16 bits each:

# %% name="size"
for bits in (16, 8, 4):
    print(f"{bits:2} bits: {6.74e9 * bits / 8 / 1e9:5.2f} GB")

# %% [markdown] name="why-note"
# A graphics card with 12 GB cannot hold the first one. But how do you store 0.0273 in 4 bits, which can write only 16 different
# values? And is it really 4 bits?
#
# ## Predict
#
# Commit to two answers before you measure.

# %% name="predict-bits"
lk.predict(
    "ch04-bits",
    "A format called Q4_0 stores each weight as a whole number of 4 bits. How many bits does a "
    "weight take in the file, with all that is needed to read it back?",
    unit="bits",
)

# %% name="predict-speed"
lk.predict(
    "ch04-speed",
    "A model is stored as F16, with 16 bits for a weight, and then as Q4_0. How many times as fast does "
    "it write as Q4_0, on your machine? (2 is twice as fast.)",
    unit="times",
)

# %% [markdown] name="block-intro"
# ## A block of 32 weights
#
# The weights of a model lie in large tables. **Quantization** cuts them into **blocks** of 32 neighbours and treats each block by itself. Here is
# the first block of one table of *pocket-base*, a small model that comes with this course, stored as F16.

# %% name="block"
file = lk.get_model("pocket-base")
weights = lk.read_weights(file, "blk.0.ffn_up.weight")
block = weights[0, :32]
print(block.round(4))

# %% [markdown] name="q8-intro"
# ## Eight bits: Q8_0
#
# Think of a ruler. Its zero is at 0, and its **scale** is the distance from one mark to the next. Choose the scale so that the
# largest weight falls on mark 127, or on −127. Largest means in **size**, the number without its sign: −0.15 has the size 0.15. Then
# store for each weight the nearest mark: its **code**.
#
# > scale = largest size / 127
# >
# > code = weight / scale, rounded to a whole number

# %% name="q8"
scale = np.abs(block).max() / 127
codes = np.round(block / scale).astype(int)
print(f"scale: {scale:.7f}")
print(codes)

# %% [markdown] name="q8-back-intro"
# A code from −127 to 127 fits into 8 bits. The scale is stored once for the block, as F16. To use a weight, the computer
# multiplies code and scale. That is all that is left of the weight:

# %% name="q8-back"
back = codes * np.float16(scale)
lk.rounding_table(block, codes, back)

# %% [markdown] name="q8-bits-intro"
# Is this really how it is done? llama.cpp, the program that runs the models of this course, has a function that makes such
# blocks. Give it the same 32 weights, and compare what would stand in the file, bit by bit.

# %% name="q8-bits"
lk.compare_bits(block, "Q8_0", scale, codes)

# %% [markdown] name="q4-intro"
# ## Four bits: Q4_0
#
# With 4 bits there are 16 marks, numbered 0 to 15. Q8_0 uses 255 of the 256 values that 8 bits can write; with 16 values, Q4_0 wastes
# none. Mark 8 is the zero, so one side has eight marks (0 to 7), and the other seven (9 to 15). The largest weight gets the longer
# side: it falls on mark 0. If it is positive, the ruler runs from positive to negative, and the scale has a minus sign. A weight past
# the last mark gets 15.
#
# > scale = largest weight, with its sign / −8
# >
# > code = weight / scale + 8, rounded, at most 15
#
# In the code, `np.floor(… + 0.5)` rounds to the nearest whole number, and `clip` keeps it from 0 to 15.

# %% name="q4"
largest = block[np.abs(block).argmax()]
scale4 = largest / -8
codes4 = np.floor(block / scale4 + 8 + 0.5).clip(0, 15).astype(int)
print(f"scale: {scale4:.7f}; mark 0 is at {-8 * scale4:+.4f}, mark 15 at {7 * scale4:+.4f}")
print(codes4)

# %% name="q4-back"
back4 = (codes4 - 8) * np.float16(scale4)
lk.rounding_table(block, codes4, back4)

# %% name="q4-bits"
lk.compare_bits(block, "Q4_0", scale4, codes4)

# %% [markdown] name="count-intro"
# ## How many bits is that?
#
# Count what stands in the file for one block: the codes, and the scale.

# %% name="count"
for name, code_bits in (("Q8_0", 8), ("Q4_0", 4)):
    in_block = 32 * code_bits + 16
    print(f"{name}: 32 × {code_bits} + 16 = {in_block} bits, {in_block / 32} per weight")

# %% name="compare-bits"
lk.compare_prediction("ch04-bits", (32 * 4 + 16) / 32, unit="bits", counted=True)

# %% [markdown] name="error-intro"
# So the weights of Llama 2 7B take about 6.74 × 4.5 / 8 = 3.79 GB as Q4_0, not 3.37.
#
# ## What it costs
#
# The upper picture shows where each weight goes with 4 bits, the lower one the errors: what comes back, less the weight.

# %% name="error"
lk.rounding_chart(block, {"Q8_0": back, "Q4_0": back4})

# %% [markdown] name="errors-intro"
# Twice as many marks on the same length are twice as close together. So each bit more halves the error, roughly. One block may
# be special; here are all weights of the table, quantized by llama.cpp. (Q6_K, Q3_K and Q2_K are formats with larger blocks, made
# of small ones. Chapter 5 compares them.)

# %% name="errors"
errors = lk.quant_errors(weights)
errors

# %% [markdown] name="errors-note"
# That is the error of the weights. What it does to the *answers* of a model has to be measured: chapter 5 does.
#
# ## What gets faster
#
# To write one token, the computer reads all weights from memory, once. Q4_0 takes 4.5 bits in place of 16: 3.6 times fewer
# bytes. If reading were all, it would be 3.6 times as fast.
# A prompt is different: its tokens go through the model together, so a weight that is read once serves them all.
#
# Measure both, with a model of 252 million weights in three formats. The next cell writes the files (0.9 GB on disk, removed at the
# end). They are **twins**: nobody trained them, and random numbers stand in for the weights. What they write is noise, but the speed is
# real: the computer does the same work, whatever the values are.
#
# The measurement takes about half a minute, and some minutes while other programs keep the processor busy. A **95 % interval** is a
# range made by a method that catches the true value 19 times out of 20.

# %% name="measure" tags=["measure"]
result = lk.compare_quant_speeds()
result

# %% name="speed-chart"
lk.quant_speed_chart(result)

# %% name="compare-speed"
lk.compare_prediction("ch04-speed", result.writes_faster.median, unit="times")

# %% [markdown] name="published-intro"
# Here are published figures of a larger model, from a machine that the source does not name. (Q4_K_M is mostly Q4_K: see chapter 5. The
# bits are those of the whole file: a Q2_K file keeps some tables in more bits, so 3.16 and not 2.62.)
#
# Its prompt processing gets slower as the bits get fewer, with one exception. Where arithmetic sets the pace, fewer bytes bring nothing,
# and unpacking is extra work: a likely reason. Does yours get slower? Even where both got faster, they need not gain the same.

# %% name="published"
lk.facts_table("quantization_speeds")

# %% [markdown] name="myths-intro"
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong or too simple.

# %% name="myths"
lk.myths(4)

# %% [markdown] name="myth-lossless-intro"
# **"8 bits lose nothing."** Count, in the table of weights from above:

# %% name="myth-lossless"
q8 = errors["Q8_0"]
print(f"come back unchanged with Q8_0: {100 * q8.unchanged:.1f} % of {weights.size:,} weights")
print(f"the typical error: {100 * q8.error:.1f} % of a typical weight")

# %% [markdown] name="myth-half-intro"
# **"Half the bits, twice the error."** The same table:

# %% name="myth-half"
times = errors["Q4_0"].error / errors["Q8_0"].error
print(f"from Q8_0 to Q4_0 the typical error grew {times:.1f} times")

# %% [markdown] name="myth-memory-intro"
# **"A quarter of the bits, a quarter of the memory."** What the two processes really took, in your measurement:

# %% name="myth-memory"
for run in (result.first, result.last):
    rest = (run.memory_bytes - run.weights_bytes) / 2**20
    print(f"{run.quant:4}: weights {run.weights_bytes / 2**20:5.1f} MiB, the rest {rest:4.1f} MiB")
print(f"all memory, last over first: {100 * result.last.memory_bytes / result.first.memory_bytes:.0f} %")

# %% name="quiz"
lk.quiz("ch04-quantization")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="block-card"
lk.exercise("ch04-quantize-block")


# %% tags=["answer"] name="ch04-quantize-block"
# BEGIN STUB
# def quantize_block(weights, bits):
#     ...
# END STUB
def quantize_block(weights, bits):
    block = np.array(weights)
    half = 2 ** (bits - 1)
    largest = block[np.abs(block).argmax()]
    scale = largest / -half
    steps = block / scale if scale else block
    codes = np.floor(steps + half + 0.5).clip(0, 2 * half - 1).astype(int)
    return np.float16(scale), codes


# %% tags=["check"] name="check-block"
lk.check("ch04-quantize-block", quantize_block)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the
# answer cell.

# %% name="record" tags=["measure"]
print(result.record())

# %% name="speed-card"
lk.exercise("ch04-your-speed")

# %% tags=["answer"] name="ch04-your-speed"
# BEGIN STUB
# your_speed = {
#     "record": "paste the line here",
#     "generation_ratio": None,
#     "prompt_ratio": None,
#     "gb_per_second": None,
# }
# END STUB
record = "F16 42.50 tg 146.8 pp 480.1 MiB; Q8_0 61.10 tg 200.9 pp 255.1 MiB; "
record += "Q4_0 113.8 tg 268.3 pp 136.2 MiB; 6 rounds; 2026-11-22"
your_speed = {
    "record": record,
    "generation_ratio": 113.8 / 42.5,
    "prompt_ratio": 268.3 / 146.8,
    "gb_per_second": 136.2 * 1024**2 * 113.8 / 1e9,
}

# %% tags=["check"] name="check-your-speed"
lk.check("ch04-your-speed", your_speed)

# %% [markdown] name="remember"
# ## What to remember
#
# - A quantized weight is a code, a small whole number. Weight ≈ scale × code, with one scale for a block.
# - The scale counts: Q4_0 takes 4.5 bits per weight and Q8_0 8.5.
# - Each bit fewer doubles the error of the weights, roughly. What that does to the answers has to be measured.
# - Writing gets faster where reading the weights takes most of the time. A prompt may be processed faster or more slowly.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: blocks with an offset, better use of the same bits, what else is rounded, and the other myths.

# %% [markdown] name="offset-intro"
# ### An offset: Q4_1
#
# Q4_0 spends marks on a side where there may be nothing. Q4_1 stores the smallest weight of the block besides the scale,
# both as F16, and counts the marks from there: weight ≈ smallest + scale × code. This offset costs 16 bits more for a block, so 5 bits per weight.
# (Other formats store a **zero point** for the same purpose: the code that stands for 0.) And larger blocks? They save bits, but one
# large weight then spoils the ruler of more neighbours.
#
# ### Better use of the same bits
#
# Q4_K takes 4.5 bits per weight, as Q4_0 does. It puts 256 weights into a block, divides it into eight small ones with an offset each, and
# quantizes the small blocks' scales and offsets too. IQ4_NL has blocks as Q4_0 has, but uneven steps, closer together around 0. Compare
# the errors: which formats do better than one that takes more bits?

# %% name="same-bits"
lk.quant_errors(weights, ["Q5_0", "Q4_1", "Q4_K", "IQ4_NL", "Q4_0"])

# %% [markdown] name="methods-intro"
# Other methods use the bits better in other ways. Some look at sample text first, to learn which weights matter.

# %% name="methods"
lk.facts_table("quantization_methods")

# %% [markdown] name="weights-only"
# ### Besides the weights
#
# All this is about weights. The numbers that flow through the model, the **activations**, are another matter: they differ from
# token to token, so they can't be rounded beforehand. On a processor, llama.cpp rounds them to 8 bits on the fly. The KV cache, the model's notes on
# the text, can be stored with fewer bits too: chapter 6 measures it.

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(4, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# The last cell removes the twins from your disk.

# %% name="close"
print(lk.forget_twins())
