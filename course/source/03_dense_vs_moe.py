# ---
# chapter: 3
# objectives:
#   - say what an expert and a router are, and what a token does with them
#   - compute the total and the active parameters of a mixture of experts from its published numbers
#   - predict its memory from the total and its speed from the active part, and check both on your machine
# insight: >
#   A mixture of experts needs memory for all its parameters, and time for the active ones only. Its two
#   numbers answer two questions: does it fit, and how fast is it?
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Five words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model writes one token after another.
# - **parameter** or **weight**: one of the numbers inside a model that training produced.
# - **layer**: one of the equal steps that a token goes through, one after another.
# - **prompt**: the text that you give a model to read before it writes.
# - **prompt processing** and **generation**: reading the prompt, and writing the answer. Both are counted in tokens/s.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# A mixture of experts has 418 million parameters, of which a token uses 132 million. Next to it stand two ordinary models:
# a large one with 418 million parameters, and a small one with 132 million. Both use all of theirs for every token.
#
# Commit to two answers before you measure.

# %% name="predict-memory"
lk.predict(
    "ch03-memory",
    "Which of the two takes about as much memory as the mixture?",
    options=["the small one", "the large one"],
)

# %% name="predict-speed"
lk.predict(
    "ch03-speed",
    "How many times as fast as the large one will the mixture write?",
    unit="times",
)

# %% [markdown] name="dense-intro"
# ## Dense: every token uses everything
#
# A layer of a language model has two parts. **Attention** lets a token look at the tokens before it. The
# **feed-forward block** then works on the token by itself. Most parameters sit in the feed-forward blocks.
#
# In a **dense** model every token is multiplied by every one of these numbers, layer by layer. So to write one token, the
# computer reads all the weights from memory, once.

# %% [markdown] name="moe-intro"
# ## A mixture: every token uses some of it
#
# A **mixture of experts** (MoE) has several feed-forward blocks in each layer. Each is called an **expert**. In front of them sits a
# small **router**. For each token it gives every expert a score, picks the best few, and mixes what they compute.
#
# - **Total parameters**: all that is in the file.
# - **Active parameters**: those that one token uses. Of the experts, only the ones picked count. Attention counts whole, and so
#   does the **embedding**, the table that turns a token into numbers.
#
# Names such as "30B-A3B" give both: 30 billion in all, 3 billion active.

# %% [markdown] name="trio-intro"
# ## Three models that differ in one thing
#
# To compare fairly, the three models below have the same layers and the same attention. The large dense model has one
# feed-forward block of eight times an expert's size, the mixture has eight experts and uses two, and the small dense model
# has one block of twice an expert's size.

# %% name="trio"
lk.moe_trio()

# %% [markdown] name="count-intro"
# Where do 418 and 132 million come from? In these models, one expert is three matrices of 1,024 × 1,408 numbers, in each of
# 11 layers. Everything else, above all attention and the embedding, is 37.3 million numbers, and every token uses them.
#
# And what is that in memory? Here a number takes 8.5 **bits**, and a **byte** has 8 bits. A MiB is 1024² bytes, a GiB is 1024³:
#
# > GiB = parameters × bits / 8 / 1024³

# %% name="count"
expert = 3 * 1024 * 1408 * 11
rest = 37.3e6
total = rest + 8 * expert
active = rest + 2 * expert
print(f"one expert, all layers: {expert / 1e6:.1f} million")
print(f"total:  37.3 + 8 × {expert / 1e6:.1f} = {total / 1e6:.0f} million")
print(f"active: 37.3 + 2 × {expert / 1e6:.1f} = {active / 1e6:.0f} million, {active / total:.1%}")
print(f"memory of all weights: {total * 8.5 / 8 / 1024**3:.3f} GiB")

# %% [markdown] name="twins-intro"
# ## Measure
#
# Nobody trained these three. They are **twins**: files with the architecture of a model and random numbers as weights.
# What they write is noise. But speed and memory depend on how many numbers are read, not on their values, so those
# are real.
#
# The next cell writes the twins (about 1 GB on disk, removed at the end) and measures them in turns, so that a
# disturbance hits all three. It takes about half a minute. A comparison comes with a **95 % interval**: a range made by a
# method that catches the true ratio 19 times out of 20.

# %% name="measure" tags=["measure"]
result = lk.compare_twins()
result

# %% name="chart"
lk.trio_chart(result)

# %% [markdown] name="compare-intro"
# Now your predictions. What counts is what your machine did, and the sentences under the table say what that was.

# %% name="compare-memory"
lk.compare_prediction("ch03-memory", result.like_in_memory)

# %% name="compare-speed"
lk.compare_prediction("ch03-speed", result.faster_than_large.median, unit="times")

# %% [markdown] name="routing-intro"
# ## Who picks which expert, and when
#
# Couldn't one keep only the two active experts in memory? Watch the router of the mixture at work, in three of its 11 layers.
# In the picture, each column is one of 64 tokens, and a dot marks an expert that it used.

# %% name="routing"
routing = lk.watch_experts(lk.trio_file("moe"))
lk.routing_chart(routing)

# %% [markdown] name="routing-count-intro"
# One token uses 2 of 8 experts in each layer. But which two depends on the token *and* on the layer. So count the
# experts that were used at least once. The last column is arithmetic: what it would be if every expert were equally likely.

# %% name="routing-count"
routing

# %% [markdown] name="routing-note"
# That is why all experts must be ready, even though most of them rest at any moment. It is also why a prompt is another
# matter than writing: its tokens go through together, and together they use nearly all experts.
#
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong.

# %% name="myths"
lk.myths(3)

# %% [markdown] name="myth-memory-intro"
# Your measurement just refuted the first one. If only the active parameters had to be in memory, the first line would
# say 1.00.

# %% name="myth-memory"
print(f"mixture / small dense model, memory: {result.memory_over_small:.2f}")
print(f"mixture / large dense model, memory: {result.memory_over_large:.2f}")

# %% name="quiz-moe"
lk.quiz("ch03-moe")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="mixtral-card"
lk.exercise("ch03-mixtral")

# %% tags=["answer"] name="ch03-mixtral"
# BEGIN STUB
# mixtral = {
#     "total_billions": None,
#     "active_billions": None,
#     "active_percent": None,
#     "weights_gib": None,
# }
# END STUB
expert = 3 * 4096 * 14336
total = 1.606e9 + 32 * 8 * expert
active = 1.606e9 + 32 * 2 * expert
mixtral = {
    "total_billions": total / 1e9,
    "active_billions": active / 1e9,
    "active_percent": 100 * active / total,
    "weights_gib": total * 4.87 / 8 / 2**30,
}

# %% tags=["check"] name="check-mixtral"
lk.check("ch03-mixtral", mixtral)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the
# answer cell.

# %% name="record" tags=["measure"]
print(result.record())

# %% name="your-trio-card"
lk.exercise("ch03-your-trio")

# %% tags=["answer"] name="ch03-your-trio"
# BEGIN STUB
# your_trio = {
#     "record": "paste the line here",
#     "speed_ratio": None,
#     "memory_ratio": None,
# }
# END STUB
record = "small 152.1 tok/s 148.2 MiB; moe 160.4 tok/s 431.0 MiB; "
record += "large 55.9 tok/s 430.6 MiB; 6 rounds; 2026-11-22"
your_trio = {
    "record": record,
    "speed_ratio": 160.4 / 55.9,
    "memory_ratio": 431.0 / 148.2,
}

# %% tags=["check"] name="check-your-trio"
lk.check("ch03-your-trio", your_trio)

# %% [markdown] name="remember"
# ## What to remember
#
# - Two numbers describe a mixture of experts. The total says whether it fits; the active part says how fast it writes.
# - All experts must be in memory, since the router picks others for each token and in each layer.
# - The active share is larger than "2 of 8": attention and embeddings are used by every token.
# - A prompt uses nearly all experts, so the gain in speed is largest when the model writes.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: real mixtures and their active shares, the router's arithmetic, experts in
# system memory, and the other myths.

# %% [markdown] name="real-intro"
# ### Real mixtures
#
# Computed from each model's published configuration. Many newer ones have more and smaller experts, and a smaller active share.

# %% name="real"
lk.mixtures_table()

# %% [markdown] name="router-intro"
# ### What the router computes
#
# The router is one small matrix per layer. Times the token's vector, it gives one score per expert. The best *k* scores become
# weights that add up to 1, and the layer's result is the weighted sum of those experts' results. Some models, such as
# DeepSeek's and Qwen1.5-MoE, also have *shared experts* that every token uses.
#
# ### Experts in system memory
#
# A graphics card (GPU) often has less memory than the computer. Since a token reads only some experts, it can pay to keep attention on the
# card and the experts in system memory. llama.cpp, the program that runs the models of this course, has options for that: `--cpu-moe` for all layers, `--n-cpu-moe N` for N.
# The total still has to fit, in both memories together.

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(3, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# The last cell removes the twins from your disk.

# %% name="close"
print(lk.forget_twins())
