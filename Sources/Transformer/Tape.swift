import Tensors

/// What a forward pass records for the backward pass over the same rows and layers. Reused from step to step.
public final class Tape {
  public let plan: AttentionPlan
  public let layers: Range<Int>
  let records: [BlockRecord]

  /// - Parameters:
  ///   - plan: the rows, the same in every pass that uses this tape.
  ///   - layers: the layers that are run.
  public init(_ decoder: Decoder, plan: AttentionPlan, layers: Range<Int>) {
    self.plan = plan
    self.layers = layers
    let architecture = decoder.architecture
    let probabilityCount = Attention.probabilityOffsets(plan, headCount: architecture.layers[0].heads.count).count
    records = layers.map {
      BlockRecord(
        architecture, layers: $0..<$0 + 1, rows: plan.rowCount, isTaped: true, probabilityCount: probabilityCount)
    }
  }

  /// The bytes that a tape takes per row and layer at most, probabilities aside.
  public static func byteCountPerRow(_ architecture: Architecture) -> Int {
    let counts = architecture.layers.map {
      BlockRecord.floatCountsPerRow(architecture, $0, isTaped: true).reduce(0, +)
    }
    return 4 * (counts.max() ?? 0)
  }
}

/// What one block's forward pass leaves for its backward pass. Without a tape, one record serves all layers.
struct BlockRecord {
  /// The residual stream as each of the block's norms read it, rows x hidden size; without elements where there is
  /// none.
  let entering: AlignedStorage<Float>
  let input: AlignedStorage<Float>
  let beforeMiddle: AlignedStorage<Float>
  let middle: AlignedStorage<Float>
  let leaving: AlignedStorage<Float>
  /// Queries, keys (both rotated) and values, rows x their sizes.
  let packed: AlignedStorage<Float>
  /// What is normalized of those, before it is, rows x its size; without elements if nothing is.
  let unnormalized: AlignedStorage<Float>
  /// Queries, keys and values after they were bounded; without elements if they are not.
  let bounded: AlignedStorage<Float>
  /// The softmax's, laid out by `Attention.probabilityOffsets`; nil without a tape.
  let probabilities: AlignedStorage<Float>?
  /// Attention's output before it joins the stream, rows x hidden size; without elements if it is added as it is.
  let attentionOutput: AlignedStorage<Float>
  /// The up map's output, before the activation.
  let up: AlignedStorage<Float>
  /// The down map's output before it joins the stream, as attention's.
  let downOutput: AlignedStorage<Float>
  let perLayerInput: PerLayerInput.Record?

  var isTaped: Bool { probabilities != nil }

  /// - Parameters:
  ///   - layers: those that it is to serve.
  ///   - isTaped: whether a backward pass follows, which reads the streams.
  ///   - probabilityCount: how many values the softmax has.
  init(_ architecture: Architecture, layers: Range<Int>, rows: Int, isTaped: Bool, probabilityCount: Int = 0) {
    let counts = Self.largestFloatCountsPerRow(architecture, layers: layers, isTaped: isTaped)
    let storages = counts.dropLast().map { AlignedStorage<Float>(count: rows * $0) }
    (entering, input, beforeMiddle, middle, leaving) = (storages[0], storages[1], storages[2], storages[3], storages[4])
    (packed, unnormalized, bounded) = (storages[5], storages[6], storages[7])
    (attentionOutput, up, downOutput) = (storages[8], storages[9], storages[10])
    probabilities = isTaped ? AlignedStorage(count: probabilityCount) : nil
    perLayerInput = architecture.perLayerInput.map {
      PerLayerInput.Record(rows: rows, size: $0.size, hiddenSize: architecture.hiddenSize)
    }
  }

  /// What one record that serves several layers needs.
  static func largestFloatCountsPerRow(_ architecture: Architecture, layers: Range<Int>, isTaped: Bool) -> [Int] {
    architecture.layers[layers].reduce(into: []) { counts, layer in
      let own = floatCountsPerRow(architecture, layer, isTaped: isTaped)
      counts = counts.isEmpty ? own : zip(counts, own).map(max)
    }
  }

  /// The floats of each storage per row, in the order of the fields, the per-layer input's together at the end.
  static func floatCountsPerRow(
    _ architecture: Architecture, _ layer: Architecture.Layer, isTaped: Bool
  ) -> [Int] {
    let hiddenSize = architecture.hiddenSize
    func stream(_ normalization: Architecture.NormalizationTensors?) -> Int {
      isTaped && normalization != nil ? hiddenSize : 0
    }
    func output(_ normalization: Architecture.NormalizationTensors?) -> Int {
      normalization != nil || architecture.branchScale != 1 ? hiddenSize : 0
    }
    let heads = layer.heads
    let normalizedSize =
      layer.headNormalization.map { heads.querySize + ($0.includesValues ? 2 : 1) * heads.keyValueSize } ?? 0
    return [
      stream(layer.enteringNormalization), stream(layer.attentionNormalization), stream(layer.middleNormalization),
      stream(layer.perceptronNormalization), stream(layer.leavingNormalization), heads.packedSize, normalizedSize,
      architecture.queryKeyValueLimit == nil ? 0 : heads.packedSize, output(layer.attentionOutputNormalization),
      architecture.upSize(layer), output(layer.downNormalization),
      architecture.perLayerInput.map {
        PerLayerInput.Record.floatCountPerRow(size: $0.size, hiddenSize: hiddenSize)
      } ?? 0,
    ]
  }
}
