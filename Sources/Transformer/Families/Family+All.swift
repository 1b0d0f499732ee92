extension Family {
  /// Every supported family: what `errata edit --help` and the README's table say.
  package static let all: [Family] = [
    Family(
      "llama", models: "Llama 1 to 3, SmolLM2, TinyLlama, Yi",
      uses: "RMS norm, rotary positions, grouped queries, gated SiLU: what the others differ from",
      describeLlama),
    Family(
      "mistral", models: "Mistral 7B, Nemo",
      uses: "a window",
      describeMistral),
    Family(
      "ministral", models: "Ministral 8B",
      uses: "a window in some layers",
      describeMinistral),
    Family(
      "ministral3", models: "Ministral 3",
      uses: "YaRN, queries that grow with the position",
      describeMinistral3),
    Family(
      "mistral3", models: "Mistral Small 3.1 and later, the text part",
      uses: "`mistral` or `ministral3`",
      describeMistral3),
    Family(
      "qwen2", models: "Qwen2, Qwen2.5",
      uses: "biases of query, key and value; a window in the upper layers",
      describeQwen2),
    Family(
      "qwen3", models: "Qwen3",
      uses: "normalized queries and keys",
      describeQwen3),
    Family(
      "qwen2_5_vl", models: "Qwen2.5-VL, the text part",
      uses: "`qwen2`",
      describeQwen25VL),
    Family(
      "qwen2_5_vl_text", models: "the same alone",
      uses: "`qwen2`",
      describeQwen25VLText),
    Family(
      "qwen3_vl", models: "Qwen3-VL, the text part",
      uses: "`qwen3`",
      describeQwen3VL),
    Family(
      "qwen3_vl_text", models: "the same alone",
      uses: "`qwen3`",
      describeQwen3VLText),
    Family(
      "gemma", models: "Gemma",
      uses: "scaled embeddings, gated GELU, norm weights less one",
      describeGemma),
    Family(
      "gemma2", models: "Gemma 2",
      uses: "norms around each branch, windows, bounded scores and logits",
      describeGemma2),
    Family(
      "gemma3", models: "Gemma 3, the text part",
      uses: "`gemma3_text`",
      describeGemma3Multimodal),
    Family(
      "gemma3_text", models: "Gemma 3 1B, 270M",
      uses: "norms around each branch, normalized queries and keys, two rotations",
      describeGemma3),
    Family(
      "gemma4", models: "Gemma 4, the text part",
      uses: "`gemma4_text`",
      describeGemma4Multimodal),
    Family(
      "gemma4_text", models: "Gemma 4, dense",
      uses: "per-layer inputs, two sizes of head, normalized values, shared keys and values",
      describeGemma4),
    Family(
      "phi", models: "Phi-1 to Phi-2",
      uses: "layer norm, parallel branches, plain GELU, partial rotation, biases",
      describePhi),
    Family(
      "phi3", models: "Phi-3, Phi-4",
      uses: "fused maps, LongRoPE, a window",
      describePhi3),
    Family(
      "olmo", models: "OLMo",
      uses: "layer norm without weights, bounded queries, keys and values",
      describeOLMo),
    Family(
      "olmo2", models: "OLMo 2",
      uses: "norms behind each branch, queries and keys normalized as one",
      describeOLMo2),
    Family(
      "olmo3", models: "OLMo 3",
      uses: "`olmo2` with windows and two rotations",
      describeOLMo3),
    Family(
      "smollm3", models: "SmolLM3",
      uses: "layers without rotation",
      describeSmolLM3),
    Family(
      "granite", models: "Granite 3",
      uses: "multipliers of embeddings, scores, branches and logits",
      describeGranite),
    Family(
      "cohere", models: "Command R",
      uses: "layer norm without bias, parallel branches, rotated neighbours, scaled logits",
      describeCohere),
    Family(
      "cohere2", models: "Command R7B, Command A",
      uses: "`cohere` with windows; only layers that have one rotate",
      describeCohere2),
    Family(
      "glm", models: "GLM-4 9B",
      uses: "a fused gate-up map, partial rotation of neighbours",
      describeGLM),
    Family(
      "glm4", models: "GLM-4-0414",
      uses: "`glm` with norms around each branch",
      describeGLM4),
    Family(
      "stablelm", models: "StableLM 2, 3B",
      uses: "layer norm, partial rotation, parallel branches in some",
      describeStableLM),
    Family(
      "starcoder2", models: "StarCoder2",
      uses: "layer norm, plain GELU, biases, a window",
      describeStarcoder2),
    Family(
      "ernie4_5", models: "ERNIE 4.5, dense",
      uses: "rotated neighbours",
      describeErnie),
    Family(
      "nemotron", models: "Nemotron, Minitron",
      uses: "layer norm with weights less one, squared ReLU, partial rotation",
      describeNemotron),
    Family(
      "exaone4", models: "EXAONE 4",
      uses: "norms behind each branch, normalized queries and keys, layers without rotation",
      describeExaone4),
    Family(
      "helium", models: "Helium",
      uses: "rotated neighbours",
      describeHelium),
    Family(
      "arcee", models: "Arcee AFM",
      uses: "squared ReLU",
      describeArcee),
    Family(
      "apertus", models: "Apertus",
      uses: "xIELU, normalized queries and keys",
      describeApertus),
    Family(
      "seed_oss", models: "Seed-OSS",
      uses: "biases of query, key and value",
      describeSeedOSS),
    Family(
      "hunyuan_v1_dense", models: "Hunyuan, dense",
      uses: "queries and keys normalized after their rotation",
      describeHunyuan),
    Family(
      "gpt2", models: "GPT-2",
      uses: "layer norm, learned positions, plain GELU, maps stored transposed",
      describeGPT2),
    Family(
      "gptj", models: "GPT-J",
      uses: "layer norm, parallel branches, partial rotation of neighbours",
      describeGPTJ),
    Family(
      "gpt_neox", models: "GPT-NeoX, Pythia",
      uses: "layer norm, parallel branches, maps fused by head, partial rotation",
      describeGPTNeoX),
    Family(
      "gpt_neo", models: "GPT-Neo",
      uses: "`gpt2` with unscaled scores and windows",
      describeGPTNeo),
    Family(
      "gpt_bigcode", models: "SantaCoder, StarCoder",
      uses: "`gpt2` with one key and value for all heads",
      describeGPTBigCode),
    Family(
      "codegen", models: "CodeGen",
      uses: "`gptj` with a fused map in shards",
      describeCodeGen),
    Family(
      "falcon", models: "Falcon, Falcon 2",
      uses: "layer norm, parallel branches or not, rotation or ALiBi, three layouts of heads",
      describeFalcon),
    Family(
      "bloom", models: "BLOOM",
      uses: "layer norm, also of embeddings, and ALiBi",
      describeBLOOM),
    Family(
      "opt", models: "OPT",
      uses: "layer norm, learned positions, ReLU; in 350M norms of the stream and projected embeddings",
      describeOPT),
  ]

  /// The rows of the README's table.
  package static var table: [String] {
    ["| `model_type` | models | what it uses |", "|---|---|---|"]
      + all.map { "| `\($0.modelType)` | \($0.models) | \($0.uses) |" }
  }
}
