import LinearAlgebra
import Safetensors
import Tensors

/// A decoder-only transformer over a checkpoint's weights, which stay mapped in their stored dtype.
///
/// Float32 copies of layers are made when a layer runs, and kept while they fit `weightBudget`. Not thread-safe: one
/// decoder serves one computation at a time, and uses all threads for it.
public final class Decoder {
  public let checkpoint: Checkpoint
  public let architecture: Architecture
  let attention: Attention
  let perceptron: Perceptron
  let rotation: Rotation?
  private let loader: WeightLoader
  private let weightBudget: Int
  private var cachedLayers: [Int: LayerWeights] = [:]
  private var cachedByteCount = 0
  private var replacements: [ByteString: Matrix<Float>] = [:]
  let finalNormalization: Normalization
  private(set) lazy var head: Result<Linear, any Error> = Result {
    try Profile.measure("weights to float32") { try loader.head() }
  }

  /// - Parameter weightBudget: bytes of float32 weights to keep, at most.
  /// - Throws: an `ErrataError` if the architecture is not supported or a tensor is missing or has the wrong shape.
  public init(_ checkpoint: Checkpoint, weightBudget: Int = 1 << 30) throws {
    guard let configurationPath = checkpoint.configurationPath else {
      throw ErrataError.bareFileHasNoModel(checkpoint.path)
    }
    let configuration = try Configuration(contentsOf: configurationPath)
    if configuration.value("quantization_config") != nil {
      throw ErrataError.quantized(configurationPath)
    }
    guard let family = Family.all.first(where: { $0.modelType == configuration.modelType }) else {
      throw ErrataError.unsupportedArchitecture(configurationPath, configuration.modelType)
    }
    let architecture = try family.describe(configuration, checkpoint.contains)
    self.checkpoint = checkpoint
    self.architecture = architecture
    self.weightBudget = weightBudget
    loader = WeightLoader(checkpoint: checkpoint, architecture: architecture)
    try loader.check()
    finalNormalization = try loader.normalization(architecture.finalNormalization)
    attention = Attention(
      headCount: architecture.headCount, keyValueHeadCount: architecture.keyValueHeadCount,
      headSize: architecture.headSize,
      scale: architecture.attentionScale ?? 1 / Float(architecture.headSize).squareRoot(),
      scoreCap: architecture.attentionScoreCap)
    perceptron = Perceptron(kind: architecture.perceptron, width: architecture.intermediateSize)
    if case .rotary(let embedding) = architecture.positions {
      // Edits, evaluations and second moments run on short sequences: no table for a context of a million positions.
      rotation = Rotation(embedding, positionCount: min(architecture.maximumPositions, Self.longestSequence))
    } else {
      rotation = nil
    }
  }

  private static let longestSequence = 8192

  /// The longest sequence that `embed` takes.
  public var maximumSequenceLength: Int { min(architecture.maximumPositions, Self.longestSequence) }

  /// The name of the tensor that an edit at `layer` changes.
  public func editedTensor(_ layer: Int) -> ByteString { architecture.layer(layer).down.weight }

  /// Lets `matrix`, oriented as the checkpoint stores it, stand in for a tensor; nil takes the checkpoint's again.
  public func replace(_ tensor: ByteString, with matrix: Matrix<Float>?) {
    replacements[tensor] = matrix
    for (layer, weights) in cachedLayers where names(layer).contains(tensor) {
      cachedByteCount -= weights.byteCount
      cachedLayers[layer] = nil
    }
  }

  private func names(_ layer: Int) -> [ByteString] {
    let tensors = architecture.layer(layer)
    return (tensors.queryKeyValue + tensors.up + [tensors.attentionOutput, tensors.down]).map(\.weight)
  }

  func layer(_ index: Int) throws -> LayerWeights {
    if let cached = cachedLayers[index] { return cached }
    let weights = try Profile.measure("weights to float32") { try loader.layer(index, replacements: replacements) }
    if cachedByteCount + weights.byteCount <= weightBudget {
      cachedLayers[index] = weights
      cachedByteCount += weights.byteCount
    }
    return weights
  }

  /// Lets go of the float32 copies of layers that will not run for a while; they are made again when they do.
  public func release(layers: Range<Int>) {
    for layer in layers {
      guard let weights = cachedLayers.removeValue(forKey: layer) else { continue }
      cachedByteCount -= weights.byteCount
    }
  }

  /// The residual stream entering layer 0 (rows x hidden size): embeddings of `tokens` at `positions`.
  ///
  /// - Throws: an `ErrataError` for a token outside of the vocabulary or a position past the model's last.
  public func embed(tokens: [Int32], positions: [Int32]) throws -> Matrix<Float> {
    let size = architecture.hiddenSize
    if let last = positions.max(), Int(last) >= maximumSequenceLength {
      throw ErrataError.sequenceTooLong(Int(last) + 1, maximum: maximumSequenceLength)
    }
    try check(tokens: tokens)
    var result = try rows(of: architecture.tokenEmbedding, at: tokens)
    if architecture.embeddingScale != 1 {
      let scale = architecture.embeddingScale
      result.withUnsafeMutablePointer { for index in 0..<tokens.count * size { $0[index] *= scale } }
    }
    if case .learned(let tensor) = architecture.positions {
      let offsets = try rows(of: tensor, at: positions)
      result.withUnsafeMutablePointer { target in
        offsets.withUnsafePointer { for index in 0..<tokens.count * size { target[index] += $0[index] } }
      }
    }
    return result
  }

  /// - Throws: an `ErrataError` for a token outside of the vocabulary: the tokenizer belongs to another model.
  public func check(tokens: [Int32]) throws {
    if let bad = tokens.first(where: { $0 < 0 || Int($0) >= architecture.vocabularySize }) {
      throw ErrataError.tokenOutOfRange(bad, vocabularySize: architecture.vocabularySize)
    }
  }

  private func rows(of name: ByteString, at indices: [Int32]) throws -> Matrix<Float> {
    let tensor = try checkpoint.tensor(named: name)
    let size = architecture.hiddenSize
    let rowBytes = size * tensor.dtype.bitsPerElement / 8
    var result = Matrix<Float>(uninitializedRows: indices.count, columns: size)
    result.withUnsafeMutablePointer { target in
      for (row, index) in indices.enumerated() {
        let start = Int(index) * rowBytes
        widen(
          UnsafeRawBufferPointer(rebasing: tensor.bytes[start..<start + rowBytes]), dtype: tensor.dtype,
          into: UnsafeMutableBufferPointer(start: target + row * size, count: size))
      }
    }
    return result
  }
}
