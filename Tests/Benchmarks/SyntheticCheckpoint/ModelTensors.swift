import Tensors

/// What a tensor of a synthetic checkpoint is filled with.
enum Filling: Hashable {
  case constant(Float)
  /// Normal values of mean 0.
  case normal(standardDeviation: Double)
}

/// A tensor of a model, as the Hugging Face checkpoint has it.
struct ModelTensor {
  let name: String
  let extents: [Int]
  let filling: Filling
  /// Whether it is an edited matrix of its layer: the down-projection, whose layer this is.
  var downProjectionOfLayer: Int?
}

/// The tensors of a model, in the order of its layers, from its `config.json`. Weights are drawn as GPT-2's training
/// starts: standard deviation `initializer_range`, less by sqrt(2 layers) where a block writes to the residual stream;
/// so activations stay of order one, and a forward pass works.
///
/// - Throws: an `ErrataError` for a family that it does not know, or a missing field.
func modelTensors(_ configuration: JSON, source: String) throws -> [ModelTensor] {
  let family = configuration["model_type"]?.stringValue ?? ""
  func integer(_ name: String, default value: Int? = nil) throws -> Int {
    guard let number = configuration[ByteString(name)]?.integerValue ?? value else {
      throw ErrataError(.general, "\(source): \(name) is missing")
    }
    return number
  }
  let range = configuration["initializer_range"]?.doubleValue ?? 0.02
  var tensors: [ModelTensor] = []
  func add(_ name: String, _ extents: [Int], _ filling: Filling, downProjectionOf layer: Int? = nil) {
    tensors.append(ModelTensor(name: name, extents: extents, filling: filling, downProjectionOfLayer: layer))
  }
  let weight = Filling.normal(standardDeviation: range)
  func residual(_ layers: Int) -> Filling {
    .normal(standardDeviation: range / (2 * Double(layers)).squareRoot())
  }
  func addNorm(_ name: String, _ size: Int) {
    add(name + ".weight", [size], .constant(1))
    add(name + ".bias", [size], .constant(0))
  }

  switch family {
  case "gpt2":
    let (hidden, layers) = (try integer("n_embd"), try integer("n_layer"))
    let inner = try integer("n_inner", default: 4 * hidden)
    add("wte.weight", [try integer("vocab_size"), hidden], weight)
    add("wpe.weight", [try integer("n_positions", default: 1024), hidden], weight)
    for layer in 0..<layers {
      // Conv1D: [in, out].
      func addLinear(_ name: String, _ inputs: Int, _ outputs: Int, _ filling: Filling, isDown: Bool = false) {
        add("h.\(layer).\(name).weight", [inputs, outputs], filling, downProjectionOf: isDown ? layer : nil)
        add("h.\(layer).\(name).bias", [outputs], .constant(0))
      }
      addNorm("h.\(layer).ln_1", hidden)
      addLinear("attn.c_attn", hidden, 3 * hidden, weight)
      addLinear("attn.c_proj", hidden, hidden, residual(layers))
      addNorm("h.\(layer).ln_2", hidden)
      addLinear("mlp.c_fc", hidden, inner, weight)
      addLinear("mlp.c_proj", inner, hidden, residual(layers), isDown: true)
    }
    addNorm("ln_f", hidden)
  case "gptj":
    let (hidden, layers, vocabulary) = (try integer("n_embd"), try integer("n_layer"), try integer("vocab_size"))
    let inner = try integer("n_inner", default: 4 * hidden)
    add("transformer.wte.weight", [vocabulary, hidden], weight)
    for layer in 0..<layers {
      let prefix = "transformer.h.\(layer)."
      addNorm(prefix + "ln_1", hidden)
      for name in ["q_proj", "k_proj", "v_proj"] { add("\(prefix)attn.\(name).weight", [hidden, hidden], weight) }
      add(prefix + "attn.out_proj.weight", [hidden, hidden], residual(layers))
      add(prefix + "mlp.fc_in.weight", [inner, hidden], weight)
      add(prefix + "mlp.fc_in.bias", [inner], .constant(0))
      add(prefix + "mlp.fc_out.weight", [hidden, inner], residual(layers), downProjectionOf: layer)
      add(prefix + "mlp.fc_out.bias", [hidden], .constant(0))
    }
    addNorm("transformer.ln_f", hidden)
    add("lm_head.weight", [vocabulary, hidden], weight)
    add("lm_head.bias", [vocabulary], .constant(0))
  case "llama", "gemma3_text":
    let (hidden, layers, vocabulary) = (
      try integer("hidden_size"), try integer("num_hidden_layers"), try integer("vocab_size")
    )
    let (inner, heads) = (try integer("intermediate_size"), try integer("num_attention_heads"))
    let headSize = try integer("head_dim", default: hidden / heads)
    let keys = try integer("num_key_value_heads", default: heads) * headSize
    // Gemma stores the weights of its norms less one, has norms around each branch, and normalizes queries and keys.
    let isGemma = family == "gemma3_text"
    let normWeight = Filling.constant(isGemma ? 0 : 1)
    add("model.embed_tokens.weight", [vocabulary, hidden], weight)
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer)."
      add(prefix + "input_layernorm.weight", [hidden], normWeight)
      if isGemma {
        for name in ["q_norm", "k_norm"] { add("\(prefix)self_attn.\(name).weight", [headSize], normWeight) }
        for name in ["pre_feedforward", "post_feedforward"] {
          add("\(prefix)\(name)_layernorm.weight", [hidden], normWeight)
        }
      }
      add(prefix + "self_attn.q_proj.weight", [heads * headSize, hidden], weight)
      add(prefix + "self_attn.k_proj.weight", [keys, hidden], weight)
      add(prefix + "self_attn.v_proj.weight", [keys, hidden], weight)
      add(prefix + "self_attn.o_proj.weight", [hidden, heads * headSize], residual(layers))
      add(prefix + "post_attention_layernorm.weight", [hidden], normWeight)
      add(prefix + "mlp.gate_proj.weight", [inner, hidden], weight)
      add(prefix + "mlp.up_proj.weight", [inner, hidden], weight)
      add(prefix + "mlp.down_proj.weight", [hidden, inner], residual(layers), downProjectionOf: layer)
    }
    add("model.norm.weight", [hidden], normWeight)
    if configuration["tie_word_embeddings"]?.boolValue != true { add("lm_head.weight", [vocabulary, hidden], weight) }
  default:
    throw ErrataError(.general, "\(source): model_type \"\(family)\" is not one of gpt2, gptj, llama, gemma3_text")
  }
  return tensors
}
