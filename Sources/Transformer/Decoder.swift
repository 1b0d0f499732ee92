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
  let loader: BlockLoader
  private var blocks: [Int: Block] = [:]
  private var replacements: [ByteString: [UInt8]] = [:]
  let embeddingNormalization: Normalization?
  let embeddingProjection: Linear?
  let finalNormalization: Normalization?
  let outputProjection: Linear?
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
    let architecture = try Family.architecture(configuration, checkpoint.contains)
    self.checkpoint = checkpoint
    self.configuration = configuration
    self.architecture = architecture
    let loader = BlockLoader(checkpoint: checkpoint, architecture: architecture)
    try loader.check()
    self.loader = loader
    embeddingNormalization = try architecture.embeddingNormalization.map {
      try loader.normalization($0, width: architecture.hiddenSize)
    }
    embeddingProjection = try architecture.embeddingProjection.map { try loader.map($0.tensor) }
    finalNormalization = try architecture.finalNormalization.map {
      try loader.normalization($0, width: architecture.hiddenSize)
    }
    outputProjection = try architecture.outputProjection.map { try loader.map($0) }
    head = try loader.map(architecture.head, bias: architecture.headBias)
  }

  /// Edits, evaluations and second moments run on short sequences: no table for a context of a million positions.
  static let longestSequence = 8192

  /// The longest sequence that `embed` takes.
  public var maximumSequenceLength: Int { min(architecture.maximumPositions, Self.longestSequence) }

  /// The name of the tensor that an edit at `layer` changes.
  public func editedTensor(_ layer: Int) -> ByteString { architecture.layers[layer].down.weight }

  /// Lets `bytes`, in the dtype and order of the checkpoint's, stand in for a tensor's; nil takes the checkpoint's again.
  public func replace(_ tensor: ByteString, with bytes: [UInt8]?) throws {
    if let bytes {
      let stored = try checkpoint.tensor(named: tensor).bytes.count
      precondition(bytes.count == stored, "\(tensor) takes \(stored) bytes, not \(bytes.count)")
    } else if replacements[tensor] == nil {
      return
    }
    replacements[tensor] = bytes
    for layer in blocks.keys where names(layer).contains(tensor) { blocks[layer] = nil }
  }

  private func names(_ layer: Int) -> [ByteString] {
    let tensors = architecture.layers[layer]
    return (tensors.queryKeyValue + tensors.up + [tensors.attentionOutput, tensors.down]).map(\.weight)
  }

  func block(_ index: Int) throws -> Block {
    if let known = blocks[index] { return known }
    let block = try loader.block(index, replacements: replacements)
    blocks[index] = block
    return block
  }
}
