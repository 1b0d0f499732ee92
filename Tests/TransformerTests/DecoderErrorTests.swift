import Safetensors
import Tensors
import Testing

@testable import Transformer

@Suite struct DecoderErrorTests {
  /// The error that opening the checkpoint gives, its `config.json` named as "CONFIG" and its directory as "DIRECTORY".
  private func error(of checkpoint: TinyCheckpoint, hasConfiguration: Bool = true) throws -> ErrataError? {
    try checkpoint.write(hasConfiguration: hasConfiguration)
    do {
      _ = try Decoder(Checkpoint(path: checkpoint.path))
      return nil
    } catch let error as ErrataError {
      let message = error.message.replacing(checkpoint.configurationPath, with: "CONFIG")
      return ErrataError(error.kind, message.replacing(checkpoint.path, with: "DIRECTORY"))
    }
  }

  private func llamaError(_ field: ByteString, _ value: JSON?) throws -> ErrataError? {
    let checkpoint = try TinyCheckpoint.llama()
    checkpoint.configuration[field] = value
    return try error(of: checkpoint)
  }

  /// The error of a family whose description fails before any tensor is looked at.
  private func familyError(_ modelType: JSON, _ fields: [ByteString: JSON]) throws -> ErrataError? {
    let checkpoint = try modelType == "gptj" ? TinyCheckpoint.gpt2() : .llama()
    checkpoint.configuration["model_type"] = modelType
    for (field, value) in fields { checkpoint.configuration[field] = value }
    return try error(of: checkpoint)
  }

  private func gpt2Error(_ field: ByteString, _ value: JSON?) throws -> ErrataError? {
    let checkpoint = try TinyCheckpoint.gpt2()
    checkpoint.configuration[field] = value
    return try error(of: checkpoint)
  }

  private func damaged(_ message: String) -> ErrataError { ErrataError(.damagedInput, message) }
  private func general(_ message: String) -> ErrataError { ErrataError(.general, message) }

  @Test func unchangedCheckpointsOpen() throws {
    #expect(try error(of: .llama()) == nil)
    #expect(try error(of: .gpt2()) == nil)
  }

  @Test func modelType() throws {
    let unsupported = general(
      "CONFIG: architecture 'mamba' is not supported; supported are "
        + Family.all.map(\.modelType).joined(separator: ", "))
    #expect(try llamaError("model_type", "mamba") == unsupported)
    #expect(try llamaError("model_type", nil as JSON?) == damaged("CONFIG: field 'model_type' is missing"))
    #expect(
      try llamaError("model_type", 3) == damaged("CONFIG: field 'model_type' must be a string, found a number"))
  }

  @Test func missingFields() throws {
    for field in [
      "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size", "hidden_act",
    ] {
      let expected = damaged("CONFIG: field '\(field)' is missing")
      #expect(try llamaError(ByteString(field), nil as JSON?) == expected)
      #expect(try llamaError(ByteString(field), .null) == expected)
    }
    for field in ["n_embd", "n_head", "n_layer", "vocab_size", "activation_function"] {
      #expect(try gpt2Error(ByteString(field), nil as JSON?) == damaged("CONFIG: field '\(field)' is missing"))
    }
  }

  @Test func fieldsOfTheWrongType() throws {
    #expect(
      try llamaError("hidden_size", "4")
        == damaged("CONFIG: field 'hidden_size' must be a positive integer, found a string"))
    for value: JSON in [0, -4, 4.5, 2_147_483_648] {
      #expect(
        try llamaError("vocab_size", value)
          == damaged("CONFIG: field 'vocab_size' must be a positive integer, found a number"))
    }
    #expect(
      try llamaError("rms_norm_eps", "small")
        == damaged("CONFIG: field 'rms_norm_eps' must be a number, found a string"))
    #expect(
      try llamaError("attention_bias", 1)
        == damaged("CONFIG: field 'attention_bias' must be true or false, found a number"))
    #expect(
      try llamaError("hidden_act", []) == damaged("CONFIG: field 'hidden_act' must be a string, found an array"))
  }

  @Test func unsupportedSettings() throws {
    let activation =
      "silu, swish, gelu_new, gelu_pytorch_tanh, gelu_fast, gelu_python_tanh, gelu_accurate, gelu, gelu_python, "
      + "quick_gelu, relu, relu2"
    #expect(
      try llamaError("hidden_act", "mish")
        == general("CONFIG: 'hidden_act' = 'mish' is not supported; supported: \(activation)"))
    #expect(
      try llamaError("rope_scaling", ["rope_type": "axial"])
        == general(
          "CONFIG: 'rope_scaling.rope_type' = 'axial' is not supported; "
            + "supported: default, linear, proportional, dynamic, llama3, yarn, longrope"))
    #expect(
      try llamaError("rope_scaling", ["type": "linear"])
        == damaged("CONFIG: field 'rope_scaling.factor' is missing"))
    #expect(
      try gpt2Error("scale_attn_weights", false)
        == general("CONFIG: 'scale_attn_weights' = false is not supported; supported: true"))
    #expect(
      try gpt2Error("scale_attn_by_inverse_layer_idx", true)
        == general("CONFIG: 'scale_attn_by_inverse_layer_idx' = true is not supported; supported: false"))
    #expect(
      try gpt2Error("add_cross_attention", true)
        == general("CONFIG: 'add_cross_attention' = true is not supported; supported: false"))
    for modelType: JSON in ["gemma", "gemma2"] {
      #expect(
        try familyError(modelType, ["use_bidirectional_attention": true])
          == general("CONFIG: 'use_bidirectional_attention' = true is not supported; supported: false"))
    }
    #expect(
      try familyError("mistral", ["layer_types": ["full_attention"]])
        == general("CONFIG: 'layer_types' = an array is not supported; supported: none"))
    #expect(
      try familyError("gemma2", ["layer_types": ["chunked_attention"]])
        == general(
          "CONFIG: 'layer_types' = 'chunked_attention' is not supported; supported: full_attention, sliding_attention"))
    #expect(
      try llamaError("quantization_config", ["quant_method": "gptq"])
        == general(
          "CONFIG: 'quantization_config' is not supported; give the checkpoint in BF16, F16 or F32 that it was made "
            + "from"
        )
    )
  }

  @Test func rotaryFields() throws {
    #expect(
      try llamaError("rope_scaling", ["rope_type": 3])
        == damaged("CONFIG: field 'rope_scaling.rope_type' must be a string, found a number"))
    #expect(
      try llamaError("rope_parameters", ["full_attention": ["rope_type": "default"]])
        == general(
          "CONFIG: 'rope_parameters.full_attention' = an object is not supported; supported: attention_factor, "
            + "beta_fast, beta_slow, factor, finetuned, high_freq_factor, long_factor, low_freq_factor, mscale, "
            + "mscale_all_dim, original_max_position_embeddings, partial_rotary_factor, rope_theta, rope_type, "
            + "short_factor, truncate, type"))
    #expect(
      try llamaError("rope_scaling", "linear")
        == damaged("CONFIG: field 'rope_scaling' must be an object, found a string"))
    #expect(
      try llamaError("rope_scaling", ["type": "linear", "factor": 0])
        == damaged("CONFIG: field 'rope_scaling.factor' must be a positive number, found 0.0"))
    #expect(
      try llamaError("rope_parameters", ["rope_theta": "x"])
        == damaged("CONFIG: field 'rope_parameters.rope_theta' must be a number, found a string"))
    #expect(
      try llamaError("rope_theta", -1)
        == damaged("CONFIG: field 'rope_theta' must be a positive number, found -1.0"))
    #expect(
      try llamaError("rope_parameters", ["rope_type": "default", "partial_rotary_factor": 0.5])
        == damaged("CONFIG: field 'partial_rotary_factor' must be 1, found 0.5"))
    #expect(
      try familyError("phi3", ["head_dim": 4, "partial_rotary_factor": 0.3])
        == damaged(
          "CONFIG: field 'partial_rotary_factor' must be a share of the head that makes an even number of values, "
            + "found 0.3"))
    #expect(
      try familyError("gpt_neox", ["rotary_pct": 0.25])
        == damaged(
          "CONFIG: field 'rotary_pct' must be a share of the head that makes an even number of values, found 0.25"))
    #expect(
      try llamaError("rope_scaling", ["rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 4.5])
        == damaged(
          "CONFIG: field 'rope_scaling.original_max_position_embeddings' must be a positive integer, found 4.5"))
    #expect(
      try llamaError(
        "rope_scaling", ["rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 4, "truncate": 1])
        == damaged("CONFIG: field 'rope_scaling.truncate' must be true or false, found a number"))
    let longRope: JSON = ["type": "longrope", "short_factor": [1, 2], "long_factor": [1]]
    #expect(
      try familyError("phi3", ["original_max_position_embeddings": 4, "rope_scaling": longRope])
        == damaged("CONFIG: field 'rope_scaling.short_factor' must be 1 positive numbers, found an array"))
    #expect(
      try familyError("phi3", ["rope_scaling": ["type": "su"]])
        == damaged("CONFIG: field 'rope_scaling.original_max_position_embeddings' is missing"))
    for value: JSON in [.null, 3, 4] {
      #expect(
        try familyError("gptj", ["rotary_dim": value])
          == damaged(
            "CONFIG: field 'rotary_dim' must be an even number up to the head's size, 2, found "
              + (value.integerValue.map(String.init) ?? "null")))
    }
  }

  @Test func attentionFields() throws {
    #expect(
      try familyError("mistral", ["sliding_window": 0])
        == damaged("CONFIG: field 'sliding_window' must be a positive integer, found a number"))
    #expect(
      try familyError("qwen2", ["use_sliding_window": true, "max_window_layers": -1])
        == damaged("CONFIG: field 'max_window_layers' must be zero or a positive integer, found a number"))
    #expect(
      try familyError("qwen3", ["use_sliding_window": true, "layer_types": "full_attention"])
        == damaged("CONFIG: field 'layer_types' must be an array, found a string"))
    #expect(
      try familyError("gemma2", ["layer_types": ["full_attention", "full_attention"]])
        == damaged("CONFIG: field 'layer_types' must be one name for each of 1 layers, found 2"))
    #expect(
      try familyError("gemma2", ["attn_logit_softcapping": 0])
        == damaged("CONFIG: field 'attn_logit_softcapping' must be a positive number, found 0.0"))
    #expect(
      try familyError("gemma2", ["query_pre_attn_scalar": 0])
        == damaged("CONFIG: field 'query_pre_attn_scalar' must be a positive number, found 0.0"))
    #expect(
      try familyError("gpt_neox", ["num_attention_heads": 3])
        == damaged("CONFIG: field 'num_attention_heads' must be a divisor of hidden_size, found 3"))
  }

  /// An untied head that is not in the file is not silently the embedding.
  @Test func missingHead() throws {
    let error = try llamaError("tie_word_embeddings", false)
    #expect(error?.message.contains("there is no tensor \"lm_head.weight\"") == true)
  }

  @Test func contradictions() throws {
    #expect(
      try llamaError("num_key_value_heads", 3)
        == damaged("CONFIG: field 'num_key_value_heads' must be a divisor of num_attention_heads, found 3"))
    #expect(
      try gpt2Error("n_head", 3) == damaged("CONFIG: field 'n_head' must be a divisor of n_embd, found 3"))
  }

  /// Before anything of that size is made.
  @Test(arguments: [1, 3, 2_147_483_646]) func headSizes(size: Int) throws {
    #expect(
      try llamaError("head_dim", .integer(size))
        == damaged("CONFIG: field 'head_dim' must be an even number up to 65536, found \(size)"))
  }

  @Test func tensors() throws {
    let shape = try TinyCheckpoint.llama()
    shape.tensors["model.norm.weight"] = (.bf16, [3])
    #expect(
      try error(of: shape)
        == damaged("DIRECTORY: tensor 'model.norm.weight' has shape [3], but config.json implies [4]"))
    let transposed = try TinyCheckpoint.gpt2()
    transposed.tensors["h.0.mlp.c_fc.weight"] = (.f16, [16, 4])
    #expect(
      try error(of: transposed)
        == damaged("DIRECTORY: tensor 'h.0.mlp.c_fc.weight' has shape [16, 4], but config.json implies [4, 16]"))
    let dtype = try TinyCheckpoint.llama()
    dtype.tensors["model.norm.weight"] = (.i32, [4])
    #expect(
      try error(of: dtype)
        == general("DIRECTORY: 'dtype of model.norm.weight' = I32 is not supported; supported: F32, F16, BF16"))
    let missing = try TinyCheckpoint.llama()
    missing.tensors["model.layers.0.mlp.up_proj.weight"] = nil
    let error = try error(of: missing)
    #expect(error?.message.contains("there is no tensor \"model.layers.0.mlp.up_proj.weight\"") == true)
    let layers = try TinyCheckpoint.llama()
    layers.configuration["num_hidden_layers"] = 2
    let layerError = try self.error(of: layers)
    #expect(layerError?.message.contains("there is no tensor \"model.layers.1.input_layernorm.weight\"") == true)
  }

  @Test func withoutConfiguration() throws {
    let checkpoint = try TinyCheckpoint.llama()
    #expect(
      try error(of: checkpoint, hasConfiguration: false)
        == general("DIRECTORY: there is no config.json; is this a checkpoint directory?"))
    let path = checkpoint.path + "/model.safetensors"
    let bare = ErrataError(
      .general, "\(path): a bare safetensors file has no config.json; give the checkpoint's directory")
    #expect(throws: bare) { try Decoder(Checkpoint(path: path)) }
  }

  @Test func inputsOutOfRange() throws {
    for checkpoint in [try TinyCheckpoint.llama(), try TinyCheckpoint.gpt2()] {
      try checkpoint.write()
      let decoder = try Decoder(Checkpoint(path: checkpoint.path))
      #expect(decoder.maximumSequenceLength == 8)
      for token: Int32 in [5, -1, .max] {
        let error = general(
          "token \(token) is outside of the model's vocabulary of 5; the tokenizer belongs to another model")
        #expect(throws: error) { try decoder.embed(tokens: [0, token], positions: [0, 1]) }
      }
      let error = general("a sequence of 9 tokens is longer than the model's 8 positions")
      #expect(throws: error) { try decoder.embed(tokens: [0, 0], positions: [7, 8]) }
      #expect(try decoder.embed(tokens: [4, 0], positions: [0, 7]).elements == Array(repeating: 0, count: 8))
      #expect(try decoder.embed(tokens: [], positions: []).rows == 0)
    }
  }
}
