import CKernels
import Foundation
import LinearAlgebra
import Safetensors
import Tensors

/// Reads a checkpoint's weights as an architecture names them.
struct BlockLoader {
  let checkpoint: Checkpoint
  let architecture: Architecture
  private let buffers = PanelBuffers()
  private let rotations: [Rotation]
  private let positionBias: PositionBias?

  init(checkpoint: Checkpoint, architecture: Architecture) {
    self.checkpoint = checkpoint
    self.architecture = architecture
    let positions = min(architecture.maximumPositions, Decoder.longestSequence)
    rotations = architecture.rotaries.map { Rotation($0, positionCount: positions) }
    positionBias = architecture.linearBias.map {
      PositionBias(
        $0, positionCount: positions, attentionScale: Self.attentionScale(architecture, architecture.layers[0]))
    }
  }

  private static func attentionScale(_ architecture: Architecture, _ layer: Architecture.Layer) -> Float {
    architecture.attentionScale ?? 1 / Float(layer.heads.size).squareRoot()
  }

  /// - Parameter changes: what is not as the checkpoint has it.
  func block(_ index: Int, _ changes: WeightChanges) throws -> Block {
    let layer = architecture.layers[index]
    func stream(_ tensors: Architecture.NormalizationTensors?) throws -> Normalization? {
      try tensors.map { try normalization($0, width: architecture.hiddenSize) }
    }
    return Block(
      heads: layer.heads,
      enteringNormalization: try stream(layer.enteringNormalization),
      attentionNormalization: try stream(layer.attentionNormalization),
      queryKeyValue: try queryKeyValue(layer, changes),
      keyValueSource: layer.keyValueSource,
      queryKeyValueLimit: architecture.queryKeyValueLimit,
      headNormalization: try layer.headNormalization.map { try headNormalization($0, layer.heads) },
      rotation: layer.rotary.map { rotations[$0] },
      attention: Attention(
        headCount: layer.heads.count, keyValueHeadCount: layer.heads.keyValueCount, headSize: layer.heads.size,
        scale: Self.attentionScale(architecture, layer), scoreCap: architecture.attentionScoreCap,
        positionBias: positionBias),
      attentionWindow: layer.attentionWindow,
      attentionOutput: try linear([layer.attentionOutput], changes),
      attentionJunction: Junction(
        normalization: try stream(layer.attentionOutputNormalization), scale: architecture.branchScale),
      middleNormalization: try stream(layer.middleNormalization),
      perceptronNormalization: try stream(layer.perceptronNormalization),
      up: try linear(layer.up, changes),
      perceptron: try perceptron(layer),
      down: try linear([layer.down], changes),
      downJunction: Junction(normalization: try stream(layer.downNormalization), scale: architecture.branchScale),
      leavingNormalization: try stream(layer.leavingNormalization),
      perLayerInput: try layer.perLayerInput.map(perLayerInput),
      scale: try layer.scale.map(scalar) ?? 1)
  }

  private func headNormalization(
    _ tensors: Architecture.HeadNormalizationTensors, _ heads: Architecture.Heads
  ) throws -> HeadNormalization {
    func part(
      _ tensors: [Architecture.NormalizationTensors], _ size: Int, _ scope: Architecture.HeadNormalizationTensors.Scope
    )
      throws -> [Normalization]
    {
      switch scope {
      case .allHeads: try tensors.map { try normalization($0, width: size) }
      case .eachHead: try tensors.map { try normalization($0, width: heads.size) }
      case .eachHeadApart where tensors.count == 1: try normalization(tensors[0], width: size).split(width: heads.size)
      case .eachHeadApart: try tensors.map { try normalization($0, width: heads.size) }
      }
    }
    return HeadNormalization(
      query: try part(tensors.query, heads.querySize, tensors.scope),
      key: try part(tensors.key, heads.keyValueSize, tensors.scope),
      value: tensors.includesValues
        ? [try normalization(.init(weight: nil, bias: nil), width: heads.size, offset: 0)] : [],
      heads: heads, followsRotation: tensors.followsRotation)
  }

  private func perceptron(_ layer: Architecture.Layer) throws -> Perceptron {
    switch architecture.perceptron {
    case .plain(let activation): return Perceptron(kind: .plain(activation), width: layer.intermediateSize)
    case .gated(let activation): return Perceptron(kind: .gated(activation), width: layer.intermediateSize)
    case .xielu:
      let tensors = layer.xielu!
      // log1p(exp(x)), as PyTorch computes it.
      func softplus(_ x: Float) -> Float { x > 20 ? x : log1p(exp(x)) }
      let beta = try scalar(tensors.beta)
      let parameters = errata_xielu(
        positive: softplus(try scalar(tensors.positive)), negative: beta + softplus(try scalar(tensors.negative)),
        beta: beta, epsilon: try scalar(tensors.epsilon))
      return Perceptron(kind: .xielu(parameters), width: layer.intermediateSize)
    }
  }

  private func perLayerInput(_ tensors: Architecture.PerLayerInputTensors) throws -> PerLayerInput {
    let inputs = architecture.perLayerInput!
    return PerLayerInput(
      gate: try map(tensors.gate), projection: try map(tensors.projection),
      normalization: try normalization(tensors.normalization, width: architecture.hiddenSize),
      perceptron: Perceptron(kind: .gated(inputs.activation), width: inputs.size))
  }

  /// The map whose outputs are all queries, all keys, all values, in whatever order a fused tensor has them.
  private func queryKeyValue(
    _ layer: Architecture.Layer, _ changes: WeightChanges
  ) throws -> Linear {
    let tensors = layer.queryKeyValue
    guard tensors.count == 1, let order = architecture.fusedLayout.order(layer.heads) else {
      return try linear(tensors, changes)
    }
    let whole = try part(tensors[0].weight, changes)
    let bias = try tensors[0].bias.map { try checkpoint.matrix(named: $0).elements }
    return Linear(
      weight: StoredWeight(
        order.map { StoredWeight.Part(source: whole.source, dtype: whole.dtype, rows: $0) },
        columns: architecture.hiddenSize, buffers: buffers),
      isInputMajor: false, bias: bias.map { bias in order.flatMap { bias[$0] } },
      terms: changes.terms[tensors[0].weight, default: []].map { term in
        let left = term.left.rows(at: order.flatMap(Array.init))
        return PlacedTerm(term: LowRankTerm(left: left, right: term.right), offset: 0)
      })
  }

  /// - Parameter offset: nil for the architecture's.
  func normalization(
    _ tensors: Architecture.NormalizationTensors, width: Int, offset: Float? = nil
  ) throws -> Normalization {
    let offset = offset ?? architecture.normalizationWeightOffset
    return Normalization(
      kind: architecture.normalization,
      weight: try tensors.weight.map { try checkpoint.matrix(named: $0).elements.map { $0 + offset } }
        ?? Array(repeating: 1, count: width),
      bias: try tensors.bias.map { try checkpoint.matrix(named: $0).elements })
  }

  /// The map of one tensor, stored [out, in], or of some of its rows.
  func map(_ weight: ByteString, bias: ByteString? = nil, rows: Range<Int>? = nil) throws -> Linear {
    let whole = try part(weight, WeightChanges())
    return Linear(
      weight: StoredWeight(
        [StoredWeight.Part(source: whole.source, dtype: whole.dtype, rows: rows ?? whole.rows)],
        columns: try checkpoint.tensor(named: weight).shape.extents[1], buffers: buffers),
      isInputMajor: false, bias: try bias.map { try checkpoint.matrix(named: $0).elements })
  }

  private func linear(
    _ tensors: [Architecture.LinearTensors], _ changes: WeightChanges
  ) throws -> Linear {
    let biases = try tensors.map { try $0.bias.map { try checkpoint.matrix(named: $0).elements } }
    let hasBias = biases.contains { $0 != nil }
    return Linear(
      weight: StoredWeight(
        try tensors.map { try part($0.weight, changes) },
        columns: try checkpoint.tensor(named: tensors[0].weight).shape.extents[1], buffers: buffers),
      isInputMajor: architecture.storesTransposed,
      bias: hasBias
        ? try zip(tensors, biases).flatMap {
          try $1 ?? Array(repeating: 0, count: checkpoint.tensor(named: $0.weight).shape.extents[0])
        } : nil,
      terms: try terms(tensors, changes))
  }

  /// Those of maps whose outputs follow one another.
  private func terms(_ tensors: [Architecture.LinearTensors], _ changes: WeightChanges) throws -> [PlacedTerm] {
    var (result, offset): ([PlacedTerm], Int) = ([], 0)
    for tensor in tensors {
      result += changes.terms[tensor.weight, default: []].map { PlacedTerm(term: $0, offset: offset) }
      offset += try checkpoint.tensor(named: tensor.weight).shape.extents[architecture.storesTransposed ? 1 : 0]
    }
    return result
  }

  /// A whole tensor, or what stands in for it.
  private func part(_ name: ByteString, _ changes: WeightChanges) throws -> StoredWeight.Part {
    let tensor = try checkpoint.tensor(named: name)
    return StoredWeight.Part(
      source: changes.replacements[name].map { .held($0) } ?? .mapped(tensor), dtype: tensor.dtype,
      rows: 0..<tensor.shape.extents[0])
  }

  private func scalar(_ name: ByteString) throws -> Float {
    let tensor = try checkpoint.tensor(named: name)
    var value = [Float](repeating: 0, count: 1)
    value.withUnsafeMutableBufferPointer { widen(tensor.bytes, dtype: tensor.dtype, into: $0) }
    return value[0]
  }
}

extension Normalization {
  /// Those of the consecutive parts of the weight.
  fileprivate func split(width: Int) -> [Normalization] {
    stride(from: 0, to: weight.count, by: width).map { start in
      Normalization(
        kind: kind, weight: Array(weight[start..<start + width]), bias: bias.map { Array($0[start..<start + width]) })
    }
  }
}

extension Architecture.FusedLayout {
  /// The rows of a fused map that make up all queries, all keys and all values, in that order; nil if they stand so.
  fileprivate func order(_ heads: Architecture.Heads) -> [Range<Int>]? {
    if case .concatenated = self { return nil }
    let rows = rows(heads)
    return rows.query + rows.key + rows.value
  }
}
