import Tensors

/// What a decoder computes: one description per model, read by the one decoder block.
///
/// Supporting another family is another value of this type (`Families/`), not another forward pass.
public struct Architecture: Sendable {
  public enum Normalization: Sendable {
    case rootMeanSquare(epsilon: Float)
    case layer(epsilon: Float)
  }

  public enum Positions: Sendable {
    /// A learned vector per position is added to the token's embedding.
    case learned(tensor: ByteString)
    /// Queries and keys are rotated.
    case rotary(RotaryEmbedding)
  }

  /// How the key of a fact, the input of the down-projection, comes from the up-projection.
  public enum MultilayerPerceptron: Sendable {
    case plain(Activation)
    /// The gate's and the up-projection's outputs stand side by side, gate first.
    case gated(Activation)
  }

  /// Where the perceptron takes its input from.
  public enum Residual: Sendable {
    /// From the stream that attention has added to.
    case sequential
    /// From the stream that attention reads too; both are added to it (GPT-J, GPT-NeoX).
    case parallel
  }

  /// How the outputs of a fused query-key-value map are ordered.
  public enum FusedLayout: Sendable {
    /// All queries, all keys, all values.
    case concatenated
    /// Query, key and value of the first head, then of the second, and so on (GPT-NeoX).
    case interleavedByHead
  }

  /// A linear map's tensors.
  public struct LinearTensors: Sendable {
    public let weight: ByteString
    public let bias: ByteString?
  }

  /// A normalization's tensors.
  public struct NormalizationTensors: Sendable {
    public let weight: ByteString
    public let bias: ByteString?
  }

  /// One block's tensors. Maps that are listed together are concatenated along their outputs.
  public struct LayerTensors: Sendable {
    public let attentionNormalization: NormalizationTensors
    /// Query, key and value.
    public let queryKeyValue: [LinearTensors]
    /// Over each head's query, before it is rotated (Qwen3); its weights serve all heads.
    public var queryNormalization: NormalizationTensors?
    public var keyNormalization: NormalizationTensors?
    public let attentionOutput: LinearTensors
    /// Over attention's output, before it is added to the stream (Gemma 2).
    public var attentionOutputNormalization: NormalizationTensors?
    public let perceptronNormalization: NormalizationTensors
    /// Gate and up, or up alone.
    public let up: [LinearTensors]
    /// The map that edits change.
    public let down: LinearTensors
    /// Over the down-projection's output, before it is added to the stream (Gemma 2).
    public var downNormalization: NormalizationTensors?
    /// How many rows a row sees at most, itself included; nil for all before it.
    public var attentionWindow: Int?
  }

  public let family: String
  public let layerCount: Int
  public let hiddenSize: Int
  public let headCount: Int
  public let keyValueHeadCount: Int
  public let headSize: Int
  /// The length of a key, d_in of the down-projection.
  public let intermediateSize: Int
  public let vocabularySize: Int
  public let maximumPositions: Int
  public let normalization: Normalization
  /// Added to the weights of every normalization: 1 for Gemma, which stores weight - 1.
  public var normalizationWeightOffset: Float = 0
  public var residual = Residual.sequential
  public let positions: Positions
  public let perceptron: MultilayerPerceptron
  /// Whether linear maps are stored [in, out] (GPT-2's Conv1D) instead of [out, in].
  public let storesTransposed: Bool
  public var fusedLayout = FusedLayout.concatenated
  /// What the products of queries and keys are multiplied by; nil for 1 / sqrt(head size).
  public var attentionScale: Float?
  /// What attention scores are bounded by, softly: cap tanh(score / cap).
  public var attentionScoreCap: Float?
  /// What logits are bounded by in the same way.
  public var logitCap: Float?
  public let tokenEmbedding: ByteString
  /// What token embeddings are multiplied by.
  public var embeddingScale: Float = 1
  public let finalNormalization: NormalizationTensors
  /// The language-model head; the token embedding itself if it is tied.
  public let head: ByteString
  public var headBias: ByteString?
  /// For people: what the configuration says and nothing computes with.
  public var notices: [String] = []
  public let layer: @Sendable (Int) -> LayerTensors

  /// Whether what the down-projection gives is normalized before it is added to the stream: then no value of the block's
  /// output, only one of the down-projection's, can be asked of it.
  public var normalizesDownOutput: Bool { layer(0).downNormalization != nil }

  var normalizesQueriesAndKeys: Bool { layer(0).queryNormalization != nil }
  var querySize: Int { headCount * headSize }
  var keyValueSize: Int { keyValueHeadCount * headSize }
  /// The outputs of the query-key-value map.
  var queryKeyValueSize: Int { querySize + 2 * keyValueSize }
  /// The outputs of the up map.
  var upSize: Int {
    switch perceptron {
    case .plain: intermediateSize
    case .gated: 2 * intermediateSize
    }
  }
}

/// Rotary position embedding: which part of a head is rotated, and how fast.
public struct RotaryEmbedding: Sendable {
  /// One angular frequency per pair of values.
  public let inverseFrequencies: [Float]
  /// Whether a pair is (2i, 2i + 1), as in GPT-J, instead of (i, i + pairs).
  public let isInterleaved: Bool
  /// What sines and cosines are multiplied by (YaRN, LongRoPE).
  public var magnitude: Float = 1
}

/// The activation functions of the supported models.
public enum Activation: Int32, Sendable, CaseIterable {
  // The raw values are CKernels' (activation.h).
  case silu = 0
  case geluTanh = 1
  case geluErf = 2
  case relu = 3

  private static let names: [(String, Activation)] = [
    ("silu", .silu), ("swish", .silu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh),
    ("gelu_fast", .geluTanh), ("gelu_python_tanh", .geluTanh), ("gelu", .geluErf), ("gelu_python", .geluErf),
    ("relu", .relu),
  ]

  static var configurationNames: [String] { names.map(\.0) }

  /// By the name that `config.json` uses.
  init?(configurationName: String) {
    guard let match = Self.names.first(where: { $0.0 == configurationName }) else { return nil }
    self = match.1
  }
}
