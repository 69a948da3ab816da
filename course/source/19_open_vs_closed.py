# ---
# chapter: 19
# objectives:
#   - say what you hold when you hold the weights of a model, and what you do not
#   - look up who may do what under which licence, with the clause and the date
#   - download an open-weight model, run it, and measure its speed and memory on your machine
#   - derive "open or closed" from your constraints, and say which one decided
# insight: >
#   Open weights give you control: the file is yours to pin, inspect, change and run. Closed models give you
#   convenience and often the best quality. Neither is better. Your constraints decide.
# ---

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# You will run a model with 135 million parameters on this machine. Commit to a number first: a guess that you wrote down
# teaches more than one that you remember kindly.

# %% name="predict-speed"
lk.predict(
    "ch19-speed",
    "How many tokens per second will this machine write?",
    unit="tokens/s",
)

# %% name="predict-licence"
lk.predict(
    "ch19-licence",
    "You want to sell a product that contains the model. Which of these licences rules that out?",
    options=["Llama 3.1 Community License", "CC BY-NC 4.0 (Command R+)", "Apache-2.0 (Mistral 7B)"],
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
# The long number is the file's SHA-256, a fingerprint: change one bit of the file, and it is another number. labkit compared it
# with the one in its catalogue before it used the file. With a closed model there is nothing that you could compare.
#
# The file begins with a header. It says what the model is made of.

# %% name="header"
lk.read_gguf_header(file.path)

# %% [markdown] name="run-intro"
# Now run it. All of this happens in this notebook's own process: no server, no account.

# %% name="run"
model = lk.load_model(file, context=1024)
answer = model.generate("What can I do with the weights of a language model?", max_tokens=80)
print(answer.text)

# %% [markdown] name="run-note"
# A model of this size writes fluently and is often wrong. It is here to be measured, not to be believed.
#
# ## Measure
#
# Two speeds matter, and they differ a lot. **Prompt processing** (pp) reads your text, many tokens at once. **Generation** (tg) writes
# the answer, one token after another. The next cell measures both in a fresh process, so that the memory reading is clean.

# %% name="measure" tags=["measure"]
result = lk.bench(file)
result

# %% name="compare"
lk.compare_prediction("ch19-speed", result.tg_tokens_per_s.median)

# %% [markdown] name="roofline-intro"
# Why this speed and not ten times more? To write one token, the processor reads nearly all weights from memory once. So memory bandwidth
# divided by the bytes per token gives a ceiling. The next cell measures this machine's bandwidth and says how close you came.

# %% name="roofline" tags=["measure"]
lk.roofline(result, lk.memory_bandwidth())

# %% name="gpu" tags=["measure"]
lk.watch_gpu()

# %% [markdown] name="ladder-intro"
# ## The ladder of openness
#
# "Open" is not yes or no. Read the ladder from the bottom: each rung gives you something that the one above it does not.

# %% name="ladder"
lk.facts_table("openness_ladder")

# %% [markdown] name="ladder-note"
# The last rung is the only one from which a skilled person could build the model again. Weights under a free licence are
# *open weights*. They are *open source AI*, by the definition of the Open Source Initiative, only together with the training code and sufficient
# information on the data.
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
# 1. *Llama 3.1*, commercial product. Then raise the monthly users past 700 million.
# 2. *Command R+*: a commercial product, then passing the weights on unchanged. Which of the two is forbidden?
# 3. *Qwen 2.5* in three sizes. The name is the same. Is the licence?

# %% name="compare-licence"
lk.compare_prediction("ch19-licence", "CC BY-NC 4.0 (Command R+)")

# %% name="quiz-licences"
lk.quiz("ch19-licences")

# %% [markdown] name="closed-intro"
# ## What closed means, and its exceptions
#
# A closed model comes as a service. Its terms normally allow commercial use. What they forbid is something else: training a competing model on
# the answers. Two statements that you will often read are wrong as a rule.

# %% name="closed"
lk.facts_table("closed_exceptions")

# %% [markdown] name="gap-intro"
# **Are closed models better?** In aggregate benchmarks the best closed models lead. By how much depends on who counts, on what, and when.
# Each row is one published estimate with its date. There is no single true number.

# %% name="gap"
lk.facts_table("capability_gap")

# %% [markdown] name="myths-intro"
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong.

# %% name="myths"
lk.myths(19)

# %% [markdown] name="myth-free-intro"
# **"After the download it is free."** Compute it, from the speed that you just measured. Put in your own electricity price and the watts that your
# machine draws under load (a laptop's power adapter has an upper limit printed on it).

# %% name="myth-free"
lk.electricity(result, tokens=200_000, watts=65, price_per_kwh=0.30)

# %% [markdown] name="myth-private-intro"
# **"Local means that nothing leaves the machine."** True only if the program that runs the model opens no connection. So look: this cell
# generates a text and lists every connection to the outside that this process opened meanwhile.

# %% name="myth-private"
lk.outside_connections(lambda: model.generate("Name three rivers.", max_tokens=30))

# %% [markdown] name="decide-intro"
# ## Decide: open or closed?
#
# State the constraints of a project that you know. First come hard exclusions: options that cannot work. Then the rest is compared, with the weights
# visible. Then you see which single change would turn the verdict. The cost plot uses the speed measured above.
#
# Notice the alternatives. *Open or closed* and *hosted or local* are two independent questions.

# %% name="decide"
decision = lk.decision_exercise(result)
decision

# %% name="quiz-open-or-closed"
lk.quiz("ch19-open-or-closed")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="three-and-three-card"
lk.exercise("ch19-three-and-three")

# %% tags=["answer"] name="ch19-three-and-three"
# BEGIN STUB
# three_and_three = {
#     "needs_open": {"?": "?", },
#     "closed_is_fine": {"?": "?", },
# }
# END STUB
three_and_three = {
    "needs_open": {"B": "offline", "D": "pinned", "H": "weights"},
    "closed_is_fine": {"A": "quality", "C": "volume", "G": "hardware"},
}

# %% tags=["check"] name="check-three-and-three"
lk.check("ch19-three-and-three", three_and_three)

# %% [markdown] name="record-intro"
# The second exercise needs your own measurement. The next cell prints it as one line of text, to be pasted into the answer cell.

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
    "electricity_cost": 0.12,
}

# %% tags=["check"] name="check-hours-and-cost"
lk.check("ch19-hours-and-cost", hours_and_cost)

# %% [markdown] name="remember"
# ## What to remember
#
# - Weights are a file. Whoever holds it can pin it, inspect it, change it and run it offline. The licence says who *may*.
# - A licence belongs to one version of one model. Read the clause, note the date, and look again when the version changes.
# - Open weights are not open source AI: that also needs the training code and sufficient information on the data.
# - Local is not free, and hosted is not closed. Electricity and hardware cost money, and open models are sold hosted too.
# - Start from your constraints. Often a single one decides, and it is good to know which.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it.

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

# %% [markdown] name="fine-tuning-intro"
# ### Fine-tuning a closed model
#
# It changes how a hosted model behaves without giving you its weights, and it ends when the vendor retires the base model.

# %% name="fine-tuning"
lk.facts_table("fine_tuning_closed")

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# JupyterLab keeps a notebook's process alive after you close its tab. The last cell gives the model's memory back.

# %% name="close"
lk.close_all_models()
