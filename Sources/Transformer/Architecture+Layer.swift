import Tensors

extension Architecture {
  /// A linear map's tensors.
  public struct LinearTensors: Sendable {
    public let weight: ByteString
    public let bias: ByteString?
  }

  /// A normalization's tensors. Without a weight, it only normalizes (OLMo).
  public struct NormalizationTensors: Sendable {
    public let weight: ByteString?
    public let bias: ByteString?
  }

  /// The heads of a layer's attention. Queries of `count / keyValueCount` heads share a key and a value.
  public struct Heads: Sendable {
    public let count: Int
    public let keyValueCount: Int
    public let size: Int

    public var querySize: Int { count * size }
    public var keyValueSize: Int { keyValueCount * size }
    /// The outputs of the query-key-value map.
    public var packedSize: Int { querySize + 2 * keyValueSize }
  }

  /// Normalization of queries and keys, in attention.
  public struct HeadNormalizationTensors: Sendable {
    public enum Scope: Sendable {
      /// Each head by itself, all with the same weights (Qwen3).
      case eachHead
      /// Each head by itself, with weights of its own: the rows of a matrix (Cohere), or a vector each (StableLM).
      case eachHeadApart
      /// All heads as one vector (OLMo 2).
      case allHeads
    }

    public let query: [NormalizationTensors]
    public let key: [NormalizationTensors]
    public let scope: Scope
    /// Whether each head's value is normalized too, without weights (Gemma 4).
    public var includesValues = false
    /// Whether queries and keys are rotated first (Hunyuan).
    public var followsRotation = false
  }

  /// The learned parameters of an xIELU.
  public struct XIELUTensors: Sendable {
    public let positive: ByteString
    public let negative: ByteString
    public let beta: ByteString
    public let epsilon: ByteString
  }

  /// What a layer does with its per-layer input: stream += norm(projection(activation(gate stream) * input)).
  public struct PerLayerInputTensors: Sendable {
    public let gate: ByteString
    public let projection: ByteString
    public let normalization: NormalizationTensors
  }

  /// One block. Maps that are listed together are concatenated along their outputs. Its steps, in order:
  ///
  ///     stream = enteringNorm(stream)
  ///     stream += attentionOutputNorm(O attention(attentionNorm(stream)))
  ///     stream = middleNorm(stream)
  ///     stream += downNorm(down activation(up perceptronNorm(stream)))
  ///     stream = leavingNorm(stream)
  ///     stream += what comes of the per-layer input
  ///     stream *= scale
  ///
  /// Most families have two of these norms; a norm that is nil is not there.
  public struct Layer: Sendable {
    public var heads: Heads
    /// The length of a key, d_in of the down-projection.
    public var intermediateSize: Int
    /// Over the stream itself, before it is read (BLOOM, if so configured).
    public var enteringNormalization: NormalizationTensors?
    public var attentionNormalization: NormalizationTensors?
    /// Query, key and value.
    public var queryKeyValue: [LinearTensors]
    public var headNormalization: HeadNormalizationTensors?
    /// The earlier layer whose keys and values serve this one too (Gemma 4), which then has a query map only.
    public var keyValueSource: Int?
    /// Which of the architecture's rotations; nil for none.
    public var rotary: Int?
    /// How many rows a row sees at most, itself included; nil for all before it.
    public var attentionWindow: Int?
    public var attentionOutput: LinearTensors
    /// Over attention's output, before it is added to the stream (Gemma 2).
    public var attentionOutputNormalization: NormalizationTensors?
    /// Over the stream itself, between attention and perceptron (OPT-350M).
    public var middleNormalization: NormalizationTensors?
    public var perceptronNormalization: NormalizationTensors?
    /// Gate and up, or up alone.
    public var up: [LinearTensors]
    public var xielu: XIELUTensors?
    /// The map that edits change.
    public var down: LinearTensors
    /// Over the down-projection's output, before it is added to the stream (Gemma 2).
    public var downNormalization: NormalizationTensors?
    /// Over the stream itself, last (OPT-350M).
    public var leavingNormalization: NormalizationTensors?
    public var perLayerInput: PerLayerInputTensors?
    /// A tensor of one value.
    public var scale: ByteString?
  }

  /// The widest of all layers' heads, for buffers that serve them all.
  var largestPackedSize: Int { layers.map(\.heads.packedSize).max() ?? 0 }
  var largestQuerySize: Int { layers.map(\.heads.querySize).max() ?? 0 }

  var largestIntermediateSize: Int { layers.map(\.intermediateSize).max() ?? 0 }

  /// The outputs of a layer's up map.
  func upSize(_ layer: Layer) -> Int {
    if case .gated = perceptron { return 2 * layer.intermediateSize }
    return layer.intermediateSize
  }

  /// The bytes that a token's keys and values take in all layers, in float32.
  public var keyValueByteCount: Int { layers.reduce(0) { $0 + 8 * $1.heads.keyValueSize } }
}
