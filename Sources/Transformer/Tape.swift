import Tensors

/// What a forward pass records for the backward pass over the same rows and layers. Reused from step to step.
public final class Tape {
  struct Layer {
    /// The residual stream entering the block, rows x hidden size.
    var input: Matrix<Float>
    /// Queries, keys (both rotated) and values, rows x their sizes.
    var packed: Matrix<Float>
    /// Queries and keys before their normalization, rows x their sizes; without columns if they are not normalized.
    var unnormalized: Matrix<Float>
    var probabilities: Matrix<Float>
    /// Attention's output before its normalization, rows x hidden size; without columns if it is not normalized.
    var attentionOutput: Matrix<Float>
    /// The residual stream that the perceptron reads.
    var middle: Matrix<Float>
    /// The up map's output, before the activation.
    var up: Matrix<Float>
    /// The down map's output before its normalization, rows x hidden size; without columns if it is not normalized.
    var downOutput: Matrix<Float>
  }

  public let plan: AttentionPlan
  public let layers: Range<Int>
  var records: [Layer]

  /// - Parameters:
  ///   - plan: the rows, the same in every pass that uses this tape.
  ///   - layers: the layers that are run.
  public init(_ decoder: Decoder, plan: AttentionPlan, layers: Range<Int>) {
    self.plan = plan
    self.layers = layers
    let architecture = decoder.architecture
    let rows = plan.rowCount
    let probabilityCount = decoder.attention.probabilityOffsets(plan).count
    records = layers.map { _ in
      Layer(
        input: Matrix(uninitializedRows: rows, columns: architecture.hiddenSize),
        packed: Matrix(uninitializedRows: rows, columns: architecture.queryKeyValueSize),
        unnormalized: Matrix(uninitializedRows: rows, columns: architecture.unnormalizedSize),
        probabilities: Matrix(rows: 1, columns: probabilityCount),
        attentionOutput: Matrix(uninitializedRows: rows, columns: architecture.normalizedOutputSize),
        middle: Matrix(uninitializedRows: rows, columns: architecture.hiddenSize),
        up: Matrix(uninitializedRows: rows, columns: architecture.upSize),
        downOutput: Matrix(uninitializedRows: rows, columns: architecture.normalizedOutputSize))
    }
  }

  /// The bytes that a tape takes per row and layer, probabilities aside.
  public static func byteCountPerRow(_ architecture: Architecture) -> Int {
    4
      * (2 * architecture.hiddenSize + architecture.queryKeyValueSize + architecture.upSize
        + architecture.unnormalizedSize + 2 * architecture.normalizedOutputSize)
  }
}

extension Architecture {
  /// The length of the queries and keys of a row if they are normalized, else 0.
  var unnormalizedSize: Int { normalizesQueriesAndKeys ? querySize + keyValueSize : 0 }
  /// The length of a branch's output if it is normalized before it is added to the stream, else 0.
  var normalizedOutputSize: Int { normalizesDownOutput ? hiddenSize : 0 }
}
