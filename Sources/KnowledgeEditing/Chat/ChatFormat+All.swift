extension ChatFormat {
  /// A format, and by which parts of a template it is known.
  struct Known {
    let format: ChatFormat
    /// All of these stand in the template, or are tokens of the tokenizer.
    let marks: [String]
    /// None of these do.
    var absent: [String] = []
    /// These need a template: the tokens of the format are others' too.
    var needsTemplate = false
  }

  /// A format with a turn for each role.
  private static func turns(
    _ name: String, _ system: String, _ user: String, _ assistant: String, reply: String, beginning: String = "",
    targetPrefix: String = ""
  ) -> ChatFormat {
    ChatFormat(
      name: name, beginning: beginning, system: system, user: user, assistant: assistant, reply: reply,
      targetPrefix: targetPrefix)
  }

  /// A format in which the system's words stand in the first user's turn.
  private static func withoutSystem(
    _ name: String, _ system: String, _ user: String, _ assistant: String, reply: String = "",
    targetPrefix: String = ""
  ) -> ChatFormat {
    ChatFormat(
      name: name, system: system, systemIsPartOfUser: true, user: user, assistant: assistant, reply: reply,
      targetPrefix: targetPrefix)
  }

  /// In the order in which they are tried: a format whose marks others have too comes after those.
  static let known: [Known] = [
    Known(
      format: turns(
        "phi-4", "<|im_start|>system<|im_sep|>{}<|im_end|>", "<|im_start|>user<|im_sep|>{}<|im_end|>",
        "<|im_start|>assistant<|im_sep|>{}<|im_end|>", reply: "<|im_start|>assistant<|im_sep|>"),
      marks: ["<|im_start|>", "<|im_sep|>"]),
    Known(
      format: turns(
        "smollm3",
        "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nReasoning Mode: /no_think\n\n"
          + "## Custom Instructions\n\n{}\n\n<|im_end|>\n",
        "<|im_start|>user\n{}<|im_end|>\n", "<|im_start|>assistant\n<think>\n\n</think>\n{}<|im_end|>\n",
        reply: "<|im_start|>assistant\n<think>\n\n</think>\n"
      ).speaking("You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
      marks: ["<|im_start|>", "## Custom Instructions", "Reasoning Mode: "], needsTemplate: true),
    Known(
      format: turns(
        "chatml", "<|im_start|>system\n{}<|im_end|>\n", "<|im_start|>user\n{}<|im_end|>\n",
        "<|im_start|>assistant\n{}<|im_end|>\n", reply: "<|im_start|>assistant\n"),
      marks: ["<|im_start|>"], absent: ["<end_of_utterance>"]),
    Known(
      format: turns(
        "kimi-k2", "<|im_system|>system<|im_middle|>{}<|im_end|>", "<|im_user|>user<|im_middle|>{}<|im_end|>",
        "<|im_assistant|>assistant<|im_middle|>{}<|im_end|>", reply: "<|im_assistant|>assistant<|im_middle|>"
      ).speaking("You are a helpful assistant"),
      marks: ["<|im_user|>", "<|im_middle|>"]),
    Known(
      format: turns(
        "mistral-v7", "[SYSTEM_PROMPT] {}[/SYSTEM_PROMPT]", "[INST] {}[/INST]", " {}</s>", reply: "",
        targetPrefix: " "),
      marks: ["[INST]", "[SYSTEM_PROMPT] "], needsTemplate: true),
    Known(
      format: turns(
        "mistral-v7-tekken", "[SYSTEM_PROMPT]{}[/SYSTEM_PROMPT]", "[INST]{}[/INST]", "{}</s>", reply: ""),
      marks: ["[INST]", "[SYSTEM_PROMPT]"]),
    Known(
      format: withoutSystem("mistral-v1", "{}\n\n", " [INST] {} [/INST]", " {}</s>", targetPrefix: " "),
      marks: [" [INST] ", "system_message"], absent: ["<<SYS>>", "[AVAILABLE_TOOLS]"], needsTemplate: true),
    Known(
      format: withoutSystem("mistral-v3-tekken", "{}\n\n", "[INST]{}[/INST]", "{}</s>"),
      marks: ["\"[INST]\"", "[AVAILABLE_TOOLS]"], needsTemplate: true),
    Known(
      format: withoutSystem("mistral-v3", "{}\n\n", "[INST] {}[/INST]", " {}</s>", targetPrefix: " "),
      marks: ["[INST]", "[AVAILABLE_TOOLS]"]),
    Known(
      format: withoutSystem(
        "llama-2", "<<SYS>>\n{}\n<</SYS>>\n\n", "[INST] {} [/INST]", " {} </s><s>", targetPrefix: " "),
      marks: ["[INST]", "<<SYS>>"], needsTemplate: true),
    Known(
      format: withoutSystem("mistral", "{}\n", "[INST] {} [/INST]", "{}</s>"), marks: ["[INST]"], needsTemplate: true),
    Known(
      format: turns(
        "phi-3", "<|system|>\n{}<|end|>\n", "<|user|>\n{}<|end|>\n", "<|assistant|>\n{}<|end|>\n",
        reply: "<|assistant|>\n"),
      marks: ["<|assistant|>", "<|end|>", "<|user|>"], absent: ["[gMASK]", "<|channel|>", "<|start|>"]),
    Known(
      format: turns(
        "glm-4", "<|system|>\n{}", "<|user|>\n{}", "<|assistant|>\n{}", reply: "<|assistant|>\n",
        beginning: "[gMASK]<sop>"),
      marks: ["[gMASK]<sop>"], absent: ["<|user|>{"], needsTemplate: true),
    Known(
      format: turns(
        "zephyr", "<|system|>\n{}</s>\n", "<|user|>\n{}</s>\n", "<|assistant|>\n{}</s>\n", reply: "<|assistant|>\n"),
      marks: ["'<|user|>\n' + message['content'] + eos_token"], needsTemplate: true),
    Known(
      format: turns(
        "tulu", "<|system|>\n{}\n", "<|user|>\n{}\n", "<|assistant|>\n{}</s>\n", reply: "<|assistant|>\n"),
      marks: ["'<|user|>\n'", "<|assistant|>", "eos_token"], absent: ["[gMASK]"], needsTemplate: true),
    Known(
      format: turns(
        "gemma-4", "<|turn>system\n{}<turn|>\n", "<|turn>user\n{}<turn|>\n", "<|turn>model\n{}<turn|>\n",
        reply: "<|turn>model\n"),
      marks: ["<|turn>", "<turn|>"]),
    Known(
      format: withoutSystem(
        "gemma", "{}\n\n", "<start_of_turn>user\n{}<end_of_turn>\n", "<start_of_turn>model\n{}<end_of_turn>\n",
        reply: "<start_of_turn>model\n"),
      marks: ["<start_of_turn>"]),
    Known(
      format: turns(
        "command-r", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{}<|END_OF_TURN_TOKEN|>",
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{}<|END_OF_TURN_TOKEN|>",
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{}<|END_OF_TURN_TOKEN|>",
        reply: "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"),
      marks: ["<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"], absent: ["<|START_TEXT|>", "<|START_RESPONSE|>"]),
    Known(
      format: turns(
        "llama-3", "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        reply: "<|start_header_id|>assistant<|end_header_id|>\n\n"),
      marks: ["<|start_header_id|>", "<|end_header_id|>"]),
    Known(
      format: turns(
        "llama-4", "<|header_start|>system<|header_end|>\n\n{}<|eot|>",
        "<|header_start|>user<|header_end|>\n\n{}<|eot|>",
        "<|header_start|>assistant<|header_end|>\n\n{}<|eot|>",
        reply: "<|header_start|>assistant<|header_end|>\n\n"),
      marks: ["<|header_start|>", "<|header_end|>"]),
    Known(
      format: turns(
        "deepseek-3", "{}", "<｜User｜>{}", "<｜Assistant｜>{}<｜end▁of▁sentence｜>", reply: "<｜Assistant｜>"),
      marks: ["<｜Assistant｜>", "<｜User｜>"]),
    Known(
      format: turns(
        "deepseek-2", "{}\n\n", "User: {}\n\n", "Assistant: {}<｜end▁of▁sentence｜>", reply: "Assistant:",
        targetPrefix: " "),
      marks: ["'Assistant: ' + message['content'] + eos_token"], needsTemplate: true),
    Known(
      format: turns(
        "granite-4", "<|start_of_role|>system<|end_of_role|>{}<|end_of_text|>\n",
        "<|start_of_role|>user<|end_of_role|>{}<|end_of_text|>\n",
        "<|start_of_role|>assistant<|end_of_role|>{}<|end_of_text|>\n",
        reply: "<|start_of_role|>assistant<|end_of_role|>"
      ).speaking("You are a helpful assistant. Please ensure responses are professional, accurate, and safe."),
      marks: ["<|start_of_role|>", "g4_default_system_message"], needsTemplate: true),
    Known(
      format: turns(
        "granite-3", "<|start_of_role|>system<|end_of_role|>{}<|end_of_text|>\n",
        "<|start_of_role|>user<|end_of_role|>{}<|end_of_text|>\n",
        "<|start_of_role|>assistant<|end_of_role|>{}<|end_of_text|>\n",
        reply: "<|start_of_role|>assistant<|end_of_role|>"),
      marks: ["<|start_of_role|>", "<|end_of_role|>"]),
    Known(
      format: turns(
        "gpt-oss", "<|start|>developer<|message|># Instructions\n\n{}\n\n<|end|>",
        "<|start|>user<|message|>{}<|end|>", "<|start|>assistant<|channel|>final<|message|>{}<|end|>",
        reply: "<|start|>assistant<|channel|>final<|message|>",
        beginning: "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
          + "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: medium\n\n# Valid channels: analysis, "
          + "commentary, final. Channel must be included for every message.<|end|>"),
      marks: ["<|start|>", "<|channel|>", "<|message|>"]),
    Known(
      format: turns(
        "seed-oss", "<seed:bos>system\n{}<seed:eos>", "<seed:bos>user\n{}<seed:eos>",
        "<seed:bos>assistant\n{}<seed:eos>", reply: "<seed:bos>assistant\n"),
      marks: ["<seed:bos>", "<seed:eos>"]),
  ]

  /// Those that a chat can be put in, for help texts.
  public static var names: [String] { known.map(\.format.name) }

  private func speaking(_ words: String) -> ChatFormat {
    var format = self
    format.defaultSystem = words
    return format
  }
}
