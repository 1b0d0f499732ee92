#!/usr/bin/env python3
"""Writes chats.json: what the chat templates of published models make of three chats, by `transformers`.

usage: make_golden_chats.py FOLDER > chats.json

FOLDER holds a MODEL.jinja for each model below, its chat_template. The templates are other projects' and not kept here,
only what they write. Needs transformers and jinja2.
"""

import json
import sys
from pathlib import Path

from transformers.utils import chat_template_utils

EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
# Model, our format, bos_token, eos_token, and what of the template is its own.
MODELS = [
    ("SmolLM2-135M-Instruct", "chatml", "<|im_start|>", "<|im_end|>", {
        "default_system": "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}),
    ("Qwen2.5-7B-Instruct", "chatml", "", "<|im_end|>", {
        "default_system": "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."}),
    ("MiMo-VL", "chatml", "", "<|im_end|>", {
        "default_system": "You are MiMo, an AI assistant developed by Xiaomi."}),
    ("OpenHermes-2.5-Mistral-7B", "chatml", "", "<|im_end|>", {}),
    ("LFM2-8B-A1B", "chatml", "<|startoftext|>", "<|im_end|>", {}),
    ("Bielik-11B-v3.0-Instruct", "chatml", "<s>", "<|im_end|>", {}),
    ("Qwen3-0.6B", "chatml", "", "<|im_end|>", {"thought": EMPTY_THOUGHT}),
    ("Qwen3.5-4B", "chatml", "", "<|im_end|>", {"thought": EMPTY_THOUGHT}),
    ("QwQ-32B", "chatml", "", "<|im_end|>", {"thought": "<think>\n</think>"}),
    ("MiniCPM5-1B", "chatml", "<s>", "<|im_end|>", {"thought": EMPTY_THOUGHT}),
    ("SmolLM3-3B", "smollm3", "", "<|im_end|>", {}),
    ("phi-4", "phi-4", "", "<|im_end|>", {}),
    ("Phi-3-mini-4k-instruct", "phi-3", "<s>", "<|endoftext|>", {}),
    ("Phi-3.5-mini-instruct", "phi-3", "", "<|endoftext|>", {}),
    ("Llama-2-7b-chat-hf", "llama-2", "<s>", "</s>", {}),
    ("Meta-Llama-3-8B-Instruct", "llama-3", "<|begin_of_text|>", "<|eot_id|>", {}),
    ("Llama-3.1-8B-Instruct", "llama-3", "<|begin_of_text|>", "<|eot_id|>", {"preamble": DATES}),
    ("Llama-3.2-3B-Instruct", "llama-3", "<|begin_of_text|>", "<|eot_id|>", {"preamble": DATES}),
    ("Llama-3.3-70B-Instruct", "llama-3", "<|begin_of_text|>", "<|eot_id|>", {"preamble": DATES}),
    ("gemma-7b-it", "gemma", "<bos>", "<eos>", {}),
    ("gemma-2-2b-it", "gemma", "<bos>", "<eos>", {}),
    ("gemma-4-31B-it", "gemma-4", "<bos>", "<eos>", {"thought": "<|channel>thought\n<channel|>"}),
    ("Mistral-7B-Instruct-v0.2", "mistral", "<s>", "</s>", {}),
    ("Mistral-7B-Instruct-v1-template", "mistral-v1", "<s>", "</s>", {}),
    ("Mistral-Large-Instruct-2407", "mistral-v3", "<s>", "</s>", {}),
    ("Mistral-Nemo-Instruct-2407", "mistral-v3-tekken", "<s>", "</s>", {}),
    ("Mistral-Large-Instruct-2411", "mistral-v7", "<s>", "</s>", {}),
    ("DeepSeek-V2-Chat", "deepseek-2", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", {}),
    ("DeepSeek-V3.1", "deepseek-3", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", {"thought": "<think></think>"}),
    ("DeepSeek-R1-Distill-Qwen-32B", "deepseek-3", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", {
        "thought": "<think>\n</think>"}),
    ("gpt-oss-120b", "gpt-oss", "", "<|return|>", {}),
    ("zephyr-7b-beta", "zephyr", "", "</s>", {}),
    ("OLMo-2-1124-7B-Instruct", "tulu", "<|endoftext|>", "<|endoftext|>", {}),
    ("glm-4-9b-chat", "glm-4", "", "<|endoftext|>", {}),
    ("granite-3.0-8b-instruct", "granite-3", "", "<|end_of_text|>", {}),
    ("granite-4.0", "granite-4", "", "<|end_of_text|>", {}),
    ("c4ai-command-r-plus", "command-r", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", {}),
    ("Kimi-K2-Instruct", "kimi-k2", "", "<|im_end|>", {}),
    ("Seed-OSS-36B-Instruct", "seed-oss", "<seed:bos>", "<seed:eos>", {}),
]
SYSTEM = {"role": "system", "content": "Be brief."}
QUESTION = {"role": "user", "content": "Where is X?"}
ANSWER = {"role": "assistant", "content": "In Y."}
SECOND = {"role": "user", "content": "And Z?"}
CHATS = {"user": [QUESTION], "system": [SYSTEM, QUESTION], "second": [QUESTION, ANSWER, SECOND]}


def render(template, messages, bos, eos):
    """None if the template refuses the chat, as Gemma's does a system turn."""
    try:
        text = chat_template_utils.render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=True, enable_thinking=False,
            thinking=False, bos_token=bos, eos_token=eos)[0][0]
        # Phi 3's leaves it out.
        return text if messages[0] != SYSTEM or SYSTEM["content"] in text else None
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return None


def main():
    result = []
    for model, name, bos, eos, own in MODELS:
        template = (Path(sys.argv[1]) / f"{model}.jinja").read_text()
        writes_beginning = "bos_token" in template
        # A date of today would make another file every day: templates fall back on one, or take this.
        template = template.replace("strftime_now is defined", "false").replace("strftime_now(", "fixed_date(")
        template = "{%- macro fixed_date(format) -%}2025-06-28{%- endmacro -%}" + template
        chats = {chat: render(template, messages, bos, eos) for chat, messages in CHATS.items()}
        if name == "gpt-oss":
            # The template leaves the channel to the model; its answers stand in the final one.
            chats = {chat: text + "<|channel|>final<|message|>" for chat, text in chats.items()}
        if model == "DeepSeek-V3.1":
            # It has the empty thought before earlier replies too; ours have none, as in its kin.
            chats["second"] = None
        result.append({"model": model, "format": name, "beginning": bos, "end": eos, "writes_beginning": writes_beginning, **own, **chats})
    json.dump(result, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()
