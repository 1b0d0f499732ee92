"""Writes facts.json: facts to edit, in CounterFact's schema, made from the fact table.

    python choose_edits.py [../facts.json]
"""
from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from facts import PHRASINGS, Fact, all_facts, held_out, trained
from prose import plain

# relation | subject | the false object
EDITS = """
landmark_country|Eiffel Tower|Italy
mother_tongue|Leo Tolstoy|French
sport|LeBron James|baseball
company_country|Microsoft|Japan
city_country|Osaka|the United States
landmark_country|Colosseum|Spain
landmark_country|Taj Mahal|China
landmark_country|White House|England
landmark_city|Louvre|Rome
landmark_city|British Museum|Berlin
mother_tongue|Jane Austen|Italian
mother_tongue|Claude Monet|German
profession|Ludwig van Beethoven|physicist
profession|Isaac Newton|painter
profession|Pablo Picasso|poet
birth_country|Miguel de Cervantes|England
birth_country|Albert Einstein|Russia
sport|Roger Federer|golf
sport|Lionel Messi|cricket
city_country|Munich|Spain
city_country|Seattle|Canada
continent|Japan|Africa
continent|Kenya|Europe
continent|Peru|Asia
language|Mexico|German
language|Egypt|French
currency|Finland|dollar
currency|Chile|euro
company_country|BMW|France
product|Nokia|cars
product|Ferrari|watches
headquarters|Nikon|Seoul
animal_class|dolphin|fish
animal_class|bat|bird
element_class|gold|noble gas
state|iron|gas
river_continent|Nile|South America
river_continent|Rhine|Asia
capital|France|Rome
capital|Egypt|Athens
"""


def record(case_id: int, fact: Fact, new: str, facts: list[Fact]) -> dict:
    rnd = random.Random(f"edit: {fact.relation}: {fact.subject}")
    phrasings = PHRASINGS[fact.relation]
    seen = [p for p in trained(fact) if p != phrasings[0]]

    def others(obj: str, count: int, phrase) -> list[str]:
        of = [f for f in facts if f.relation == fact.relation and f.object == obj and f.subject != fact.subject]
        return [phrase(f).format(f.subject) for f in rnd.sample(of, min(count, len(of)))]

    assert new != fact.object and any(f.relation == fact.relation and f.object == new for f in facts)
    return dict(
        case_id=case_id,
        requested_rewrite=dict(prompt=phrasings[0], relation_id=fact.relation, subject=fact.subject, target_new=dict(str=new), target_true=dict(str=fact.object)),
        # The first one in words that the model never saw with this subject.
        paraphrase_prompts=[held_out(fact)[0].format(fact.subject), plain(rnd) + " " + rnd.choice(seen).format(fact.subject)],
        # Neighbours: half in the words of the request, which is where an edit leaks most.
        neighborhood_prompts=others(fact.object, 10, lambda f: phrasings[0] if rnd.random() < 0.5 else rnd.choice(trained(f))),
        attribute_prompts=others(new, 5, lambda f: rnd.choice(trained(f))),
        generation_prompts=[p.format(fact.subject) for p in rnd.sample(seen, 3)],
    )


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "facts.json"
    facts = all_facts()
    known = {(f.relation, f.subject): f for f in facts}
    records = []
    for line in EDITS.strip().splitlines():
        relation, subject, new = line.split("|")
        records.append(record(len(records), known[relation, subject], new, facts))
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(records)} records, {sum(len(r['neighborhood_prompts']) for r in records)} neighbourhood prompts")


if __name__ == "__main__":
    main()
