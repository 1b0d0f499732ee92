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
    public let attentionOutput: LinearTensors
    public let perceptronNormalization: NormalizationTensors
    /// Gate and up, or up alone.
    public let up: [LinearTensors]
    /// The map that edits change.
    public let down: LinearTensors
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
  public let positions: Positions
  public let perceptron: MultilayerPerceptron
  /// Whether linear maps are stored [in, out] (GPT-2's Conv1D) instead of [out, in].
  public let storesTransposed: Bool
  public let tokenEmbedding: ByteString
  public let finalNormalization: NormalizationTensors
  /// The language-model head; the token embedding itself if it is tied.
  public let head: ByteString
  public let layer: @Sendable (Int) -> LayerTensors

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
    ("gelu_fast", .geluTanh), ("gelu", .geluErf), ("relu", .relu),
  ]

  static var configurationNames: [String] { names.map(\.0) }

  /// By the name that `config.json` uses.
  init?(configurationName: String) {
    guard let match = Self.names.first(where: { $0.0 == configurationName }) else { return nil }
    self = match.1
  }
}
