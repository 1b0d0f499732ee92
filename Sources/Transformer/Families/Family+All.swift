extension Family {
  /// Every supported family: what `errata edit --help` and the README's table say.
  package static let all: [Family] = [
    Family(
      "llama", gguf: "llama", models: "Llama 1 to 3, SmolLM2, TinyLlama, Yi",
      uses: "RMS norm, rotary positions, grouped queries, gated SiLU: what the others differ from",
      describeLlama),
    Family(
      "mistral", gguf: "llama", models: "Mistral 7B, Nemo",
      uses: "a window",
      describeMistral),
    Family(
      "ministral", models: "Ministral 8B",
      uses: "a window in some layers",
      describeMinistral),
    Family(
      "ministral3", gguf: "mistral3", models: "Ministral 3",
      uses: "YaRN, queries that grow with the position",
      describeMinistral3),
    Family(
      "mistral3", modules: "model.language_model.", models: "Mistral Small 3.1 and later, the text part",
      uses: "`mistral` or `ministral3`",
      describeMistral3),
    Family(
      "qwen2", gguf: "qwen2", models: "Qwen2, Qwen2.5",
      uses: "biases of query, key and value; a window in the upper layers",
      describeQwen2),
    Family(
      "qwen3", gguf: "qwen3", models: "Qwen3",
      uses: "normalized queries and keys",
      describeQwen3),
    Family(
      "qwen2_5_vl", modules: "model.language_model.", models: "Qwen2.5-VL, the text part",
      uses: "`qwen2`",
      describeQwen25VL),
    Family(
      "qwen2_5_vl_text", gguf: "qwen2vl", models: "the same alone",
      uses: "`qwen2`",
      describeQwen25VLText),
    Family(
      "qwen3_vl", modules: "model.language_model.", models: "Qwen3-VL, the text part",
      uses: "`qwen3`",
      describeQwen3VL),
    Family(
      "qwen3_vl_text", gguf: "qwen3vl", models: "the same alone",
      uses: "`qwen3`",
      describeQwen3VLText),
    Family(
      "gemma", gguf: "gemma", models: "Gemma",
      uses: "scaled embeddings, gated GELU, norm weights less one",
      describeGemma),
    Family(
      "gemma2", gguf: "gemma2", models: "Gemma 2",
      uses: "norms around each branch, windows, bounded scores and logits",
      describeGemma2),
    Family(
      "gemma3", modules: "model.language_model.", models: "Gemma 3, the text part",
      uses: "`gemma3_text`",
      describeGemma3Multimodal),
    Family(
      "gemma3_text", gguf: "gemma3", models: "Gemma 3 1B, 270M",
      uses: "norms around each branch, normalized queries and keys, two rotations",
      describeGemma3),
    Family(
      "gemma4", modules: "model.language_model.", models: "Gemma 4, the text part",
      uses: "`gemma4_text`",
      describeGemma4Multimodal),
    Family(
      "gemma4_text", gguf: "gemma4", models: "Gemma 4, dense",
      uses: "per-layer inputs, two sizes of head, normalized values, shared keys and values",
      describeGemma4),
    Family(
      "phi", gguf: "phi2", models: "Phi-1 to Phi-2",
      uses: "layer norm, parallel branches, plain GELU, partial rotation, biases",
      describePhi),
    Family(
      "phi3", gguf: "phi3", models: "Phi-3, Phi-4",
      uses: "fused maps, LongRoPE, a window",
      describePhi3),
    Family(
      "olmo", gguf: "olmo", models: "OLMo",
      uses: "layer norm without weights, bounded queries, keys and values",
      describeOLMo),
    Family(
      "olmo2", gguf: "olmo2", models: "OLMo 2",
      uses: "norms behind each branch, queries and keys normalized as one",
      describeOLMo2),
    Family(
      "olmo3", gguf: "olmo2", models: "OLMo 3",
      uses: "`olmo2` with windows and two rotations",
      describeOLMo3),
    Family(
      "smollm3", gguf: "smollm3", models: "SmolLM3",
      uses: "layers without rotation",
      describeSmolLM3),
    Family(
      "granite", gguf: "granite", models: "Granite 3",
      uses: "multipliers of embeddings, scores, branches and logits",
      describeGranite),
    Family(
      "cohere", gguf: "command-r", models: "Command R",
      uses: "layer norm without bias, parallel branches, rotated neighbours, scaled logits",
      describeCohere),
    Family(
      "cohere2", gguf: "cohere2", models: "Command R7B, Command A",
      uses: "`cohere` with windows; only layers that have one rotate",
      describeCohere2),
    Family(
      "glm", gguf: "chatglm", models: "GLM-4 9B",
      uses: "a fused gate-up map, partial rotation of neighbours",
      describeGLM),
    Family(
      "glm4", gguf: "glm4", models: "GLM-4-0414",
      uses: "`glm` with norms around each branch",
      describeGLM4),
    Family(
      "stablelm", gguf: "stablelm", models: "StableLM 2, 3B",
      uses: "layer norm, partial rotation, parallel branches in some",
      describeStableLM),
    Family(
      "starcoder2", gguf: "starcoder2", models: "StarCoder2",
      uses: "layer norm, plain GELU, biases, a window",
      describeStarcoder2),
    Family(
      "ernie4_5", gguf: "ernie4_5", models: "ERNIE 4.5, dense",
      uses: "rotated neighbours",
      describeErnie),
    Family(
      "nemotron", gguf: "nemotron", models: "Nemotron, Minitron",
      uses: "layer norm with weights less one, squared ReLU, partial rotation",
      describeNemotron),
    Family(
      "exaone4", gguf: "exaone4", models: "EXAONE 4",
      uses: "norms behind each branch, normalized queries and keys, layers without rotation",
      describeExaone4),
    Family(
      "helium", models: "Helium",
      uses: "rotated neighbours",
      describeHelium),
    Family(
      "arcee", gguf: "arcee", models: "Arcee AFM",
      uses: "squared ReLU",
      describeArcee),
    Family(
      "apertus", gguf: "apertus", models: "Apertus",
      uses: "xIELU, normalized queries and keys",
      describeApertus),
    Family(
      "seed_oss", gguf: "seed_oss", models: "Seed-OSS",
      uses: "biases of query, key and value",
      describeSeedOSS),
    Family(
      "hunyuan_v1_dense", gguf: "hunyuan-dense", models: "Hunyuan, dense",
      uses: "queries and keys normalized after their rotation",
      describeHunyuan),
    Family(
      "gpt2", modules: "transformer.", gguf: "gpt2", models: "GPT-2",
      uses: "layer norm, learned positions, plain GELU, maps stored transposed",
      describeGPT2),
    Family(
      "gptj", modules: "transformer.", models: "GPT-J",
      uses: "layer norm, parallel branches, partial rotation of neighbours",
      describeGPTJ),
    Family(
      "gpt_neox", modules: "gpt_neox.", gguf: "gptneox", models: "GPT-NeoX, Pythia",
      uses: "layer norm, parallel branches, maps fused by head, partial rotation",
      describeGPTNeoX),
    Family(
      "gpt_neo", modules: "transformer.", models: "GPT-Neo",
      uses: "`gpt2` with unscaled scores and windows",
      describeGPTNeo),
    Family(
      "gpt_bigcode", modules: "transformer.", gguf: "starcoder", models: "SantaCoder, StarCoder",
      uses: "`gpt2` with one key and value for all heads",
      describeGPTBigCode),
    Family(
      "codegen", modules: "transformer.", models: "CodeGen",
      uses: "`gptj` with a fused map in shards",
      describeCodeGen),
    Family(
      "falcon", modules: "transformer.", gguf: "falcon", models: "Falcon, Falcon 2",
      uses: "layer norm, parallel branches or not, rotation or ALiBi, three layouts of heads",
      describeFalcon),
    Family(
      "bloom", modules: "transformer.", gguf: "bloom", models: "BLOOM",
      uses: "layer norm, also of embeddings, and ALiBi",
      describeBLOOM),
    Family(
      "opt", modules: "model.decoder.", models: "OPT",
      uses: "layer norm, learned positions, ReLU; in 350M norms of the stream and projected embeddings",
      describeOPT),
  ]

  /// The rows of the README's table.
  package static var table: [String] {
    ["| `model_type` | models | what it uses |", "|---|---|---|"]
      + all.map { "| `\($0.modelType)` | \($0.models) | \($0.uses) |" }
  }
}
