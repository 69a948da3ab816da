# ---
# chapter: 17
# objectives:
#   - say how a tokenizer's list of pieces is learned, and do one step of it yourself
#   - count what a text takes in tokens, and say what that means for the context, the time and the price
#   - compare tokenizers and languages fairly, and know where cutting a text goes wrong
# insight: >
#   A model reads numbers, not letters. The tokenizer makes the numbers, and so it decides how much text fits
#   into the context, what it costs, and what the model can see at all.
# ---

# %% [markdown] name="before"
# You can start here: no other chapter is needed. Six words that you will meet:
#
# - **token**: a piece of text, often a word or part of one. A model reads and writes tokens, each as a number.
# - **tokenizer**: the program that cuts a text into tokens. Each family of models has its own.
# - **vocabulary**: the list of all pieces that a tokenizer knows.
# - **byte**: computers store text as bytes, numbers from 0 to 255. In **UTF-8**, the usual way to do so, an English letter
#   takes one byte, é or я two, क or 你 three.
# - **context**: the tokens that a model can look back on, question and answer together.
# - **prompt**: the text that you give a model to go on with.

# %% name="import"
import labkit as lk

# %% [markdown] name="predict-intro"
# ## Predict
#
# Twenty everyday sentences in English, such as *“The library is open every day except Monday”*, are 218 tokens for SmolLM2, a small
# model. The same twenty sentences exist in nine other languages. Commit to two answers before you count.

# %% name="predict-hindi"
lk.predict("ch17-hindi", "How many tokens do they take in Hindi?", unit="tokens")

# %% name="predict-vocabulary"
lk.predict(
    "ch17-vocabulary",
    "A tokenizer gets a larger vocabulary, learned from the same kind of text. Into how many tokens does it cut "
    "such a text then?",
    options=["more", "as many", "fewer"],
)

# %% [markdown] name="pieces-intro"
# ## A text in pieces
#
# Which tokenizers are here? The *pocket* models are tiny models that come with this course. Their vocabulary has 2,048
# pieces, and they have only seen simple English. SmolLM2 has 49,152. *Plain bytes* is no tokenizer at all: each byte counts as one
# token. Models that you have downloaded are added.

# %% name="tokenizers"
tokenizers = lk.tokenizers_here()
tokenizers

# %% [markdown] name="explorer-intro"
# Choose a text, or type one. Three things to try:
#
# 1. *a long word*: a frequent word is one token, a rare one is several. The space before a word belongs to it.
# 2. *numbers*: how many tokens is 1234567?
# 3. *Hindi*, or another language that you know. A dashed box holds less than a character.
#
# The cell below the form shows a number and a word of Hindi.

# %% name="explorer"
lk.token_explorer(tokenizers)

# %% name="number-and-hindi"
lk.show_tokens("1234567 नमस्ते", *tokenizers[1:])

# %% [markdown] name="merges-intro"
# ## Where the pieces come from
#
# Nobody writes the list. It is learned from texts, before the model itself is trained, mostly by **byte-pair encoding** (BPE):
#
# 1. Cut the text before each space, and where letters, digits and other signs meet. No merge reaches over such a cut. So a space can
#    be joined to the word after it, never to the word before it.
# 2. Start with single bytes. That makes 256 pieces.
# 3. Count which two neighbours stand side by side most often in the text.
# 4. Join these two wherever they stand: a new piece. That is one **merge**.
# 5. Go on with step 3 until the vocabulary is as large as you want.
#
# The next cell does this, a thousand times, with the English of this course's quizzes and myth checks. Watch the first merges.

# %% name="merges"
training = lk.watch_merges(n_merges=1000)
training

# %% [markdown] name="grow-intro"
# The same merges, in the same order, cut any other text. Here is a sentence that was not in the text learned from:

# %% name="grow"
training.grow("The library is open every day except Monday.")

# %% [markdown] name="curve-intro"
# Each merge makes the vocabulary larger by one piece, and some texts shorter. Which ones?

# %% name="curve"
lk.merge_chart(training)

# %% name="compare-vocabulary"
lk.compare_prediction("ch17-vocabulary", "fewer")

# %% [markdown] name="curve-note"
# Look at the line of Hindi. A thousand merges, and not one of them helps: no two bytes of a Hindi letter stood side by side in
# the text learned from. A vocabulary is good for the texts that it was learned from, and for texts like them.
#
# ## What a large vocabulary costs
#
# So why not a million pieces? For each one the model keeps a row of numbers, 576 in SmolLM2-135M. All rows together are the
# **embedding**. Its numbers are **parameters**, like all that training sets:

# %% name="embedding"
rows, width, parameters = 49_152, 576, 134_515_008
print(f"{rows:,} tokens × {width} numbers = {rows * width:,} parameters")
print(f"of {parameters:,} in all: {100 * rows * width / parameters:.0f} %")
print(f"with 262,144 tokens, as Gemma 3 has: {262_144 * width:,}, more than the whole model now")

# %% [markdown] name="kilobyte-intro"
# ## Measure
#
# Now count the tokens **per 1,000 bytes**, so that texts of different length can be compared. The texts in English,
# German, Hindi and Chinese are the twenty sentences. *Python code* is the program behind `watch_merges`.

# %% name="kilobyte"
lk.tokens_per_kilobyte(tokenizers)

# %% [markdown] name="languages-intro"
# Within one language that is a fair measure. Between languages it is not: the same sentence has more bytes in one script than in
# another, and fewer characters in Chinese than in English. What counts is *what is said*. So compare **parallel texts**: the same twenty
# sentences, in ten languages.
#
# Look at Hindi and Chinese in the table above. Which one seems more expensive? Then compare the tokens for all twenty sentences.
#
# A **95 % interval**, below the table, is a range made by a method that catches the true value 19 times out of 20.

# %% name="languages"
counts = lk.compare_languages(tokenizers)
counts

# %% name="compare-hindi"
lk.compare_prediction("ch17-hindi", counts.main.tokens["Hindi"], unit="tokens", counted=True)

# %% [markdown] name="chart-intro"
# Is Hindi a difficult language, then? Look at other tokenizers. The counts of Llama 3 and Gemma 3 were recorded with their published
# files, on the same sentences.

# %% name="chart"
lk.language_chart(counts)

# %% [markdown] name="budget-intro"
# It is the tokenizer. Is it the size of the vocabulary? Not alone: Qwen 3 has more pieces than Llama 3, and takes 1.8 times as many tokens
# for the Hindi sentences (*Going further* has both). The text that the pieces were learned from matters too.
#
# ## What you pay
#
# **Context.** SmolLM2 can look back on 8,192 tokens. What is said in them depends on the language:

# %% name="budget"
lk.text_budget(counts, context=8192)

# %% [markdown] name="price-intro"
# **Time.** A model writes token by token: twice as many tokens for the same answer take about twice as long. Reading a prompt is
# quicker, but each token costs work there too.
#
# **Money.** Hosted models are paid by the token. Two of them, with their own tokenizers and with dated prices:

# %% name="price"
lk.reading_price()

# %% [markdown] name="space-intro"
# ## And quality?
#
# A model knows tokens, so it matters *which* it gets. In its training texts a word comes as one token together with the space before
# it: `␣cats`. End your prompt with a space, and that space is a token of its own. A reader sees no difference.

# %% name="space-cut"
lk.show_tokens("Anna has 10 cats and a ", *tokenizers[1:])

# %% [markdown] name="space-measure-intro"
# Does it matter? The next cell lets pocket-base finish sentences about the small world that it was trained on. Each sentence comes twice:
# as it is, and with one space at the end. A reply that begins with the right word is right. (Some seconds, or a minute or two while
# other programs keep the processor busy.)

# %% name="space"
with lk.load_model("pocket-base", context=512) as model:
    spaces = lk.trailing_space(model)
spaces

# %% [markdown] name="space-note"
# The words are the same, and the tokens are not. Where else does a lone space stand in the training texts? Look at the boxes above: before
# a number. These tokenizers make each digit a token of its own, so the space before it stays alone. Where a reply goes on with a digit,
# that is the likely reason; for the other wrong replies we did not look for one. **Never end a prompt with a space**, unless you know
# that the model expects one.
#
# This is one effect on quality. Others are known and not measured here: how numbers are cut, and letters that the model can't see
# (*Going further* shows how both are cut, not what that does to answers).
#
# ## Myth check
#
# Five claims that change decisions. Each is widely repeated, and each is wrong or too simple.

# %% name="myths"
lk.myths(17)

# %% [markdown] name="myth-characters-intro"
# **“A token is about four characters”**, and **“Chinese has fewer characters in a token, so it takes that many more tokens.”** The
# second rule divides: characters in a token of English / characters in a token of Chinese. Below, the rule stands beside the count.
# (The myth's 2.5 is close to SmolLM2's count for Chinese by chance: see what the rule makes of SmolLM2's own characters.)

# %% name="myth-characters"
per_token = {}
for language in ("English", "German", "Hindi", "Chinese"):
    characters = sum(len(sentence) for sentence in lk.sentences_in(language))
    per_token[language] = characters / counts.main.tokens[language]
    rule = per_token["English"] / per_token[language]
    print(f"{language}: {per_token[language]:.2f} characters in a token;", end=" ")
    print(f"by the rule {rule:.1f} times English, counted {counts.ratio(language):.1f} times")

# %% name="quiz-tokenizers"
lk.quiz("ch17-tokenizers")

# %% [markdown] name="exercises-intro"
# ## Exercises
#
# Fill in the answer cell, run it, then run the check below it. You can try as often as you like.

# %% name="merge-step-card"
lk.exercise("ch17-merge-step")


# %% tags=["answer"] name="ch17-merge-step"
# BEGIN STUB
# def merge_step(tokens):
#     ...
# END STUB
def merge_step(tokens):
    pairs = list(zip(tokens, tokens[1:], strict=False))
    if not pairs:
        return tokens
    best = max(pairs, key=pairs.count)
    merged = []
    while tokens:
        n = 2 if tuple(tokens[:2]) == best else 1
        merged.append("".join(tokens[:n]))
        tokens = tokens[n:]
    return merged


# %% tags=["check"] name="check-merge-step"
lk.check("ch17-merge-step", merge_step)

# %% [markdown] name="own-intro"
# The second exercise is about your own text. Put two texts between the quotes: a paragraph of your own (at least 200 bytes, some
# three lines), and the same in another language. If you know no other, take program text that does what the paragraph says.

# %% name="own-texts" tags=["measure"]
first = """Put a paragraph of your own here."""
second = """Put the same in another language here."""
mine = lk.count_tokens(first, second, tokenizers)
print(mine.record())
mine

# %% name="your-texts-card"
lk.exercise("ch17-your-texts")

# %% tags=["answer"] name="ch17-your-texts"
# BEGIN STUB
# your_texts = {
#     "record": "paste the line here",
#     "tokens_per_1000_bytes": None,
#     "times_as_many": None,
#     "so_often_it_fits": None,
#     "price_usd": None,
# }
# END STUB
your_texts = {
    "record": "first 412 bytes 97 tokens; second 655 bytes 284 tokens; SmolLM2; 2026-11-22",
    "tokens_per_1000_bytes": 1000 * 97 / 412,
    "times_as_many": 284 / 97,
    "so_often_it_fits": 8192 / 284,
    "price_usd": 50_000 * 284 / 1_000_000 * 0.15,
}

# %% tags=["check"] name="check-your-texts"
lk.check("ch17-your-texts", your_texts)

# %% [markdown] name="remember"
# ## What to remember
#
# - A vocabulary is learned: the most frequent neighbours are joined, again and again. More merges, fewer tokens,
#   in texts like those.
# - It suits the texts that it was learned from. With SmolLM2's vocabulary the same sentences take 4.7 times as many tokens
#   in Hindi as in English, with Gemma 3's 1.1 times.
# - Tokens are what you pay with: context, time and price. So count *your* text with *that* model's tokenizer.
# - Compare languages on parallel texts, not by characters and not by bytes.
# - A model sees tokens, not letters. A space at the end of a prompt is enough to mislead it.

# %% [markdown] name="further" jp-MarkdownHeadingCollapsed=true
# ## Going further
#
# Folded, because the chapter is complete without it: more tokenizers, methods and libraries, digits and letters, markers, and the other
# myths.

# %% [markdown] name="recorded-intro"
# ### Six tokenizers on the same sentences
#
# The numbers in the columns of the languages say how many times as many tokens as English. More pieces do not always mean fewer
# tokens: Qwen 3 has more than Llama 3, and takes more for Hindi and Greek. The text that they were learned from matters too.

# %% name="recorded"
lk.recorded_table()

# %% [markdown] name="kinds-intro"
# ### Methods and libraries
#
# The *method* says how the pieces are learned. BPE joins frequent neighbours. *Unigram* goes the other way: it starts with many pieces and
# drops those that help least. *WordPiece* joins like BPE, but asks how much more often two pieces stand together than by
# chance. The *library* is the program. One library can know several methods.

# %% name="kinds"
lk.facts_table("tokenizer_kinds")

# %% [markdown] name="digits-intro"
# ### Digits and letters
#
# SmolLM2 and the pocket models cut a number into its digits. Llama 3's tokenizer takes up to three digits at once, from the left: 123456
# becomes `123`, `456`, but 1234567 becomes `123`, `456`, `7`, although 567 belong together. Letters are worse off. SmolLM2 gets
# *strawberry* as one number, and nothing in that number says how the word is spelt. (Of two spaces, the first is a token of its own.)

# %% name="digits"
lk.show_tokens("1234567 strawberry  strawberry", *tokenizers[1:])

# %% [markdown] name="own-training-intro"
# ### A vocabulary for another language
#
# Train on fifteen of the sentences in Hindi, and cut the other five, and English, with it. It stops before 300 merges, when each
# stretch between two cuts is one token. (The cuts are GPT-2's. They also separate Hindi's vowel signs from their letters.)

# %% name="own-training"
hindi = lk.sentences_in("Hindi")
in_hindi = lk.watch_merges("\n".join(hindi[:15]), n_merges=300)
print(f"merges: {len(in_hindi.bpe.merges)}")
others = {"other Hindi": "\n".join(hindi[15:]), "English": "\n".join(lk.sentences_in("English"))}
lk.merge_chart(in_hindi, others)

# %% [markdown] name="space-more-intro"
# ### The space, once more
#
# Is it only the pocket model? This is SmolLM2, with general knowledge. It cuts numbers into digits too. (Half a minute, or some
# minutes while other programs keep the processor busy.)

# %% name="space-more"
with lk.load_model(lk.get_model(), context=512) as model:
    general = lk.trailing_space(model)
general

# %% [markdown] name="markers-intro"
# ### Markers
#
# A vocabulary also has **markers**, such as `<|im_start|>`: tokens that stand for no text, and that say where a message begins. In a chat
# they come on top of your text. Chapter 16 shows them at work.
#
# ### The other myths

# %% name="more-myths"
lk.myths(17, core=False)

# %% [markdown] name="close-intro"
# ## The end of the chapter
#
# The last cell frees the models, if one is still open.

# %% name="close"
print(lk.close_all_models())
