import LinearAlgebra
import Safetensors
import Tensors

extension Decoder {
  /// The residual stream entering layer 0 (rows x hidden size): embeddings of `tokens` at `positions`.
  ///
  /// - Throws: an `ErrataError` for a token outside of the vocabulary or a position past the model's last.
  public func embed(tokens: [Int32], positions: [Int32]) throws -> Matrix<Float> {
    if let last = positions.max(), Int(last) >= maximumSequenceLength {
      throw ErrataError.sequenceTooLong(Int(last) + 1, maximum: maximumSequenceLength)
    }
    var result = try embeddings(of: tokens)
    if let learned = architecture.learnedPositions {
      let offsets = try rows(of: learned.tensor, at: positions.map { Int($0) + learned.firstRow })
      result.withUnsafeMutablePointer { target in
        offsets.withUnsafePointer { for index in 0..<offsets.count { target[index] += $0[index] } }
      }
    }
    return result
  }

  /// Rows x hidden size, without anything of a position.
  func embeddings(of tokens: [Int32]) throws -> Matrix<Float> {
    try check(tokens: tokens)
    var result = try rows(of: architecture.tokenEmbedding, at: tokens.map(Int.init))
    let scale = architecture.embeddingScale
    if scale != 1 {
      result.withUnsafeMutablePointer {
        for index in 0..<tokens.count * architecture.embeddingSize { $0[index] *= scale }
      }
    }
    if let embeddingProjection { result = result.mapped(by: embeddingProjection) }
    if let embeddingNormalization {
      var normalized = Matrix<Float>(uninitializedRows: result.rows, columns: result.columns)
      normalized.withUnsafeMutablePointer { target in
        result.withUnsafePointer { embeddingNormalization.forward($0, rows: result.rows, into: target) }
      }
      result = normalized
    }
    return result
  }

  /// - Throws: an `ErrataError` for a token outside of the vocabulary: the tokenizer belongs to another model.
  public func check(tokens: [Int32]) throws {
    let size = min(architecture.vocabularySize, architecture.perLayerInput?.vocabularySize ?? .max)
    if let bad = tokens.first(where: { $0 < 0 || Int($0) >= size }) {
      throw ErrataError.tokenOutOfRange(bad, vocabularySize: size)
    }
  }

  /// The values at `columns` (nil for all) of rows of a tensor, in float32.
  func rows(of name: ByteString, at indices: [Int], columns: Range<Int>? = nil) throws -> Matrix<Float> {
    let tensor = try checkpoint.tensor(named: name)
    let width = tensor.shape.extents[1]
    let columns = columns ?? 0..<width
    let elementBytes = tensor.dtype.bitsPerElement / 8
    var result = Matrix<Float>(uninitializedRows: indices.count, columns: columns.count)
    result.withUnsafeMutablePointer { target in
      for (row, index) in indices.enumerated() {
        let start = (index * width + columns.lowerBound) * elementBytes
        widen(
          UnsafeRawBufferPointer(rebasing: tensor.bytes[start..<start + columns.count * elementBytes]),
          dtype: tensor.dtype,
          into: UnsafeMutableBufferPointer(start: target + row * columns.count, count: columns.count))
      }
    }
    return result
  }
}

/// The per-layer inputs of some tokens (Gemma 4), which no position and no layer changes:
///
///     (norm(projection of the token's embedding / sqrt(hidden size)) + sqrt(size) second embedding) / sqrt(2)
struct PerLayerInputs {
  private let decoder: Decoder
  private let inputs: Architecture.PerLayerInput
  private let tokens: [Int32]
  private let embeddings: Matrix<Float>

  /// nil if the architecture has none.
  init?(_ decoder: Decoder, tokens: [Int32]) throws {
    guard let inputs = decoder.architecture.perLayerInput else { return nil }
    self.decoder = decoder
    self.inputs = inputs
    self.tokens = tokens
    embeddings = try decoder.embeddings(of: tokens)
  }

  /// Tokens x size.
  func values(layer: Int) throws -> Matrix<Float> {
    let size = inputs.size
    let range = layer * size..<(layer + 1) * size
    let own = try decoder.rows(of: inputs.embedding, at: tokens.map(Int.init), columns: range)
    let projection = try decoder.loader.map(inputs.projection, rows: range)
    var projected = embeddings.mapped(by: projection)
    let scale = 1 / Float(decoder.architecture.hiddenSize).squareRoot()
    projected.withUnsafeMutablePointer { for index in 0..<own.count { $0[index] *= scale } }
    let normalization = try decoder.loader.normalization(inputs.normalization, width: size)
    var result = Matrix<Float>(uninitializedRows: own.rows, columns: size)
    result.withUnsafeMutablePointer { target in
      projected.withUnsafePointer { normalization.forward($0, rows: own.rows, into: target) }
      own.withUnsafePointer { own in
        let ownScale = Float(size).squareRoot()
        for index in 0..<tokens.count * size {
          target[index] = (target[index] + ownScale * own[index]) * Float(0.5).squareRoot()
        }
      }
    }
    return result
  }
}

extension Matrix<Float> {
  /// The rows that a linear map makes of these.
  func mapped(by map: Linear) -> Matrix<Float> {
    var result = Matrix<Float>(uninitializedRows: rows, columns: map.outputSize)
    result.withUnsafeMutablePointer { target in
      withUnsafePointer { map.forward($0, rows: rows, into: target) }
    }
    return result
  }
}
