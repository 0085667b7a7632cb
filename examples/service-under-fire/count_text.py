"""What a Python worker does with a document: count its words, sentences and most frequent terms."""

import re
from collections import Counter

TERMS = 10
# Unicode's White_Space, spelt out: \s means something else in JavaScript and in Python.
SPACE = "\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WORD = re.compile("[A-Za-z0-9]+")
# The last character of what ends a sentence: looking at one character keeps a long row of dots linear.
SENTENCE_END = re.compile("[.!?](?=[%s]|\\Z)" % SPACE)


def count_text(text):
    words = WORD.findall(text)
    counts = Counter(word.lower() for word in words)
    terms = sorted(counts.items(), key=lambda term: (-term[1], term[0]))[:TERMS]
    sentences = sum(1 for _ in SENTENCE_END.finditer(text))
    return {"words": len(words), "sentences": sentences, "terms": [list(term) for term in terms]}
