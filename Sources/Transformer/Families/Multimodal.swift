import Tensors

/// The text part of a model that takes images too: what its `text_config` describes. Prompts are text alone.
///
/// - Parameters:
///   - defaultType: the `model_type` of a `text_config` that names none.
///   - isTiedByDefault: whether the head is the embedding if neither part of the file says so.
private func describeText(
  _ configuration: Configuration, _ contains: Family.Contains, defaultType: String, isTiedByDefault: Bool
) throws -> Architecture {
  let text = try configuration.part("text_config", defaultType: defaultType)
  // The whole model's word counts; older files only have the part's.
  let isTied =
    try configuration.boolean("tie_word_embeddings", default: isTiedByDefault)
    || text.boolean("tie_word_embeddings", default: false)
  let filled = text.filled(with: textDefaults[text.modelType]?.objectValue ?? JSONObject())
  var architecture = try Family.architecture(filled.setting("tie_word_embeddings", to: .bool(isTied)), contains)
  architecture.family = configuration.modelType
  return architecture
}

func describeGemma3Multimodal(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeText(configuration, contains, defaultType: "gemma3_text", isTiedByDefault: true)
}

func describeGemma4Multimodal(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeText(configuration, contains, defaultType: "gemma4_text", isTiedByDefault: true)
}

func describeMistral3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeText(configuration, contains, defaultType: "mistral", isTiedByDefault: true)
}

func describeQwen25VL(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeText(configuration, contains, defaultType: "qwen2_5_vl_text", isTiedByDefault: false)
}

func describeQwen3VL(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeText(configuration, contains, defaultType: "qwen3_vl_text", isTiedByDefault: false)
}

/// What transformers takes for a field that a `text_config` leaves out, as those of released checkpoints do.
private let textDefaults: [String: JSON] = [
  "gemma3_text": [
    "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4,
  ],
  "gemma4_text": [
    "vocab_size": 262_144, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 30,
    "num_attention_heads": 8, "num_key_value_heads": 4,
  ],
  "mistral": [
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu",
  ],
  "ministral3": [
    "vocab_size": 131_072, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 34,
    "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu",
  ],
  "qwen2_5_vl_text": [
    "vocab_size": 152_064, "hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_act": "silu",
  ],
  "qwen3_vl_text": [
    "vocab_size": 151_936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_act": "silu",
  ],
]
