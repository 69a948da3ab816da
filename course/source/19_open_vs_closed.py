# ---
# chapter: 19
# objectives:
#   - say what you hold when you hold the weights of a model, and what you do not
#   - look up who may do what under which licence, with the clause and the date
#   - download an open-weight model, run it, and measure its speed and memory on your machine
#   - derive "open or closed" from your constraints, and say which one decided
# insight: >
#   Open weights give you control: you hold the file, and can pin, inspect, change and run it as far as its licence
#   allows. Closed models give you convenience and often the best quality. Neither is better. Your constraints decide.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Five words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model reads and writes tokens.
# - **weights** or **parameters**: the numbers inside a model that training produced.
# - **API**: the address of a service to which a program sends its requests.
# - **fine-tuning**: training a finished model a little further, on examples of your own.
# - **GGUF**: the file format in which this course keeps the weights.
#
# You need to write no code: run the cells, and change values where the text asks for it.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# You will run a model with 135 million parameters on this machine. Write your guess down before you measure.

# %% name="predict-speed"
lk.predict(
    "ch19-speed",
    "How many tokens per second will this machine write?",
    unit="tokens/s",
)

# %% [markdown] name="weights-intro"
# ## What you hold when you hold the weights
#
# A language model is two things: **code**, which says in what order to multiply, and **weights**, the numbers to multiply with.
# The code is short, and several free programs have it. The weights are the product of the training, and they are what a licence is about.
#
# - **Open weights**: you may download the file. What you may *do* with it, the licence says.
# - **Closed**: the file stays with its owner. You send text to a service, under its terms, and get text back.
#
# Get such a file. If it is already on this machine, nothing is downloaded.

# %% name="get-model"
file = lk.get_model()
file

# %% [markdown] name="sha-intro"
# The long number is the file's SHA-256, a fingerprint: change one bit of the file, and it is another number. The course compared it
# with the one in its list before it used the file. With a closed model there is nothing that you could compare.
#
# Now run it. All of this happens in this notebook's own process: no server, no account.

# %% name="run"
model = lk.load_model(file, context=1024)
answer = model.generate("What can I do with the weights of a language model?", max_tokens=80)
print(answer.text)

# %% [markdown] name="measure-intro"
# A model of this size writes fluently and is often wrong. It is here to be measured, not to be believed.
#
# ## Measure
#
# Two speeds matter, and they differ a lot. **Prompt processing** reads your text, many tokens at once. **Generation** writes
# the answer, one token after another. The next cell measures both in a fresh process, so that the memory reading is clean. It runs five times
# and shows the median, the middle one. If it says *Disturbed*, close other programs and run it again before you go on: the rest of the
# page builds on it. (Half a minute, or some minutes while other programs keep the processor busy.)

# %% name="measure" tags=["measure"]
result = lk.bench(file)
result

# %% name="compare"
lk.compare_prediction("ch19-speed", result.tg_tokens_per_s.median, unit="tokens/s")

# %% [markdown] name="ladder-intro"
# Compare the peak memory with the size of the file. Not only the weights are in memory: the program itself, what the model keeps of the text
# so far (the KV cache), and room for the computation come on top. *Reserved* memory counts only once it is used.
#
# ## The ladder of openness
#
# "Open" is not yes or no. Read from top to bottom: first you get the weights, then more rights, at last the code and the data. (The
# second row also takes something: business use.) SmolLM2, the small model that you just ran, stands on the last one.

# %% name="ladder"
lk.facts_table("openness_ladder")

# %% [markdown] name="ladder-note"
# Only from the last row could a skilled person build the model again. Weights that you may download are *open weights*. That is not
# yet *open source AI*, not even under a free licence: as the Open Source Initiative (OSI) defines it, that also needs the training code and
# enough information on the data.
#
# The *pocket* models of this course show what that takes. They are tiny, they know a made-up world only, and everything that made
# them is in this repository. Here they are held against two yardsticks: OSI's Open Source AI Definition (OSAID), and the Model Openness
# Framework (MOF), whose classes go from III, the least, to I, the most open. Unfold the components to see where each one lies.

# %% name="openness"
lk.openness()

# %% [markdown] name="explorer-intro"
# One class is not reached, and the table says what is missing. Expect as much candour of a [model card](../datasets/pocket/README.md).
#
# ## Who may do what: the licence explorer
#
# Pick a model and what you want to do with it. You get the verdict, the clause it rests on, the source, and the date
# on which we read it. This is a map for learning, not legal advice: before you ship, read the licence itself.

# %% name="explorer"
lk.licence_explorer()

# %% [markdown] name="explorer-tasks"
# Three things to try:
#
# 1. *Llama 3.1*, commercial product. Then enter 800 million monthly users. What changes?
# 2. *Command R+*: a commercial product, then passing the weights on unchanged. Which of the two is forbidden?
# 3. The three entries *Qwen2.5*, commercial product. The name is the same. Is the verdict the same?
#
# Keep the explorer open for the quiz: this is a look-up, not a memory test.

# %% name="quiz-licences"
lk.quiz("ch19-licences")

# %% [markdown] name="myths-intro"
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong or too simple.

# %% name="myths"
lk.myths(19)

# %% [markdown] name="myth-free-intro"
# **"Running a model is free once you have downloaded it."** Compute it, from the speed that you just measured. Put in your own electricity price
# and the watts that your machine draws under load. A laptop's power adapter has an upper limit printed on it. Is the result much? Scale it
# to a million tokens, and compare with the prices of hosted models under *Going further*.

# %% name="myth-free"
lk.electricity(result, tokens=200_000, watts=65, price_per_kwh=0.30)

# %% [markdown] name="myth-private-intro"
# **"With open weights no data leaves your machine."** True only if you run the model yourself, in a program that opens no connection. This cell
# generates a text and looks again and again for connections to the outside. A very short one could slip through: to be certain,
# switch the network off and run it again.

# %% name="myth-private"
lk.outside_connections(lambda: model.generate("Name three rivers.", max_tokens=30))

# %% [markdown] name="decide-intro"
# ## Decide: open or closed?
#
# State the constraints of a project that you know. First come hard exclusions: ways that cannot work. What is left is scored, and you see
# how much each point counts. The cost plot uses the speed that you measured.
#
# Three things to try: press *Decide*; set the network to *a phone or laptop in the field*; start over, and set the quality to *frontier*,
# which means the best there is. Notice the ways that are compared: *open or closed* and *hosted or local* are two independent questions.

# %% name="decide"
decision = lk.decision_exercise(result)
decision

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="three-and-three-card"
lk.exercise("ch19-three-and-three")

# %% tags=["answer"] name="ch19-three-and-three"
# BEGIN STUB
# three_and_three = {
#     "needs_open": {"?": "?"},  # three cards: {"X": "offline", "Y": "…", "Z": "…"}
#     "closed_is_fine": {"?": "?"},  # three cards
# }
# END STUB
three_and_three = {
    "needs_open": {"B": "offline", "D": "pinned", "H": "weights"},
    "closed_is_fine": {"A": "quality", "C": "volume", "G": "hardware"},
}

# %% tags=["check"] name="check-three-and-three"
lk.check("ch19-three-and-three", three_and_three)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the answer cell. Work it
# out first, with Python as the calculator if you like. Then compare with `lk.electricity`.

# %% name="record" tags=["measure"]
print(result.record())

# %% name="hours-and-cost-card"
lk.exercise("ch19-hours-and-cost")

# %% tags=["answer"] name="ch19-hours-and-cost"
# BEGIN STUB
# hours_and_cost = {
#     "record": "paste the line here",
#     "hours_for_a_million_tokens": None,
#     "electricity_cost": None,
# }
# END STUB
record = "tg 44.10,44.90,44.50 tok/s; pp 301.2,305.8,303.1 tok/s; peak 190.5 MiB; "
record += "smollm2-135m-instruct-q4_1 b179c9523d0e; 2026-11-22"
hours_and_cost = {
    "record": record,
    "hours_for_a_million_tokens": 6.24,
    "electricity_cost": 0.122,
}

# %% tags=["check"] name="check-hours-and-cost"
lk.check("ch19-hours-and-cost", hours_and_cost)

# %% [markdown] name="remember"
# ## What to remember
#
# - Weights are a file. Whoever holds it can pin it, inspect it, change it and run it offline. The licence says who *may*.
# - A licence belongs to one version of one model. Read the clause, note the date, and look again when the version changes.
# - Open weights are not open source AI: that also needs the training code and enough information on the data.
# - Local is not free, and hosted is not closed. Electricity and hardware cost money, and open models are sold hosted too.
# - Start from your constraints. Often a single one decides, and it is good to know which.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: a closer look at your measurement, what closed means, who is ahead, hosting the model
# yourself, the terminal, and the definitions. It ends with a second quiz.

# %% [markdown] name="header-intro"
# ### What the file says of itself
#
# A GGUF file begins with a header. *llama* names the way in which the layers are arranged; it says nothing about Meta's licence.

# %% name="header"
lk.read_gguf_header(file.path)

# %% [markdown] name="roofline-intro"
# ### How fast could it be at most?
#
# Each new token needs one pass over the weights, and they come from memory. So memory bandwidth divided by the bytes per
# token gives a ceiling. If you are far below it, something other than memory takes the time.

# %% name="roofline" tags=["measure"]
lk.roofline(result, lk.memory_bandwidth())

# %% [markdown] name="gpu-intro"
# With a graphics card, this shows what is in its memory, and who put it there.

# %% name="gpu" tags=["measure"]
lk.watch_gpu()

# %% [markdown] name="data-intro"
# ### What open data lets you do
#
# Ask a model with open weights why it says something, and nobody outside can answer. Where the data are open too, you can look up
# who taught it. The next cell writes the pocket models' training texts again from their seed, and finds those that state a fact.

# %% name="who-taught"
lk.who_taught("Which pet does Mira Vale have?")

# %% [markdown] name="without-intro"
# And if nobody had taught it? For two more models, trained alike, a few facts were left out of one model's texts. Both are asked now.

# %% name="without"
lk.with_and_without()

# %% [markdown] name="closed-intro"
# ### What closed means, and its exceptions
#
# A closed model comes as a service. Its terms normally allow commercial use. What they forbid is something else: training a competing model on
# the answers. Some rules of thumb about closed models have exceptions.

# %% name="closed"
lk.facts_table("closed_exceptions")

# %% name="fine-tuning"
lk.facts_table("fine_tuning_closed")

# %% [markdown] name="gap-intro"
# ### Are closed models better?
#
# In aggregate benchmarks, which average many tests, the best closed models lead. By how much depends on who counts, on what, and when.
# Each row is one published estimate. There is no single true number.

# %% name="gap"
lk.facts_table("capability_gap")

# %% [markdown] name="serve-intro"
# ### Host it yourself
#
# The same file behind the same kind of interface that closed models have: llama-cpp-python brings a server that speaks OpenAI's protocol. It
# listens on this machine only, answers one question, and stops.

# %% name="serve"
with lk.serve(file) as server:
    print(server.base_url)
    print(server.ask("What is a licence?"))

# %% [markdown] name="shell-intro"
# ### The same three steps in a terminal
#
# Download, run, watch. Commands in older texts often fail: `huggingface-cli` is gone, and `-ctx` was never an option of `llama-cli`.

# %% name="shell"
lk.facts_table("commands")

# %% [markdown] name="more-myths-intro"
# ### The other myths

# %% name="more-myths"
lk.myths(19, core=False)

# %% [markdown] name="definitions-intro"
# ### Open source AI, the Model Openness Framework, and the EU AI Act

# %% name="definitions"
lk.facts_table("definitions")

# %% name="eu-ai-act"
lk.facts_table("eu_ai_act")

# %% [markdown] name="prices-intro"
# ### The prices behind the cost plot
#
# Prices change often. Edit `datasets/prices.csv`, and the plot follows.

# %% name="prices"
lk.facts_table("prices")

# %% name="quiz-open-or-closed"
lk.quiz("ch19-open-or-closed")

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# JupyterLab keeps a notebook's process alive after you close its tab. The last cell gives the model's memory back.

# %% name="close"
print(lk.close_all_models())
