# ---
# chapter: 0
# title: Understanding AI Models
# minutes: 10
# objectives_title: "On this page you:"
# objectives:
#   - see the twenty chapters and how far you are
#   - check that this machine is ready
#   - watch a language model do the one thing it does
# insight: >
#   A language model turns text into numbers and answers with a probability for every possible next
#   piece of text.
# ---

# %% [markdown] name="what"
# By the end of the course you read any model card, compute what a model needs before you download it, know what a benchmark score
# says and what a licence allows, and compare models with measurements taken on your own machine.

# %% [markdown] name="how-to"
# ## How to work with this page
#
# A grey box holds Python. Click into it and press **Shift + Enter**: it runs, the result appears below it,
# and the next box is selected. To run a whole page, choose *Run → Run All Cells* in the menu.
#
# You need to know what a Python variable and a function call are, and nothing about language models. Nothing here needs
# an account, a key or a graphics card. Every number you meet was measured on your machine, computed in
# front of you, or has a source and a date.

# %% name="start-page"
import labkit as lk

lk.start_page()

# %% [markdown] name="ready"
# {{written}}

# %% [markdown] name="check-intro"
# ## Is this machine ready?

# %% name="environment"
lk.environment_check()

# %% [markdown] name="five-minutes"
# ## What a language model does
#
# The course works with a small model, about 94 MiB on disk. The next cell fetches it, unless it is already here,
# and loads it into memory. Without a network you get a tiny stand-in with random weights. It says so, and it talks nonsense.

# %% name="load"
file = lk.get_model()
model = lk.load_model(file)
file

# %% [markdown] name="tokens-intro"
# ### 1. Text becomes tokens
#
# A model never sees letters. A *tokenizer* cuts the text into pieces from a fixed list, called **tokens**. A frequent word
# is one token, a rare one is several. The space before a word belongs to the token. Change the sentence and run the cell again.

# %% name="tokens"
sentence = "My favourite season is winter, because"
model.pieces(sentence)

# %% [markdown] name="numbers-intro"
# Each token is a number: its position in the list.

# %% name="numbers"
model.tokenize(sentence)

# %% [markdown] name="probabilities-intro"
# ### 2. Tokens become probabilities
#
# Each of these numbers picks a row of values. The model computes with those and with its **weights**: many millions of other
# numbers, fixed in training. Out comes one probability for every token in the list. These are the ten most probable next tokens.

# %% name="probabilities"
lk.next_token_chart(model, sentence)

# %% [markdown] name="loop-intro"
# ### 3. Pick one, append it, repeat
#
# To write a text, the program takes a token (here always the most probable one), puts it at the end, and asks again.
# One turn of this loop is what *tokens per second* counts.

# %% name="loop"
text = sentence
for _ in range(8):
    text += model.next_token(text)[0].piece
    print(text)

# %% [markdown] name="summary"
# That is all. A chat assistant is this loop with a conversation as its text. Whether the next token is *true* is not
# part of the calculation: the model knows only which token is probable.
#
# The last cell gives the memory back. Each chapter ends with one like it.

# %% name="close"
model.close()
