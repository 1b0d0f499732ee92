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
  private var changes = WeightChanges()
  let embeddingNormalization: Normalization?
  let embeddingProjection: Linear?
  let finalNormalization: Normalization?
  let outputProjection: Linear?
  let head: Linear

  /// - Throws: an `ErrataError` if the architecture is not supported or a tensor is missing or has the wrong shape.
  public init(_ checkpoint: Checkpoint) throws {
    let (architecture, configuration) = try Architecture.describe(checkpoint)
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

  /// Lets `bytes`, in the dtype and order of the checkpoint's, stand in for a tensor's; nil takes the checkpoint's
  /// again.
  public func replace(_ tensor: ByteString, with bytes: [UInt8]?) throws {
    if let bytes {
      let stored = try checkpoint.tensor(named: tensor).bytes.count
      precondition(bytes.count == stored, "\(tensor) takes \(stored) bytes, not \(bytes.count)")
    } else if changes.replacements[tensor] == nil {
      return
    }
    changes.replacements[tensor] = bytes
    forget(tensor)
  }

  /// Lets a term stand beside a linear map's weights, and beside the terms that do already.
  ///
  /// - Precondition: the tensor is a linear map of a block, and the term has its size.
  package func add(_ term: LowRankTerm, to tensor: ByteString) {
    changes.terms[tensor, default: []].append(term)
    forget(tensor)
  }

  /// Takes all terms away.
  package func removeTerms() {
    let tensors = Array(changes.terms.keys)
    changes.terms = [:]
    tensors.forEach(forget)
  }

  private func forget(_ tensor: ByteString) {
    for layer in blocks.keys where names(layer).contains(tensor) { blocks[layer] = nil }
  }

  private func names(_ layer: Int) -> [ByteString] {
    let tensors = architecture.layers[layer]
    return (tensors.queryKeyValue + tensors.up + [tensors.attentionOutput, tensors.down]).map(\.weight)
  }

  func block(_ index: Int) throws -> Block {
    if let known = blocks[index] { return known }
    let block = try loader.block(index, changes)
    blocks[index] = block
    return block
  }
}
