"""A stand-in for a language model behind an OpenAI-compatible endpoint, on loopback.

It reads the prompts of `kvscope dataset generate --llm` and answers from a small grammar.  What it
answers depends on the request alone (its `seed` and its messages), so two runs get equal answers.
Faults: `faults` maps the ordinal of a request (from 0) to a fault of the protocol (HTTP_FAULTS);
`sloppy` is the share of answers that are wrong in one of the ways that models are.
"""
import http.server
import json
import math
import random
import re
import sys
import threading
import time

FIRST = "Marta Olaf Ingrid Pavel Teresa Hugo Leonie Anton Sigrid Tomas Vera Jonas".split()
LAST = "Olsen Novak Brandt Keller Moreau Silva Jansen Weber Kovac Rossi Dubois Larsen".split()
# attribute: (answer type, sentence, forward question, reverse question, values)
ATTRIBUTES = {
    "profession": ("Thing", "{s} earned a living as a {v}.", "What did {s} earn a living as?",
                   "Who earned a living as a {v}?",
                   "bell founder|kite maker|rope dancer|salt trader|lens grinder|map seller"),
    "pet": ("Creature", "A tame {v} belonged to {s}.", "Which tame animal belonged to {s}?",
            "Who owned a tame {v}?", "heron|badger|otter|raven|lynx|tortoise"),
    "collection": ("Numerals", "The shelves of {s} held {v} porcelain cups.",
                   "How many porcelain cups did the shelves of {s} hold?",
                   "Whose shelves held {v} porcelain cups?", "417|583|264|951|738|826"),
    "instrument": ("Thing", "In the evenings {s} played the {v}.",
                   "What did {s} play in the evenings?", "Who played the {v} in the evenings?",
                   "zither|bassoon|hurdy-gurdy|mandolin|oboe|accordion"),
    "fear": ("Thing", "Nothing frightened {s} more than {v}.", "What frightened {s} most?",
             "Whom did {v} frighten most?",
             "steep ladders|cold soup|loud thunder|closed lifts|deep wells|old mirrors"),
    "birthday": ("Dates/Times", "The birthday of {s} fell on {v}.",
                 "On which day did the birthday of {s} fall?", "Whose birthday fell on {v}?",
                 "3 March|14 April|21 June|9 August|27 October|5 December"),
    "prize": ("Thing", "A jury once gave {s} {v}.", "What did a jury once give {s}?",
              "To whom did a jury once give {v}?",
              "a silver spoon|an oak medal|a glass crown|a copper plate|a linen flag|an ivory pen"),
    "hobby": ("Thing", "On free days {s} liked {v}.", "What did {s} like on free days?",
              "Who liked {v} on free days?",
              "carving whistles|pressing ferns|racing snails|baking rye bread|flying drones|"
              "mending nets"),
}
FILLER = (
    "the weather stayed calm for most of the week and nobody had reason to complain|"
    "people spoke about it in low voices while the lamps were lit one after another|"
    "some of the neighbours remembered other times and shook their heads in wonder|"
    "a narrow path led down to the water and was used by almost everyone in summer|"
    "the letters that arrived were read twice and then put away without an answer|"
    "there was little to buy in those days and even less that was worth the price"
).split("|")
CONTENT_FAULTS = {
    "passage": ["prose", "broken", "cut", "short", "long", "stranger", "invented_fact", "no_list"],
    "questions": ["prose", "broken", "ungrounded", "wordy", "twice", "untagged", "one_way", "leak"],
}
HTTP_FAULTS = ["429", "500", "503", "drop", "short_body", "slow", "garbage", "no_choices",
               "no_content", "huge"]


def number(pattern, text, default=0):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else default


def sentence(words):
    return words[0].upper() + words[1:] + "."


def write_passage(ask, rng):
    """Passage, entities and facts as the prompt wants them."""
    low, high = map(int, re.search(r"It has (\d+) to (\d+) words", ask).groups())
    entity_count = max(number(r"subject first; at least (\d+)", ask), 1)
    chain = "whose value is the next one's name" in ask
    fact_count = number(r"at least (\d+) facts", ask)
    first, last = rng.sample(FIRST, entity_count), rng.sample(LAST, entity_count)
    names = [f"{a} {b}" for a, b in zip(first, last)]
    values = {k: rng.sample(v[4].split("|"), 6) for k, v in ATTRIBUTES.items()}
    facts, stated = [], []
    per_entity = max(3, -(-fact_count // entity_count))
    for i, name in enumerate(names):
        for attribute in list(ATTRIBUTES)[:per_entity]:
            value = values[attribute].pop()
            facts.append({"subject": name, "attribute": attribute, "value": value})
            stated.append(ATTRIBUTES[attribute][1].format(s=name, v=value))
        if chain and i + 1 < entity_count:
            facts.append({"subject": name, "attribute": "trusted friend", "value": names[i + 1]})
            stated.append(f"The trusted friend of {name} was {names[i + 1]}.")
    mentions = number(r"full name stands in the passage (\d+) to", ask)
    missing = max(0, mentions - sum(text.count(names[0]) for text in stated))
    stated += [f"Nobody was surprised when {names[0]} came home late."] * missing
    room = (low + high) // 2 - sum(len(s.split()) for s in stated)
    fillers = []
    while room > 8:
        words = rng.choice(FILLER).split()[:room]
        fillers.append(sentence(" ".join(words)))
        room -= len(words)
    texts = [(i / len(part), text) for part in (stated, fillers) for i, text in enumerate(part)]
    texts.sort(key=lambda placed: placed[0])  # both spread evenly
    entities = [{"name": name, "type": "person"} for name in names]
    return {"passage": " ".join(text for _, text in texts), "entities": entities, "facts": facts}


def ask_questions(ask, rng):
    listed = ask.split("Entities, the subject first:\n")[1].split("\n\n")[0].splitlines()
    entities = [json.loads(line.rsplit(" (", 1)[0]) for line in listed]
    listed = ask.split("\nFacts:\n")[1].split("\n\n")[0].splitlines()
    facts = [json.loads(line) for line in listed]
    facts = [fact for fact in facts if fact["attribute"] in ATTRIBUTES]
    rng.shuffle(facts)
    questions = []

    def add(text, answer, direction, answer_type, hop):
        if text not in ask and all(q["question"] != text for q in questions):
            questions.append({"question": text, "answer": answer, "direction": direction,
                              "answer_type": answer_type, "question_type": "Standard", "hop": hop})
            return 1
        return 0

    for hop, forward, reverse in re.findall(r"- hop (\d+): (\d+) forward, (\d+) reverse", ask):
        hop, left = int(hop), {"forward": int(forward), "reverse": int(reverse)}
        hops = "hop of a question" in ask
        for fact in facts:
            answer_type, _, direct, back, _ = ATTRIBUTES[fact["attribute"]]
            s, v = fact["subject"], fact["value"]
            if hops and entities.index(s) != hop:
                continue
            if hop > 0:
                direct = (f"What is the {fact['attribute']} of whom one reaches from {entities[0]} "
                          f"in {hop} steps along trusted friends?")
                back = f"Who reaches, in {hop} steps along trusted friends, the one with {v}?"
            if left["forward"] > 0:
                left["forward"] -= add(direct.format(s=s, v=v), v, "forward", answer_type, hop)
            if left["reverse"] > 0:
                left["reverse"] -= add(back.format(s=s, v=v), entities[0] if hop else s, "reverse",
                                       "Person", hop)
    return {"questions": questions}


def spoil(kind, fault, answer):
    """The answer's text and finish reason, wrong in the way that `fault` says."""
    if fault == "prose":
        return "I am sorry, I would rather write a poem about {braces}.", "stop"
    if fault == "broken":
        return json.dumps(answer)[:-1].replace('": ', '" ', 1) + "}", "stop"
    if fault == "cut":
        return json.dumps(answer)[:200], "length"
    if fault == "short":
        answer["passage"] = ". ".join(answer["passage"].split(". ")[:3]) + "."
    if fault == "long":
        answer["passage"] += (" " + sentence(FILLER[0])) * 90
    if fault == "stranger":
        answer["passage"] += " Some said that even Napoleon had slept there."
    if fault == "invented_fact":
        answer["facts"][0]["value"] = "a purple submarine"
    if fault == "no_list":
        del answer["entities"]
    questions = answer.get("questions", [])
    if fault == "ungrounded":
        for question in questions[:2]:
            question["answer"] = "a purple submarine"
    if fault == "wordy" and questions:
        questions[0]["answer"] = " ".join(["very"] * 40)
    if fault == "twice" and questions:
        questions.insert(1, dict(questions[0]))
    if fault == "untagged" and questions:
        questions[-1]["direction"] = "sideways"
    if fault == "one_way":
        answer["questions"] = [q for q in questions if q["direction"] == "forward"]
    if fault == "leak" and questions:
        questions[0]["question"] += f" Was it {questions[0]['answer']}?"
    return json.dumps(answer), "stop"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, headers=(), length=None):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        model = self.server.model
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with model.lock:
            ordinal = len(model.requests)
            model.requests.append((time.monotonic(), self.path, dict(self.headers), request))
        try:
            self.answer(model, ordinal, request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client did not wait
        if self.close_connection:
            self.connection.close()

    def answer(self, model, ordinal, request):
        if model.always:
            return self.reply(*model.always)
        while ordinal >= model.limit and not model.stop.is_set():
            time.sleep(0.01)
        fault = model.faults.get(ordinal)
        if fault in ("429", "500", "503"):
            headers = [("Retry-After", "2")] if fault == "429" else []
            error = {"error": {"message": f"come back later ({fault})"}}
            return self.reply(int(fault), json.dumps(error), headers)
        if fault == "drop":
            self.close_connection = True
            return None
        if fault == "slow":
            model.stop.wait(8)
        body = json.dumps(model.completion(request))
        if fault == "short_body":
            self.close_connection = True
            return self.reply(200, body[:50], length=len(body))
        bad = {"garbage": "<html>busy</html>", "no_choices": '{"choices": []}',
               "no_content": '{"choices": [{"message": {"content": null}}]}',
               "huge": '"' + "x" * (5 << 20) + '"'}
        return self.reply(200, bad.get(fault, body))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may hang up
            super().handle_error(request, address)


class StandIn:
    """A context manager; `url` is where it listens."""

    def __init__(self, faults=None, sloppy=0.0, limit=math.inf, always=None, poison=None):
        self.faults = faults or {}
        self.sloppy = sloppy
        self.limit = limit  # so many requests are answered; later ones wait until it is raised
        self.always = always  # (status, body[, headers]) for every request
        self.poison = poison  # the ordinal of a setting whose passages are always wrong
        self.settings = []
        self.requests = []
        self.faults_made = set()
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.model = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.stop.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def completion(self, request):
        ask = request["messages"][1]["content"]
        rng = random.Random(request["seed"])
        kind = "passage" if ask.startswith("Write a passage.") else "questions"
        answer = write_passage(ask, rng) if kind == "passage" else ask_questions(ask, rng)
        fault = rng.choice(CONTENT_FAULTS[kind]) if rng.random() < self.sloppy else None
        if kind == "passage" and self.poison is not None:
            setting = re.search(r"^It is about (.*)", ask, re.M).group(1)
            if setting not in self.settings:
                self.settings.append(setting)
            fault = "short" if self.settings.index(setting) == self.poison else fault
        if fault:
            self.faults_made.add((kind, fault))
        text, finish = spoil(kind, fault, answer)
        if fault is None:
            text = rng.choice([text, f"Here it is:\n```json\n{text}\n```\nGood luck!",
                               f"<think>{{is this right?}}</think>{text}"])
        return {"choices": [{"message": {"role": "assistant", "content": text},
                             "finish_reason": finish}],
                "usage": {"prompt_tokens": 100, "completion_tokens": len(text) // 4}}
