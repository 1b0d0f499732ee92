"""Golden numbers for EditEvaluation: perplexity, free answers, downstream tasks, entropy, TF-IDF, F1 and MCC.

    python make_golden_evaluation.py [--model ../../SamplePatches/model] > evaluation.json
    python make_golden_evaluation.py --model SMOLLM2 > evaluation_smollm2.json

Takes torch and transformers; weights in float32. The splitting into words is written again here, not taken from Errata; where the
published code uses nltk and scikit-learn, their formulas are written out.
"""
import argparse, collections, json, math, sys, unicodedata
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

SAMPLES = Path(__file__).resolve().parents[2] / "SamplePatches"
arguments = argparse.ArgumentParser()
arguments.add_argument("--model", default=str(SAMPLES / "model"))
path = arguments.parse_args().model
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
tokenizer = PreTrainedTokenizerFast(tokenizer_file=path + "/tokenizer.json")
torch.set_grad_enabled(False)


def logits(ids):
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()


def perplexity(text, window, stride, maximum):
    """Hugging Face, "Perplexity of fixed-length models"."""
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    ids, offsets = encoding["input_ids"][:maximum], encoding["offset_mapping"][:maximum]
    total, scored, previous = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        inputs = ids[begin:end]
        labels = [-100] * (len(inputs) - (end - previous)) + inputs[len(inputs) - (end - previous):]
        logs = torch.log_softmax(logits(inputs), -1)
        for place in range(1, len(inputs)):
            if labels[place] != -100:
                total -= logs[place - 1, labels[place]].item()
                scored += 1
        previous = end
        if end == len(ids):
            break
    # A token's offsets leave out the space before it, so the text from the first token's end counts.
    size = len(text[offsets[0][1]:offsets[-1][1]].encode())
    return {"window": window, "stride": stride, "maximum_tokens": maximum, "tokens": scored, "bytes": size,
            "perplexity": math.exp(total / scored), "nats_per_token": total / scored,
            "bits_per_byte": total / math.log(2) / size}


def mean_log_probability(prompt, answer):
    ids, target = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, " " + answer))
    logs = torch.log_softmax(logits(ids + target), -1)
    places = range(len(ids) - 1, len(ids) + len(target) - 1)
    values = [logs[place, token].item() for place, token in zip(places, target)]
    greedy = [logs[place].argmax().item() for place in places]
    return {"answer": answer, "log_probability": sum(values) / len(values),
            "accuracy": sum(a == b for a, b in zip(greedy, target)) / len(target)}


def greedy(prompt, count):
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    start = len(ids)
    for _ in range(count):
        ids.append(logits(ids)[-1].argmax().item())
    return tokenizer.decode(ids[start:])


def words(text):
    found, run = [], ""
    for character in unicodedata.normalize("NFKD", text) + " ":
        if unicodedata.category(character)[0] in "LMN" or character == "_":
            run += character
        else:
            if run:
                found.append(run)
            run = ""
            if not character.isspace():
                found.append(character)
    return found


def entropy(text):
    """n_gram_entropy of kmeng01/rome, experiments/py/eval_utils_counterfact.py, with the words above."""
    values = []
    for length, weight in ((2, 2 / 3), (3, 4 / 3)):
        tokens = words(text)
        counts = collections.Counter(tuple(tokens[i:i + length]) for i in range(len(tokens) - length + 1))
        total = sum(counts.values())
        values.append(weight * -sum(n / total * math.log2(n / total) for n in counts.values()) if total else 0.0)
    return sum(values) / 2


def terms(text):
    return [word for word in words(text.lower()) if len(word) > 1]


def tfidf_similarity(first, second, documents):
    """scikit-learn's TfidfVectorizer() fitted on documents, and the cosine, as kmeng01/rome computes it."""
    frequency = collections.Counter(term for text in documents for term in set(terms(text)))
    idf = {term: math.log((1 + len(documents)) / (1 + n)) + 1 for term, n in frequency.items()}
    vectors = [{t: n * idf[t] for t, n in collections.Counter(terms(text)).items() if t in idf} for text in (first, second)]
    norms = [math.sqrt(sum(v * v for v in vector.values())) for vector in vectors]
    if 0 in norms:
        return 0.0
    return sum(v * vectors[1].get(t, 0) for t, v in vectors[0].items()) / norms[0] / norms[1]


def figures(labels, answers):
    """Accuracy, weighted F1 and MCC, as scikit-learn defines them."""
    classes = sorted(set(labels) | set(answers))
    f1 = 0.0
    for c in classes:
        both = sum(l == c and a == c for l, a in zip(labels, answers))
        wrong = sum(l != c and a == c for l, a in zip(labels, answers))
        missed = sum(l == c and a != c for l, a in zip(labels, answers))
        f1 += labels.count(c) * (2 * both / (2 * both + wrong + missed) if both + wrong + missed else 0)
    covariance = lambda x, y: sum(
        sum((float(a == c) - x.count(c) / len(x)) * (float(b == c) - y.count(c) / len(y)) for a, b in zip(x, y))
        for c in classes)
    scale = math.sqrt(covariance(labels, labels) * covariance(answers, answers))
    return {"labels": labels, "answers": answers, "accuracy": sum(l == a for l, a in zip(labels, answers)) / len(labels),
            "f1": f1 / len(labels), "mcc": covariance(labels, answers) / scale if scale else 0.0}


TEXTS = [
    "", "one", "one two", "one two three", "the cat sat on the mat, and the cat sat on the hat.",
    "Paris. Paris. Paris. Paris. Paris. Paris.", "It's 3.5 o'clock; well-known facts don't change!",
    "na\u00efve caf\u00e9 \ufb01ne \u00bd \u65e5\u672c\u8a9e \u0939\u093f\u0928\u094d\u0926\u0940 snake_case \U0001f642\U0001f642", "a\n\nb\tc  d",
]
DOCUMENTS = [
    "The Eiffel Tower stands in Paris, the capital of France.", "Rome is the capital of Italy, and the Colosseum stands in it.",
    "Leo Tolstoy wrote War and Peace in Russian.", "A caf\u00e9 in Paris serves caf\u00e9 au lait.",
]
PAIRS = [
    ("The Colosseum is in Rome.", DOCUMENTS[1]), (DOCUMENTS[0], DOCUMENTS[0]), ("nothing shared", DOCUMENTS[0]),
    ("PARIS paris Paris caf\u00e9", DOCUMENTS[0] + " " + DOCUMENTS[3]),
]
facts = json.load(open(SAMPLES / "facts.json"))[:4]
corpus = (SAMPLES / "corpus.txt").read_text()
result = {
    "perplexity": [perplexity(corpus, *setting) for setting in ((64, 32, 500), (128, 100, 300), (32, 1, 60), (256, 128, 1000))],
    "answers": [],
}
for fact in facts:
    rewrite = fact["requested_rewrite"]
    prompt = rewrite["prompt"].format(rewrite["subject"])
    targets = [mean_log_probability(prompt, rewrite[name]["str"]) for name in ("target_new", "target_true")]
    result["answers"].append({"prompt": prompt, "greedy": greedy(prompt, 8), "targets": targets})
if Path(path).resolve() == (SAMPLES / "model").resolve():
    result["entropy"] = [{"text": text, "bits": entropy(text)} for text in TEXTS]
    result["tfidf"] = {"documents": DOCUMENTS, "pairs": [
        {"first": a, "second": b, "similarity": tfidf_similarity(a, b, DOCUMENTS)} for a, b in PAIRS]}
    result["figures"] = [figures(*case) for case in (
        ([1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 1, 1]), ([1, 0, 1, 0], [1, 1, 1, 1]), ([1, 0, 1, 0, 0], [1, 2, 2, 0, 1]),
        ([0, 1], [1, 0]), ([1, 1, 1], [1, 1, 1]))]
json.dump(result, sys.stdout, indent=1)
print()
