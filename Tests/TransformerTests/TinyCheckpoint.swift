import Safetensors
import Tensors
import TestSupport

/// A one-layer checkpoint of zeros in a temporary directory, whose configuration and tensors a test changes.
final class TinyCheckpoint {
  private let directory: TemporaryDirectory
  var path: String { directory.path }
  var configurationPath: String { directory("config.json") }
  var configuration: [ByteString: JSON]
  var tensors: [ByteString: (DType, Shape)]

  private init(configuration: [ByteString: JSON], tensors: [(ByteString, Shape)]) throws {
    directory = try TemporaryDirectory()
    self.configuration = configuration
    self.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0, (.bf16, $1)) })
  }

  static func llama() throws -> TinyCheckpoint {
    let layer = "model.layers.0."
    return try TinyCheckpoint(
      configuration: [
        "model_type": "llama", "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1,
        "num_key_value_heads": 1, "intermediate_size": 6, "vocab_size": 5, "max_position_embeddings": 8,
        "hidden_act": "silu", "tie_word_embeddings": true,
      ],
      tensors: [
        ("model.embed_tokens.weight", [5, 4]), ("model.norm.weight", [4]),
        (ByteString(layer + "input_layernorm.weight"), [4]),
        (ByteString(layer + "post_attention_layernorm.weight"), [4]),
        (ByteString(layer + "self_attn.q_proj.weight"), [4, 4]),
        (ByteString(layer + "self_attn.k_proj.weight"), [2, 4]),
        (ByteString(layer + "self_attn.v_proj.weight"), [2, 4]),
        (ByteString(layer + "self_attn.o_proj.weight"), [4, 4]), (ByteString(layer + "mlp.gate_proj.weight"), [6, 4]),
        (ByteString(layer + "mlp.up_proj.weight"), [6, 4]), (ByteString(layer + "mlp.down_proj.weight"), [4, 6]),
      ])
  }

  static func gpt2() throws -> TinyCheckpoint {
    let linears: [(String, Shape, Shape)] = [
      ("attn.c_attn", [4, 12], [12]), ("attn.c_proj", [4, 4], [4]), ("mlp.c_fc", [4, 16], [16]),
      ("mlp.c_proj", [16, 4], [4]), ("ln_1", [4], [4]), ("ln_2", [4], [4]),
    ]
    return try TinyCheckpoint(
      configuration: [
        "model_type": "gpt2", "n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 8, "vocab_size": 5,
        "activation_function": "gelu_new",
      ],
      tensors: [("wte.weight", [5, 4]), ("wpe.weight", [8, 4]), ("ln_f.weight", [4]), ("ln_f.bias", [4])]
        + linears.flatMap { name, weight, bias in
          [(ByteString("h.0.\(name).weight"), weight), (ByteString("h.0.\(name).bias"), bias)]
        })
  }

  /// Writes the weights, and `config.json` if `hasConfiguration`.
  func write(hasConfiguration: Bool = true) throws {
    var content: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
    for (name, (dtype, shape)) in tensors {
      content[name] = (dtype, shape, Array(repeating: 0, count: dtype.byteCount(elementCount: shape.elementCount!)!))
    }
    try SafetensorsWriter.write(content, to: directory("model.safetensors"))
    if hasConfiguration {
      var object = JSONObject()
      for (key, value) in configuration { object[key] = value }
      try AtomicFile.write(JSON.object(object).serialized(), to: configurationPath)
    }
  }
}
