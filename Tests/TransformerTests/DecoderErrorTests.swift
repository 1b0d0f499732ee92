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
      return ErrataError(error.category, message.replacing(checkpoint.path, with: "DIRECTORY"))
    }
  }

  private func llamaError(_ field: ByteString, _ value: JSON?) throws -> ErrataError? {
    let checkpoint = try TinyCheckpoint.llama()
    checkpoint.configuration[field] = value
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
    let unsupported = general("CONFIG: architecture 'mamba' is not supported; supported are llama, gpt2")
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
    let activation = "silu, swish, gelu_new, gelu_pytorch_tanh, gelu_fast, gelu, relu"
    #expect(
      try llamaError("hidden_act", "mish")
        == general("CONFIG: 'hidden_act' = 'mish' is not supported; supported: \(activation)"))
    #expect(
      try llamaError("rope_scaling", ["rope_type": "yarn"])
        == general(
          "CONFIG: 'rope_scaling.rope_type' = 'yarn' is not supported; supported: default, linear, llama3"))
    #expect(
      try llamaError("rope_scaling", ["type": "linear"])
        == damaged("CONFIG: field 'rope_scaling.factor' is missing"))
    #expect(
      try gpt2Error("scale_attn_weights", false)
        == general("CONFIG: 'scale_attn_weights' = false is not supported; supported: true"))
    #expect(
      try gpt2Error("scale_attn_by_inverse_layer_idx", true)
        == general("CONFIG: 'scale_attn_by_inverse_layer_idx' = true is not supported; supported: false"))
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
