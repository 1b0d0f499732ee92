import Tensors

/// What a decoder computes: one description per model, read by the one decoder block.
///
/// Supporting another family is another value of this type (`Families/`), not another forward pass.
public struct Architecture: Sendable {
  public enum Normalization: Sendable {
    case rootMeanSquare(epsilon: Float)
    case layer(epsilon: Float)
  }

  /// How the key of a fact, the input of the down-projection, comes from the up-projection.
  public enum MultilayerPerceptron: Sendable {
    case plain(Activation)
    /// The gate's and the up-projection's outputs stand side by side, gate first.
    case gated(Activation)
    /// Plain, with an activation whose parameters each layer learns (Apertus).
    case xielu
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
    /// For each key and value head its queries, its key and its value (GPT-NeoX, Falcon).
    case groupedByHead
    /// In so many shards of equal size, each of which holds a part of the queries, of the values and of the keys
    /// (CodeGen, after the machines that it was trained on).
    case sharded(Int)
  }

  /// A vector per position that is added to the token's embedding.
  public struct LearnedPositions: Sendable {
    public let tensor: ByteString
    /// The row of position 0 (OPT).
    public var firstRow = 0
  }

  /// Attention scores get slope times the key's position, a slope for each head (ALiBi; Press et al. 2022).
  public struct LinearBias: Sendable {
    public let slopes: [Float]
    /// Whether the products are rounded to bfloat16, and then scaled like the scores (Falcon).
    public var isScaledBFloat16 = false
  }

  /// Inputs of each layer that come from the token alone (Gemma 4): a part of a second embedding, and a projection of
  /// the first.
  public struct PerLayerInput: Sendable {
    /// Values per layer.
    public let size: Int
    public let vocabularySize: Int
    /// Vocabulary x (layers x size).
    public let embedding: ByteString
    /// (Layers x size) x hidden size.
    public let projection: ByteString
    public let normalization: NormalizationTensors
    public let activation: Activation
  }

  /// As `config.json` names it.
  public internal(set) var family: String
  /// What the names of its modules begin with in transformers.
  package internal(set) var modulePrefix = "model."
  /// llama.cpp's name of the architecture; nil if it has none.
  package internal(set) var ggufName: String?
  public internal(set) var layers: [Layer]
  public let hiddenSize: Int
  /// The length of a key, d_in of the down-projection, in most layers if not in all.
  public let intermediateSize: Int
  public let vocabularySize: Int
  public let maximumPositions: Int
  public let normalization: Normalization
  /// Added to the weights of every normalization: 1 for Gemma, which stores weight - 1.
  public var normalizationWeightOffset: Float = 0
  public var residual = Residual.sequential
  public let perceptron: MultilayerPerceptron
  /// Whether linear maps are stored [in, out] (GPT-2's Conv1D) instead of [out, in].
  public var storesTransposed = false
  public var fusedLayout = FusedLayout.concatenated

  // Positions
  public var learnedPositions: LearnedPositions?
  /// The rotations that layers choose from.
  public var rotaries: [RotaryEmbedding] = []
  public var linearBias: LinearBias?

  // Attention
  /// What the products of queries and keys are multiplied by; nil for 1 / sqrt(head size).
  public var attentionScale: Float?
  /// What attention scores are bounded by, softly: cap tanh(score / cap).
  public var attentionScoreCap: Float?
  /// What queries, keys and values are bounded by (OLMo).
  public var queryKeyValueLimit: Float?

  /// What the outputs of attention and perceptron are multiplied by before they are added to the stream (Granite).
  public var branchScale: Float = 1

  // From tokens to the stream
  public let tokenEmbedding: ByteString
  /// The length of a token's embedding if it is not the hidden size: then it is projected (OPT-350M).
  public var embeddingProjection: (size: Int, tensor: ByteString)?
  /// What token embeddings are multiplied by.
  public var embeddingScale: Float = 1
  public var embeddingNormalization: NormalizationTensors?
  public var perLayerInput: PerLayerInput?

  // From the stream to logits
  public var finalNormalization: NormalizationTensors?
  /// From the hidden size to the embedding's.
  public var outputProjection: ByteString?
  /// The language-model head; the token embedding itself if it is tied.
  public let head: ByteString
  public var headBias: ByteString?
  /// What logits are multiplied by.
  public var logitScale: Float = 1
  /// What logits are bounded by, softly, after that.
  public var logitCap: Float?

  /// For people: what the configuration says and nothing computes with.
  public var notices: [String] = []

  public var layerCount: Int { layers.count }
  public var embeddingSize: Int { embeddingProjection?.size ?? hiddenSize }

  /// Whether a block's output is more than the stream plus a multiple of what its down-projection gives: then no value
  /// of the block's output, only one of the down-projection's, can be asked of it.
  public var normalizesDownOutput: Bool {
    layers[0].downNormalization != nil || layers[0].leavingNormalization != nil || perLayerInput != nil
  }
}

/// Rotary position embedding: which part of a head is rotated, and how fast.
public struct RotaryEmbedding: Sendable {
  /// Queries are multiplied by 1 + beta log(1 + floor(position / period)), as Llama 4's are.
  public struct QueryScaling: Sendable {
    public let beta: Double
    public let period: Int
  }

  /// One angular frequency per pair of values.
  public let inverseFrequencies: [Float]
  /// Whether a pair is (2i, 2i + 1), as in GPT-J, instead of (i, i + pairs).
  public let isInterleaved: Bool
  /// What sines and cosines are multiplied by (YaRN, LongRoPE).
  public var magnitude: Float = 1
  public var queryScaling: QueryScaling?
}
