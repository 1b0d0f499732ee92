import LinearAlgebra
import Safetensors
import Tensors

/// One block's weights.
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
}

/// Reads a checkpoint's weights as an architecture names them.
struct WeightLoader {
  let checkpoint: Checkpoint
  let architecture: Architecture
  private let buffers = PanelBuffers()

  init(checkpoint: Checkpoint, architecture: Architecture) {
    self.checkpoint = checkpoint
    self.architecture = architecture
  }

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

  /// - Parameter replacements: bytes, as stored, that stand in for those of tensors of the checkpoint.
  func layer(_ index: Int, replacements: [ByteString: [UInt8]]) throws -> LayerWeights {
    let tensors = architecture.layer(index)
    return LayerWeights(
      attentionNormalization: try normalization(tensors.attentionNormalization),
      queryKeyValue: try queryKeyValue(tensors.queryKeyValue, replacements),
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

  /// The map whose outputs are all queries, all keys, all values, also where a tensor has those of one head together.
  private func queryKeyValue(
    _ tensors: [Architecture.LinearTensors], _ replacements: [ByteString: [UInt8]]
  ) throws -> Linear {
    guard architecture.fusedLayout == .interleavedByHead else { return try linear(tensors, replacements) }
    let (size, fused) = (architecture.headSize, tensors[0])
    let order = (0..<3).flatMap { part in
      (0..<architecture.headCount).map { head in (head * 3 + part) * size..<(head * 3 + part + 1) * size }
    }
    let whole = try part(fused.weight, replacements)
    let bias = try fused.bias.map { try checkpoint.matrix(named: $0).elements }
    return Linear(
      weight: StoredWeight(
        order.map { StoredWeight.Part(source: whole.source, dtype: whole.dtype, rows: $0) },
        columns: architecture.hiddenSize, buffers: buffers),
      isInputMajor: false, bias: bias.map { bias in order.flatMap { bias[$0] } })
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
    _ tensors: [Architecture.LinearTensors], _ replacements: [ByteString: [UInt8]]
  ) throws -> Linear {
    let biases = try tensors.map { try $0.bias.map { try checkpoint.matrix(named: $0).elements } }
    let hasBias = biases.contains { $0 != nil }
    return Linear(
      weight: try weight(tensors.map(\.weight), replacements), isInputMajor: architecture.storesTransposed,
      bias: hasBias
        ? try zip(tensors, biases).flatMap {
          try $1 ?? Array(repeating: 0, count: checkpoint.tensor(named: $0.weight).shape.extents[0])
        } : nil)
  }

  private func weight(_ names: [ByteString], _ replacements: [ByteString: [UInt8]]) throws -> StoredWeight {
    StoredWeight(
      try names.map { try part($0, replacements) }, columns: try checkpoint.tensor(named: names[0]).shape.extents[1],
      buffers: buffers)
  }

  /// A whole tensor, or what stands in for it.
  private func part(_ name: ByteString, _ replacements: [ByteString: [UInt8]]) throws -> StoredWeight.Part {
    let tensor = try checkpoint.tensor(named: name)
    return StoredWeight.Part(
      source: replacements[name].map { .held($0) } ?? .mapped(tensor), dtype: tensor.dtype,
      rows: 0..<tensor.shape.extents[0])
  }
}
