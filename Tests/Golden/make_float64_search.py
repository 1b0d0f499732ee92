"""The value search of fact 0 of smollm2_edits.json in binary64: losses per step, as smollm2_search_float64.json.

    python make_float64_search.py MODEL > smollm2_search_float64.json

Adam's first steps divide each gradient entry by its own size, so an entry near zero (the smallest of fact 0 is 2.5e-8)
turns rounding into a change of the loss in the third decimal. This search says what an exact computation finds.
"""
import json, os, sys
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
golden = json.load(open(f"{here}/smollm2_edits.json"))
initial = load_file(f"{here}/smollm2_edits.safetensors")["target_init.layer5"][0].double()
search, parameters = golden["z"]["layer5"][0], golden["hparams"]
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float64).eval()
model.requires_grad_(False)


def log_probabilities(tokens, position, delta):
    def add_delta(module, arguments, output):
        stream = output[0] if isinstance(output, tuple) else output
        stream = stream.index_put((torch.tensor([0]), torch.tensor([position])), (stream[0, position] + delta)[None])
        return (stream,) + tuple(output[1:]) if isinstance(output, tuple) else stream

    hook = model.model.layers[parameters["layer"]].register_forward_hook(add_delta)
    logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    hook.remove()
    return torch.log_softmax(logits, -1)


delta = torch.zeros_like(initial, requires_grad=True)
optimizer = torch.optim.Adam([delta], lr=parameters["lr"])
target, before, losses = search["target_ids"], None, []
*prompts, essence = zip(search["prompt_ids"], search["lookup"])
for step in range(parameters["steps"]):
    optimizer.zero_grad()
    likelihood = 0
    for tokens, position in prompts:
        rows = log_probabilities(tokens, position, delta)[len(tokens) - len(target):]
        likelihood -= sum(row[token] for row, token in zip(rows, target)) / len(target) / len(prompts)
    current = log_probabilities(*essence, delta)[essence[1]]
    before = current.detach() if before is None else before
    divergence = (current.exp() * (current - before)).sum()
    decay = parameters["weight_decay"] * delta.norm() / initial.norm() ** 2
    loss = likelihood + parameters["kl_factor"] * divergence + decay
    losses.append(loss.item())
    if loss.item() < parameters["stop"]:
        break
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        delta *= min(1.0, (parameters["clamp"] * initial.norm() / delta.norm()).item())
json.dump({"fact": 0, "losses": losses}, sys.stdout)
