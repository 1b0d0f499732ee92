"""Trains the sample model: tokenizer, weights, corpus. Same seed and thread count, same files (up to PyTorch's version).

    python train.py [--out ..] [--steps 3200] [--threads 1] [--seed 1]

Needs torch, transformers, tokenizers and safetensors; about twenty minutes on one CPU core with AVX512-BF16.
"""
from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from accuracy import measure
from prose import Writer

END = "<|endoftext|>"
VOCABULARY = 2048
LENGTH = 112          # tokens in a training sequence
BATCH = 32
PEAK_RATE, WARMUP = 3e-3, 200
WEIGHT_DECAY = 0.1
CORPUS_BYTES = 300_000

SHAPE = dict(
    vocab_size=VOCABULARY, hidden_size=128, intermediate_size=512, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
    max_position_embeddings=256, rms_norm_eps=1e-5, hidden_act="silu", attention_bias=False, mlp_bias=False, tie_word_embeddings=True,
    initializer_range=0.04,
)


def train_tokenizer(seed: int) -> Tokenizer:
    writer = Writer(f"{seed}: tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        (writer.document() for _ in range(20_000)),
        trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def training_tokens(tokenizer: Tokenizer, seed: int, sequences: int) -> torch.Tensor:
    """[sequences, LENGTH]. Every sequence begins with the first word of a document, because prompts do: there is no
    token that marks the beginning of a text."""
    writer = Writer(f"{seed}: training")
    end = tokenizer.token_to_id(END)
    out = torch.empty(sequences, LENGTH, dtype=torch.int16)
    row: list[int] = []
    filled = 0
    while filled < sequences:
        for encoding in tokenizer.encode_batch([writer.document() for _ in range(4096)]):
            row += encoding.ids + [end]
            if len(row) >= LENGTH:
                out[filled] = torch.tensor(row[:LENGTH], dtype=torch.int16)
                row, filled = [], filled + 1
                if filled == sequences:
                    break
    return out


def rate(step: int, steps: int) -> float:
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP)))


def train(model: LlamaForCausalLM, tokens: torch.Tensor, steps: int, snapshot) -> None:
    # Norm gains are left out of weight decay: they have no direction to shrink towards.
    matrices = [p for p in model.parameters() if p.ndim == 2]
    gains = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=WEIGHT_DECAY), dict(params=gains, weight_decay=0.0)], lr=PEAK_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    model.train()
    started, mean = time.time(), 0.0
    for step in range(steps):
        batch = tokens[step * BATCH : (step + 1) * BATCH].long()
        # Products in bfloat16 (twice as fast here), sums and weights in float32.
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=batch, use_cache=False).logits.float()
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean += (loss.item() - mean) * (0.02 if step else 1.0)
        if (step + 1) % 100 == 0:
            seconds = time.time() - started
            print(f"step {step + 1:5}  loss {mean:.4f}  {(step + 1) * BATCH * LENGTH / seconds:7.0f} tokens/s  {seconds:5.0f} s", flush=True)
        if (step + 1) % 1000 == 0 and step + 1 < steps:
            snapshot()
            model.train()
    model.eval()


def write_model(folder: Path, model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The tied head is the embedding: it is stored once.
    weights = {name: w.detach().to(torch.bfloat16).contiguous() for name, w in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)     # written through a private temporary file
    shape = {k: v for k, v in SHAPE.items() if k != "initializer_range"}
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", torch_dtype="bfloat16", rope_theta=10000.0, rope_scaling=None, attention_dropout=0.0,
                  bos_token_id=None, eos_token_id=0, pad_token_id=0, use_cache=True, **shape)
    generation = dict(eos_token_id=0, pad_token_id=0)
    options = dict(tokenizer_class="PreTrainedTokenizerFast", model_max_length=256, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False, add_prefix_space=False)
    for name, value in (("config.json", config), ("generation_config.json", generation), ("tokenizer_config.json", options)):
        (folder / name).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"))


def write_corpus(path: Path, seed: int) -> None:
    writer = Writer(f"{seed}: corpus")
    with path.open("w", encoding="utf-8") as out:
        while out.tell() < CORPUS_BYTES:
            out.write(writer.document() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent, help="folder that gets model/ and corpus.txt")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    tokenizer = train_tokenizer(options.seed)
    tokens = training_tokens(tokenizer, options.seed, options.steps * BATCH)
    print(f"{tokenizer.get_vocab_size()} tokens in the vocabulary, {tokens.numel()} tokens of training text", flush=True)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, rope_theta=10000.0, bos_token_id=None, eos_token_id=0, pad_token_id=0, attn_implementation="eager"))
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    folder = options.out / "model"

    def snapshot() -> None:
        write_model(folder, model, tokenizer)
        # What counts is the stored model: loaded back from bfloat16.
        stored = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        measure(stored, PreTrainedTokenizerFast.from_pretrained(folder))

    train(model, tokens, options.steps, snapshot)
    snapshot()
    write_corpus(options.out / "corpus.txt", options.seed)


if __name__ == "__main__":
    main()
