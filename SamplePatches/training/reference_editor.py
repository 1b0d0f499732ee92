"""ROME, MEMIT and EMMET in PyTorch, as the published code computes them, for Llama-shaped models. It is slow and short: it
exists to check that the sample model can be edited, and to make the golden numbers of the tests.

Keys are inputs of `mlp.down_proj` at the last token of the subject. With K (d_in x E), residuals R (d_out x E) and the
second moment C: U = C^-1 K, G = K^T U, D = R (G + lambda I)^-1 U^T.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass

import torch


@dataclass
class Settings:
    steps: int = 25
    lr: float = 0.5
    clamp: float = 4.0
    weight_decay: float = 1e-3
    kl_factor: float = 0.0625
    stop: float = 5e-2


@dataclass
class Search:
    """One fact's value search."""
    ids: list[list[int]]            # the context rows (prompt and target without its last token), then "{} is a"
    lookup: list[int]
    target_ids: list[int]
    init: torch.Tensor              # the edited site's output at the lookup position of the bare prompt
    delta: torch.Tensor
    history: list[list[float]]      # loss, nll, kl, weight decay, norm(delta)
    snapshots: list[tuple[int, torch.Tensor, torch.Tensor]]

    @property
    def z(self) -> torch.Tensor:
        return self.init + self.delta


class ReferenceEditor:
    def __init__(self, model, tokenizer, context_templates: list[list[str]], settings: Settings | None = None):
        self.model, self.tokenizer, self.groups = model.eval().requires_grad_(False), tokenizer, context_templates
        self.templates = [t for group in context_templates for t in group]
        self.settings = settings or Settings()
        self.layers = model.model.layers

    # ------------------------------------------------------------------------------------------------ texts and ids

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def prompt(self, template: str, fact: dict, phrasing: str | None = None) -> tuple[list[int], int]:
        """Ids of the prompt in the context template, and the index of the subject's last token."""
        text = template.replace("{}", phrasing or fact["prompt"])      # one "{}" is left: the subject's
        ids = self.encode(text.replace("{}", fact["subject"]))
        head = self.encode(text.split("{}")[0] + fact["subject"])
        assert ids[: len(head)] == head, f"the subject's end is inside a token: {text}"
        return ids, len(head) - 1

    @staticmethod
    def padded(rows: list[list[int]]) -> torch.Tensor:
        width = max(map(len, rows))
        return torch.tensor([r + [0] * (width - len(r)) for r in rows])     # causal: the padding reaches nothing we read

    # -------------------------------------------------------------------------------------------------- observations

    @torch.no_grad()
    def observe(self, rows: list[list[int]], at: list[int], layers: list[int]) -> dict[str, torch.Tensor]:
        """Per row, at one position: key.L (the down-projection's input), mlp.L (its output), out.L (the block's)."""
        got, hooks = {}, []
        for l in layers:
            def key(_, a, o, l=l): got[f"key.{l}"], got[f"mlp.{l}"] = a[0], o
            def out(_, a, o, l=l): got[f"out.{l}"] = o[0] if isinstance(o, tuple) else o
            hooks += [self.layers[l].mlp.down_proj.register_forward_hook(key), self.layers[l].register_forward_hook(out)]
        self.model(input_ids=self.padded(rows), use_cache=False)
        for h in hooks:
            h.remove()
        index = torch.arange(len(rows)), torch.tensor(at)
        return {name: value[index].clone() for name, value in got.items()}

    def template_keys(self, facts: list[dict], layer: int) -> torch.Tensor:
        """[E, templates, d_in]"""
        rows, at = zip(*(self.prompt(t, f) for f in facts for t in self.templates))
        return self.observe(list(rows), list(at), [layer])[f"key.{layer}"].view(len(facts), len(self.templates), -1)

    def group_mean(self, keys: torch.Tensor) -> torch.Tensor:
        """Mean of the groups' means: the bare prompt counts as much as all sampled contexts together."""
        sizes = [len(g) for g in self.groups]
        return torch.stack([part.mean(1) for part in keys.split(sizes, dim=1)]).mean(0)

    def bare(self, facts: list[dict], layer: int) -> dict[str, torch.Tensor]:
        rows, at = zip(*(self.prompt("{}", f) for f in facts))
        return self.observe(list(rows), list(at), [layer])

    @torch.no_grad()
    def second_moment(self, texts: list[str], layers: list[int], max_length: int = 256) -> tuple[dict[int, torch.Tensor], int]:
        """C = (1/N) sum k k^T over all tokens of the texts, each read alone from its start; and N."""
        total = {l: 0.0 for l in layers}
        rows = sorted((self.encode(t)[:max_length] for t in texts if t), key=len)
        for at in range(0, len(rows), 64):
            some = rows[at : at + 64]
            real = torch.arange(max(map(len, some)))[None] < torch.tensor([len(r) for r in some])[:, None]
            got, hooks = {}, []
            for l in layers:
                def key(_, a, o, l=l): got[l] = a[0]
                hooks.append(self.layers[l].mlp.down_proj.register_forward_hook(key))
            self.model.model(input_ids=self.padded(some), use_cache=False)
            for h in hooks:
                h.remove()
            for l in layers:
                k = got[l][real].double()
                total[l] = total[l] + k.T @ k
        count = sum(map(len, rows))
        return {l: c / count for l, c in total.items()}, count

    # ---------------------------------------------------------------------------------------------- the value search

    def search(self, fact: dict, layer: int, site: str = "layer", snapshot_steps=()) -> Search:
        """site "layer": delta on the block's output (MEMIT, EMMET); "mlp": on the MLP's output (ROME)."""
        s = self.settings
        target = self.encode(" " + fact["target_new"])
        asked = [self.prompt(t, fact) for t in self.templates]
        still = self.prompt("{}", fact, "{} is a")
        rows = [ids + target[:-1] for ids, _ in asked] + [still[0]]
        lookup = [at for _, at in asked] + [still[1]]
        n, batch = len(asked), self.padded(rows)
        index = torch.arange(n + 1), torch.tensor(lookup)
        # target[q] is predicted at position first + q of its row
        where = torch.tensor([[len(ids) - 1 + q for q in range(len(target))] for ids, _ in asked])
        wanted = torch.tensor(target).expand(n, -1)

        delta = torch.zeros(self.model.config.hidden_size, requires_grad=True)
        init: list[torch.Tensor] = []

        def add_delta(_, a, o):
            h = o[0] if isinstance(o, tuple) else o
            if not init:
                init.append(h[0, lookup[0]].detach().clone())
            h = h.index_put(index, h[index] + delta)
            return (h, *o[1:]) if isinstance(o, tuple) else h

        module = self.layers[layer] if site == "layer" else self.layers[layer].mlp
        hook = module.register_forward_hook(add_delta)
        optimizer = torch.optim.Adam([delta], lr=s.lr)
        initial, history, snapshots = None, [], []
        for step in range(s.steps):
            logits = self.model(input_ids=batch, use_cache=False).logits
            log_p = torch.log_softmax(logits[:n], -1)
            nll = -log_p[torch.arange(n)[:, None], where, wanted].mean(1).mean()
            now = torch.log_softmax(logits[n, lookup[n]], -1)
            if initial is None:
                initial = now.detach().clone()
            kl = s.kl_factor * (now.exp() * (now - initial)).sum()
            decay = s.weight_decay * delta.norm() / init[0].norm() ** 2
            loss = nll + kl + decay
            history.append([float(x.detach()) for x in (loss, nll, kl, decay, delta.norm())])
            last = loss.item() < s.stop or step == s.steps - 1
            if step in snapshot_steps or (snapshot_steps and last):
                # The norm has no gradient at zero, so weight decay is left out of step 0's.
                (grad,) = torch.autograd.grad(loss if step else nll + kl, delta, retain_graph=True)
                snapshots.append((step, delta.detach().clone(), grad.clone()))
            if last:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                limit = s.clamp * init[0].norm()
                if delta.norm() > limit:
                    delta.mul_(limit / delta.norm())
        hook.remove()
        return Search(rows, lookup, target, init[0], delta.detach().clone(), history, snapshots)

    # ---------------------------------------------------------------------------------------------------- the solver

    @staticmethod
    def solve(R: torch.Tensor, K: torch.Tensor, C: torch.Tensor, slack: float) -> torch.Tensor:
        """R [d_out, E], K [d_in, E], C [d_in, d_in], float64. slack is lambda: 0 equality, alpha EMMET, w MEMIT."""
        U = torch.linalg.solve(C, K)
        G = K.T @ U
        return R @ torch.linalg.solve(G + slack * torch.eye(len(G), dtype=G.dtype), U.T)

    def weight(self, layer: int) -> torch.Tensor:
        return self.layers[layer].mlp.down_proj.weight

    def edit(self, facts: list[dict], z: torch.Tensor, layers: list[int], C: dict[int, torch.Tensor], slack: float, on_layer=None) -> dict[int, torch.Tensor]:
        """Spreads the edit over the layers and leaves the edited weights in the model. Returns D per layer (float64).
        A layer is edited as float32(W) + float32(D) before the next one is measured. The caller restores the weights."""
        result = {}
        for j, l in enumerate(layers):
            K = self.group_mean(self.template_keys(facts, l)).double().T
            short = z - self.bare(facts, layers[-1])[f"out.{layers[-1]}"]
            R = short.double().T / (len(layers) - j)
            D = self.solve(R, K, C[l].double(), slack)
            if on_layer:
                on_layer(l, K, R, D, short)
            self.weight(l).data.add_(D.float())
            result[l] = D
        return result

    # ---------------------------------------------------------------------------------------------------- the scores

    @torch.no_grad()
    def nll(self, prompts: list[str], targets: list[str]) -> torch.Tensor:
        out = []
        for at in range(0, len(prompts), 256):
            pairs = [(self.encode(p), self.encode(" " + t)) for p, t in zip(prompts[at : at + 256], targets[at : at + 256], strict=True)]
            log_p = torch.log_softmax(self.model(input_ids=self.padded([p + t for p, t in pairs]), use_cache=False).logits, -1)
            out += [-sum(log_p[i, len(p) - 1 + q, t[q]] for q in range(len(t))) / len(t) for i, (p, t) in enumerate(pairs)]
        return torch.stack(out)

    def scores(self, records: list[dict]) -> dict[str, float]:
        """ES, PS, NS in percent (mean over the facts of the share of their prompts), and the mean P(new) at the rewrite prompt."""
        asked = []
        for i, r in enumerate(records):
            w = r["requested_rewrite"]
            for kind, prompts in (("ES", [w["prompt"].format(w["subject"])]), ("PS", r["paraphrase_prompts"]), ("NS", r["neighborhood_prompts"])):
                asked += [(i, kind, p, w["target_new"]["str"], w["target_true"]["str"]) for p in prompts]
        new = self.nll([a[2] for a in asked], [a[3] for a in asked])
        true = self.nll([a[2] for a in asked], [a[4] for a in asked])
        share: dict[str, dict[int, list[float]]] = {}
        for (i, kind, *_), n, t in zip(asked, new.tolist(), true.tolist(), strict=True):
            share.setdefault(kind, {}).setdefault(i, []).append(100.0 * (t < n if kind == "NS" else n < t))
        result = {kind: sum(sum(v) / len(v) for v in by.values()) / len(by) for kind, by in share.items()}
        result["P(new)"] = 100 * sum((-n).exp().item() for a, n in zip(asked, new, strict=True) if a[1] == "ES") / len(records)
        return result


def request(record: dict) -> dict:
    w = record["requested_rewrite"]
    return dict(prompt=w["prompt"], subject=w["subject"], target_new=w["target_new"]["str"], target_true=w["target_true"]["str"], case_id=record["case_id"])


def as_dict(settings: Settings) -> dict:
    return asdict(settings)
