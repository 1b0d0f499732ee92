import Safetensors
import Tensors

extension BlockLoader {
  /// Whether every tensor that the architecture names is there, has the shape that it implies and a dtype that Errata
  /// computes with.
  ///
  /// - Throws: an `ErrataError` that names the first tensor that does not.
  func check() throws {
    let (architecture, hiddenSize) = (architecture, architecture.hiddenSize)
    try check(architecture.tokenEmbedding, [architecture.vocabularySize, architecture.embeddingSize])
    try check(architecture.head, [architecture.vocabularySize, architecture.embeddingSize])
    if let bias = architecture.headBias { try check(bias, [architecture.vocabularySize]) }
    if let projection = architecture.embeddingProjection {
      try check(projection.tensor, [hiddenSize, projection.size])
    }
    if let projection = architecture.outputProjection {
      try check(projection, [architecture.embeddingSize, hiddenSize])
    }
    try check(architecture.embeddingNormalization)
    try check(architecture.finalNormalization)
    if let positions = architecture.learnedPositions {
      try check(positions.tensor, [architecture.maximumPositions + positions.firstRow, hiddenSize])
    }
    if let inputs = architecture.perLayerInput {
      try check(inputs.embedding, [inputs.vocabularySize, architecture.layerCount * inputs.size])
      try check(inputs.projection, [architecture.layerCount * inputs.size, hiddenSize])
      try check(inputs.normalization, width: inputs.size)
    }
    for layer in architecture.layers { try check(layer) }
  }

  private func check(_ layer: Architecture.Layer) throws {
    let (heads, hiddenSize) = (layer.heads, architecture.hiddenSize)
    for normalization in [
      layer.enteringNormalization, layer.attentionNormalization, layer.perceptronNormalization,
      layer.attentionOutputNormalization, layer.middleNormalization, layer.downNormalization,
      layer.leavingNormalization,
    ] {
      try check(normalization)
    }
    if let normalization = layer.headNormalization {
      try check(normalization.query, normalization.scope, heads.count, heads.size)
      try check(normalization.key, normalization.scope, heads.keyValueCount, heads.size)
    }
    try check(
      layer.queryKeyValue,
      outputs: layer.keyValueSource == nil
        ? [heads.querySize, heads.keyValueSize, heads.keyValueSize] : [heads.querySize],
      input: hiddenSize)
    try check([layer.attentionOutput], outputs: [hiddenSize], input: heads.querySize)
    let isGated = architecture.upSize(layer) > layer.intermediateSize
    try check(
      layer.up, outputs: Array(repeating: layer.intermediateSize, count: isGated ? 2 : 1), input: hiddenSize)
    try check([layer.down], outputs: [hiddenSize], input: layer.intermediateSize)
    if let xielu = layer.xielu {
      for name in [xielu.positive, xielu.negative, xielu.beta, xielu.epsilon] { try checkScalar(name) }
    }
    if let inputs = layer.perLayerInput, let size = architecture.perLayerInput?.size {
      try check(inputs.gate, [size, hiddenSize])
      try check(inputs.projection, [hiddenSize, size])
      try check(inputs.normalization)
    }
    if let scale = layer.scale { try checkScalar(scale) }
  }

  private func check(_ normalization: Architecture.NormalizationTensors?, width: Int? = nil) throws {
    for name in [normalization?.weight, normalization?.bias] {
      if let name { try check(name, [width ?? architecture.hiddenSize]) }
    }
  }

  /// The normalizations of one part of the heads.
  private func check(
    _ tensors: [Architecture.NormalizationTensors], _ scope: Architecture.HeadNormalizationTensors.Scope,
    _ count: Int, _ size: Int
  ) throws {
    if scope == .eachHeadApart, tensors.count == 1, let weight = tensors[0].weight {
      return try check(weight, [count, size])
    }
    for normalization in tensors { try check(normalization, width: scope == .allHeads ? count * size : size) }
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
    try checkType(tensor, name)
    guard tensor.shape == Shape(extents) else {
      throw ErrataError.wrongShape(checkpoint.path, name, expected: Shape(extents), found: tensor.shape)
    }
  }

  /// A single value, in however many dimensions.
  private func checkScalar(_ name: ByteString) throws {
    let tensor = try checkpoint.tensor(named: name)
    try checkType(tensor, name)
    guard tensor.shape.elementCount == 1 else {
      throw ErrataError.wrongShape(checkpoint.path, name, expected: [1], found: tensor.shape)
    }
  }

  private func checkType(_ tensor: StoredTensor, _ name: ByteString) throws {
    guard tensor.dtype.isWeightType else {
      throw ErrataError.unsupportedSetting(
        checkpoint.path, "dtype of \(name)", tensor.dtype.rawValue, supported: "F32, F16, BF16")
    }
  }
}
