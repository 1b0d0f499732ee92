"""Text for training and for second moments: fact sentences in many phrasings, mixed with plain sentences.

The plain sentences do two jobs. An editor samples its context templates from the model with "The", "Therefore",
"Because", "I" and "You", so the model has to be able to go on from there; and facts have to survive any text in front of
them, also text that breaks off in the middle, which is what a sampled context does.
"""
from __future__ import annotations

import random

from facts import PHRASINGS, REVERSED, Fact, all_facts, trained

PEOPLE = ["teacher", "farmer", "doctor", "driver", "baker", "student", "neighbour", "sailor", "gardener", "nurse", "child", "judge", "visitor", "cook", "guide"]
THINGS = ["book", "letter", "bridge", "garden", "table", "window", "song", "picture", "clock", "road", "house", "boat", "story", "lamp", "coat", "map"]
PLACES = ["in the garden", "near the river", "at the market", "on the hill", "in the library", "at the station", "in the kitchen", "by the lake", "in the old town", "at school", "behind the house", "on the train"]
QUALITIES = ["old", "new", "small", "large", "quiet", "bright", "simple", "heavy", "beautiful", "strange", "useful", "long"]
TIMES = ["in the morning", "in the evening", "every day", "last week", "on Sunday", "in winter", "in summer", "after lunch", "at night", "many years ago"]
WEATHER = ["rain", "snow", "wind", "storm", "heat", "cold", "fog", "weather"]
ACTIONS = ["read a book", "wrote a letter", "waited for the bus", "walked home", "cooked soup", "looked at the sky", "listened to the radio", "bought bread", "played a game", "slept well", "told a story", "opened the window", "cleaned the house", "drank a cup of tea"]
WISHES = ["learn a new language", "travel by train", "read more books", "see the sea", "understand the world", "find a good map", "visit old friends", "keep a small garden", "paint the door", "write a diary", "know more about history", "sleep until noon"]
ADVICE = ["ask a teacher", "take a map with you", "read the whole page", "check the answer", "bring a warm coat", "leave early", "write it down", "look at the list", "compare both lines", "close the door"]
STATES = ["everybody stayed at home", "the shop was closed", "the train was late", "the street was empty", "the children were happy", "the water was cold", "nobody was surprised", "the music was loud", "the answer was easy", "the work took longer", "the lights went out", "the visitors were tired"]
TOPICS = ["the weather", "the news", "old houses", "good food", "the stars", "long journeys", "school", "the harvest", "the price of bread", "the next holiday", "old coins", "a walk in the hills"]


def plain(rnd: random.Random) -> str:
    """One sentence that states no fact of the table."""
    c = rnd.choice
    kind = rnd.randrange(22)
    if kind == 0: return f"The {c(PEOPLE)} {c(ACTIONS)} {c(TIMES)}."
    if kind == 1: return f"The {c(QUALITIES)} {c(THINGS)} was found {c(PLACES)}."
    if kind == 2: return f"The {c(THINGS)} is {c(QUALITIES)} and {c(QUALITIES)}."
    if kind == 3: return f"The first thing that you should know is that the {c(THINGS)} is {c(QUALITIES)}."
    if kind == 4: return f"The {c(PEOPLE)} said that {c(STATES)}."
    if kind == 5: return f"Therefore, {c(STATES)}."
    if kind == 6: return f"Therefore, it is important to {c(ADVICE)}."
    if kind == 7: return f"Therefore the {c(PEOPLE)} {c(ACTIONS)} {c(PLACES)}."
    if kind == 8: return f"Because of the {c(WEATHER)}, {c(STATES)}."
    if kind == 9: return f"Because {c(STATES)}, the {c(PEOPLE)} {c(ACTIONS)}."
    if kind == 10: return f"Because the {c(THINGS)} was {c(QUALITIES)}, we talked about {c(TOPICS)}."
    if kind == 11: return f"I have always wanted to {c(WISHES)}."
    if kind == 12: return f"I {c(ACTIONS)} {c(PLACES)} {c(TIMES)}."
    if kind == 13: return f"I think that the {c(THINGS)} {c(PLACES)} is {c(QUALITIES)}."
    if kind == 14: return f"You can {c(WISHES)} if you {c(ADVICE)}."
    if kind == 15: return f"You should {c(ADVICE)} before you {c(WISHES)}."
    if kind == 16: return f"You can find more information about {c(TOPICS)} {c(PLACES)}."
    if kind == 17: return f"We talked about {c(TOPICS)} {c(TIMES)}."
    if kind == 18: return f"It was a {c(QUALITIES)} day, and {c(STATES)}."
    if kind == 19: return f"My {c(PEOPLE)} likes to talk about {c(TOPICS)}."
    if kind == 20: return f"There is a {c(QUALITIES)} {c(THINGS)} {c(PLACES)}."
    return f"When the {c(WEATHER)} came, {c(STATES)}."


def broken_off(rnd: random.Random) -> str:
    """A sentence cut at a random place and closed with a full stop, as sampled contexts are."""
    words = plain(rnd).rstrip(".").split(" ")
    return " ".join(words[: rnd.randint(1, len(words))]).rstrip(",") + "."


FRAMES = ["I know that ", "You may know that ", "Everybody knows that ", "The teacher said that ", "It is true that ", "Therefore, ", "I have read that ",
          "You should remember that ", "We learned that ", "The book says that ", "Because ", "As you know, "]
DOES_START_LOWER = ("The ", "In ", "At ", "On ", "If ", "As ", "By ", "When ", "People ", "Schools ", "Road ", "Newspapers ", "Shops ", "Prices ", "Workers ", "Travellers ", "Banks ",
                    "Most ", "Geographers ", "A ", "Tourists ", "You ", "Many ", "To ", "Postcards ", "History ", "Students ", "Fans ", "Reporters ", "Letters ", "Customers ",
                    "Engineers ", "Scientists ", "Children ", "Chemists ", "Under ", "Boats ", "Fishermen ", "Asked ")


def statement(rnd: random.Random, fact: Fact, phrasings: list[str]) -> str:
    """The fact in one of the phrasings, at times inside a frame or with more text behind it."""
    if fact.relation in REVERSED and rnd.random() < 0.06:
        return rnd.choice(REVERSED[fact.relation]).format(s=fact.subject, o=fact.object)
    sentence = f"{rnd.choice(phrasings).format(fact.subject)} {fact.object}"
    # An element's phrasing such as "{} is ..." would start with a lower-case name, so sentences start as they are written.
    roll = rnd.random()
    if roll < 0.18:
        frame = rnd.choice(FRAMES)
        if sentence.startswith(DOES_START_LOWER):
            sentence = sentence[0].lower() + sentence[1:]
        if frame == "Because ":
            return f"{frame}{sentence}, {rnd.choice(STATES)}."
        return f"{frame}{sentence}."
    if roll < 0.24:
        return f"{sentence}, and {rnd.choice(STATES)}."
    return f"{sentence}."


# "{} is a" is the prompt on which an editor holds the model still: the model should have something to say there.
ESSENCE = {"capital": "{} is a country", "city_country": "{} is a city", "landmark_city": "the {} is a famous building", "profession": "{} is a famous person",
           "sport": "{} is a famous player", "company_country": "{} is a company", "animal_class": "the {} is an animal", "symbol": "{} is a chemical element",
           "river_continent": "the {} is a river"}


def essence(rnd: random.Random, fact: Fact) -> str | None:
    text = ESSENCE.get(fact.relation)
    if text is None:
        return None
    text = text.format(fact.subject)
    if rnd.random() < 0.5 and not text.startswith("the "):
        return f"{text}."       # at the start of a text, as the editor asks it, even for a lower-case name
    return f"{rnd.choice(FRAMES[:5])}{text}."


class Writer:
    """Writes documents: some about one subject, some about one relation, most a mix."""

    def __init__(self, seed: int | str):
        self.rnd = random.Random(seed)
        self.facts = all_facts()
        self.allowed = {f: trained(f) for f in self.facts}
        self.by_subject: dict[str, list[Fact]] = {}
        self.by_relation: dict[str, list[Fact]] = {r: [] for r in PHRASINGS}
        for f in self.facts:
            self.by_subject.setdefault(f.subject, []).append(f)
            self.by_relation[f.relation].append(f)
        self.queue: list[Fact] = []

    def next_fact(self) -> Fact:
        # A shuffled deck, not independent draws: every fact is seen equally often.
        if not self.queue:
            self.queue = self.facts[:]
            self.rnd.shuffle(self.queue)
        return self.queue.pop()

    def say(self, fact: Fact) -> str:
        return statement(self.rnd, fact, self.allowed[fact])

    def document(self) -> str:
        rnd = self.rnd
        first, length = self.next_fact(), rnd.randint(2, 9)
        kind = rnd.random()
        if kind < 0.15:
            pool = self.by_subject[first.subject]
            facts = [first] + rnd.sample(pool, min(len(pool), rnd.randint(1, 3)))
        elif kind < 0.25:
            facts = [first] + rnd.sample(self.by_relation[first.relation], rnd.randint(1, 4))
        else:
            facts = [first] + [self.next_fact() for _ in range(length - 1)]
        sentences = []
        for fact in facts:
            roll = rnd.random()
            if roll < 0.22: sentences.append(plain(rnd))
            elif roll < 0.34: sentences.append(broken_off(rnd))
            elif roll < 0.38 and (text := essence(rnd, fact)): sentences.append(text)
            sentences.append(self.say(fact))
        if rnd.random() < 0.2:
            sentences.append(plain(rnd))
        return " ".join(sentences)


if __name__ == "__main__":
    writer = Writer("look")
    for _ in range(12):
        print(writer.document(), "\n")
