import LinearAlgebra
import Safetensors
import Tensors

/// A decoder-only transformer over a checkpoint's weights, which stay mapped in their stored dtype.
///
/// Not thread-safe: one decoder serves one computation at a time, and uses all threads for it.
public final class Decoder {
  public let checkpoint: Checkpoint
  public let configuration: Configuration
  public let architecture: Architecture
  let attention: Attention
  let perceptron: Perceptron
  let rotation: Rotation?
  private let loader: WeightLoader
  private var layers: [Int: LayerWeights] = [:]
  private var replacements: [ByteString: [UInt8]] = [:]
  let finalNormalization: Normalization
  let head: Linear

  /// - Throws: an `ErrataError` if the architecture is not supported or a tensor is missing or has the wrong shape.
  public init(_ checkpoint: Checkpoint) throws {
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
    self.configuration = configuration
    self.architecture = architecture
    loader = WeightLoader(checkpoint: checkpoint, architecture: architecture)
    try loader.check()
    finalNormalization = try loader.normalization(architecture.finalNormalization)
    head = try loader.head()
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

  /// Lets `bytes`, in the dtype and order of the checkpoint's, stand in for a tensor's; nil takes the checkpoint's again.
  public func replace(_ tensor: ByteString, with bytes: [UInt8]?) throws {
    if let bytes {
      let stored = try checkpoint.tensor(named: tensor).bytes.count
      precondition(bytes.count == stored, "\(tensor) takes \(stored) bytes, not \(bytes.count)")
    } else if replacements[tensor] == nil {
      return
    }
    replacements[tensor] = bytes
    for layer in layers.keys where names(layer).contains(tensor) { layers[layer] = nil }
  }

  private func names(_ layer: Int) -> [ByteString] {
    let tensors = architecture.layer(layer)
    return (tensors.queryKeyValue + tensors.up + [tensors.attentionOutput, tensors.down]).map(\.weight)
  }

  func layer(_ index: Int) throws -> LayerWeights {
    if let known = layers[index] { return known }
    let weights = try loader.layer(index, replacements: replacements)
    layers[index] = weights
    return weights
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
