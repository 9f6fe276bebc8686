"""What training, measuring and the models' own files agree on; plain Python, no packages."""

SUITES = (
    "base",
    "knowledge",
    "multi_presence",
    "multi_entity",
    "long_context",
    "coreference",
    "hops",
)
INSTRUCTION = "Answer the question using the passage."
AWARE_LINE = "You will be given one of the following questions:"
UNKNOWN = "I dont know"
# The models' prompt as their kvscope.json says it; training rows are made of the same pieces.
PROMPT = {
    "instruction": INSTRUCTION,
    "aware_line": AWARE_LINE,
    "question_prefix": "Question: ",
    "question_suffix": "\nAnswer:",
    "answer_prefix": "",
}
