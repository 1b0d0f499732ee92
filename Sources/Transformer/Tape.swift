import Tensors

/// What a forward pass records for the backward pass over the same rows and layers. Reused from step to step.
public final class Tape {
  struct Layer {
    /// The residual stream entering the block, rows x hidden size.
    var input: Matrix<Float>
    /// Queries, keys (both rotated) and values, rows x their sizes.
    var packed: Matrix<Float>
    var probabilities: Matrix<Float>
    /// The residual stream between attention and perceptron.
    var middle: Matrix<Float>
    /// The up map's output, before the activation.
    var up: Matrix<Float>
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
        probabilities: Matrix(rows: 1, columns: probabilityCount),
        middle: Matrix(uninitializedRows: rows, columns: architecture.hiddenSize),
        up: Matrix(uninitializedRows: rows, columns: architecture.upSize))
    }
  }

  /// The bytes that a tape takes per row and layer, probabilities aside.
  public static func byteCountPerRow(_ architecture: Architecture) -> Int {
    4 * (2 * architecture.hiddenSize + architecture.queryKeyValueSize + architecture.upSize)
  }
}
