import LinearAlgebra
import Safetensors
import Tensors

/// One block's weights in float32.
struct LayerWeights {
  let attentionNormalization: Normalization
  let queryKeyValue: Linear
  let headNormalization: HeadNormalization?
  let attentionOutput: Linear
  let attentionOutputNormalization: Normalization?
  let perceptronNormalization: Normalization
  let up: Linear
  let down: Linear
  let downNormalization: Normalization?
  let attentionWindow: Int?

  var byteCount: Int {
    queryKeyValue.byteCount + attentionOutput.byteCount + up.byteCount + down.byteCount
  }
}

/// Reads a checkpoint's weights as an architecture names them.
struct WeightLoader {
  let checkpoint: Checkpoint
  let architecture: Architecture

  /// Whether every tensor that the architecture names is there, has the shape that it implies and a dtype that Errata
  /// computes with.
  ///
  /// - Throws: an `ErrataError` that names the first tensor that does not.
  func check() throws {
    let architecture = architecture
    try check(architecture.tokenEmbedding, [architecture.vocabularySize, architecture.hiddenSize])
    try check(architecture.head, [architecture.vocabularySize, architecture.hiddenSize])
    if let bias = architecture.headBias { try check(bias, [architecture.vocabularySize]) }
    try check(architecture.finalNormalization)
    if case .learned(let tensor) = architecture.positions {
      try check(tensor, [architecture.maximumPositions, architecture.hiddenSize])
    }
    for index in 0..<architecture.layerCount {
      let layer = architecture.layer(index)
      try check(layer.attentionNormalization)
      try check(layer.perceptronNormalization)
      for normalization in [layer.attentionOutputNormalization, layer.downNormalization] {
        if let normalization { try check(normalization) }
      }
      for normalization in [layer.queryNormalization, layer.keyNormalization] {
        if let normalization { try check(normalization, width: architecture.headSize) }
      }
      try check(
        layer.queryKeyValue, outputs: [architecture.querySize, architecture.keyValueSize, architecture.keyValueSize],
        input: architecture.hiddenSize)
      try check([layer.attentionOutput], outputs: [architecture.hiddenSize], input: architecture.querySize)
      let isGated = architecture.upSize > architecture.intermediateSize
      try check(
        layer.up, outputs: Array(repeating: architecture.intermediateSize, count: isGated ? 2 : 1),
        input: architecture.hiddenSize)
      try check([layer.down], outputs: [architecture.hiddenSize], input: architecture.intermediateSize)
    }
  }

  private func check(_ normalization: Architecture.NormalizationTensors, width: Int? = nil) throws {
    let width = width ?? architecture.hiddenSize
    try check(normalization.weight, [width])
    if let bias = normalization.bias { try check(bias, [width]) }
  }

  /// `outputs` are those of the parts; a family that stores them fused lists one tensor for all.
  private func check(_ linears: [Architecture.LinearTensors], outputs: [Int], input: Int) throws {
    let outputs = linears.count == outputs.count ? outputs : [outputs.reduce(0, +)]
    for (linear, output) in zip(linears, outputs) {
      try check(linear.weight, architecture.storesTransposed ? [input, output] : [output, input])
      if let bias = linear.bias { try check(bias, [output]) }
    }
  }

  private func check(_ name: ByteString, _ extents: [Int]) throws {
    let tensor = try checkpoint.tensor(named: name)
    guard tensor.dtype.isWeightType else {
      throw ErrataError.unsupportedSetting(
        checkpoint.path, "dtype of \(name)", tensor.dtype.rawValue, supported: "F32, F16, BF16")
    }
    guard tensor.shape == Shape(extents) else {
      throw ErrataError.wrongShape(checkpoint.path, name, expected: Shape(extents), found: tensor.shape)
    }
  }

  /// - Parameter replacements: matrices, as stored, that stand in for tensors of the checkpoint.
  func layer(_ index: Int, replacements: [ByteString: Matrix<Float>]) throws -> LayerWeights {
    let tensors = architecture.layer(index)
    let queryKeyValue = try linear(tensors.queryKeyValue, replacements)
    return LayerWeights(
      attentionNormalization: try normalization(tensors.attentionNormalization),
      queryKeyValue: architecture.fusedLayout == .interleavedByHead ? concatenated(queryKeyValue) : queryKeyValue,
      headNormalization: try headNormalization(tensors),
      attentionOutput: try linear([tensors.attentionOutput], replacements),
      attentionOutputNormalization: try tensors.attentionOutputNormalization.map(normalization),
      perceptronNormalization: try normalization(tensors.perceptronNormalization),
      up: try linear(tensors.up, replacements),
      down: try linear([tensors.down], replacements),
      downNormalization: try tensors.downNormalization.map(normalization),
      attentionWindow: tensors.attentionWindow)
  }

  private func headNormalization(_ tensors: Architecture.LayerTensors) throws -> HeadNormalization? {
    guard let query = tensors.queryNormalization, let key = tensors.keyNormalization else { return nil }
    return HeadNormalization(
      query: try normalization(query), key: try normalization(key), headCount: architecture.headCount,
      keyValueHeadCount: architecture.keyValueHeadCount)
  }

  /// The same map with its outputs in the order queries, keys, values, from query, key and value of each head.
  private func concatenated(_ fused: Linear) -> Linear {
    let size = architecture.headSize
    let order = (0..<3).flatMap { part in
      (0..<architecture.headCount).flatMap { head in (0..<size).map { (head * 3 + part) * size + $0 } }
    }
    return Linear(
      weight: fused.weight.rows(at: order), isInputMajor: false,
      bias: fused.bias.map { bias in order.map { bias[$0] } })
  }

  func normalization(_ tensors: Architecture.NormalizationTensors) throws -> Normalization {
    let offset = architecture.normalizationWeightOffset
    return Normalization(
      kind: architecture.normalization,
      weight: try checkpoint.matrix(named: tensors.weight).elements.map { $0 + offset },
      bias: try tensors.bias.map { try checkpoint.matrix(named: $0).elements })
  }

  func head() throws -> Linear {
    Linear(
      weight: try weight([architecture.head], [:]), isInputMajor: false,
      bias: try architecture.headBias.map { try checkpoint.matrix(named: $0).elements })
  }

  private func linear(
    _ parts: [Architecture.LinearTensors], _ replacements: [ByteString: Matrix<Float>]
  ) throws -> Linear {
    let biases = try parts.map { try $0.bias.map { try checkpoint.matrix(named: $0).elements } }
    let hasBias = biases.contains { $0 != nil }
    return Linear(
      weight: try weight(parts.map(\.weight), replacements), isInputMajor: architecture.storesTransposed,
      bias: hasBias
        ? try zip(parts, biases).flatMap {
          try $1 ?? Array(repeating: 0, count: checkpoint.tensor(named: $0.weight).shape.extents[0])
        } : nil)
  }

  /// The rows of all tensors in float32, one below the other: one tall product is faster than three short ones.
  private func weight(_ names: [ByteString], _ replacements: [ByteString: Matrix<Float>]) throws -> Matrix<Float> {
    if names.count == 1, let replacement = replacements[names[0]] { return replacement }
    let tensors = try names.map { try checkpoint.tensor(named: $0) }
    let columns = tensors[0].shape.extents[1]
    var result = Matrix<Float>(
      uninitializedRows: tensors.reduce(0) { $0 + $1.shape.extents[0] }, columns: columns)
    result.withUnsafeMutablePointer { target in
      var offset = 0
      for (name, tensor) in zip(names, tensors) {
        let destination = Shared(target + offset)
        let rows = tensor.shape.extents[0]
        if let replacement = replacements[name] {
          replacement.withUnsafePointer { destination.pointer.update(from: $0, count: replacement.count) }
        } else {
          Threads.forRanges(rows, grain: max(1, (1 << 16) / columns)) { range in
            let rowBytes = columns * tensor.dtype.bitsPerElement / 8
            widen(
              UnsafeRawBufferPointer(
                rebasing: tensor.bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]),
              dtype: tensor.dtype,
              into: UnsafeMutableBufferPointer(
                start: destination.pointer + range.lowerBound * columns, count: range.count * columns))
          }
        }
        offset += rows * columns
      }
    }
    return result
  }
}
