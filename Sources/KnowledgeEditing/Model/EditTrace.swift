import LinearAlgebra
import Tensors
import Transformer
import WeightPatch

/// Which terms of some edit batches fire on a prompt, at which token, and how strongly.
///
/// A batch adds `D k = sum_e A_e (B_e . k)` to the output of a down-projection, for the key k that stands at its input.
/// So `|A_e (B_e . k)|` is what term e does at a token, all of it, whatever made the key. It is measured against the
/// norm of the residual stream that leaves the layer at that token; where a family normalizes what the down-projection
/// puts out (`normalizesDownOutput`), against the norm of that output, before its normalization.
public struct EditTrace {
  /// What one batch does in one layer. All strengths are shares of the norm that they are measured against.
  public struct Firing: Sendable {
    /// The position of the batch.
    public let batch: Int
    public let layer: Int
    /// `|A_e (B_e . k_t)|`, terms x tokens.
    public let terms: Matrix<Double>
    /// `|D k_t|`, per token. Terms may cancel one another, so this is not their sum.
    public let total: [Double]
  }

  /// A prompt's trace.
  public struct Result {
    /// In ascending order of layer, then of batch.
    public let firings: [Firing]
    /// Of the token after the prompt.
    public let next: TokenDistribution
  }

  /// The factors of one batch in one layer.
  private struct Part {
    let batch: Int
    let layer: Int
    /// A, d_out x E.
    let left: Matrix<Float>
    /// B, E x d_in.
    let right: Matrix<Float>
    /// `|A_e|`
    let leftNorms: [Double]
  }

  /// The edited tensors of which nothing can be said, in order of name: they are no layer's down-projection, or factors
  /// are not all that changes them (a correction).
  public let untraced: [ByteString]
  private let decoder: Decoder
  private let parts: [Part]

  /// - Parameter batches: what is in the weights that the decoder computes with.
  /// - Throws: an `ErrataError` (base mismatch) if factors do not have their tensor's shape.
  public init(_ decoder: Decoder, batches: [EditBatch]) throws {
    self.decoder = decoder
    let layers = Dictionary(
      uniqueKeysWithValues: (0..<decoder.architecture.layerCount).map { (decoder.editedTensor($0), $0) })
    var parts: [Part] = []
    var untraced: Set<ByteString> = []
    for (index, batch) in batches.enumerated() {
      for factors in batch.tensors {
        guard let layer = layers[factors.name], factors.correction == nil else {
          untraced.insert(factors.name)
          continue
        }
        let tensor = try decoder.checkpoint.tensor(named: factors.name)
        _ = try TensorChange([factors], name: factors.name, dtype: tensor.dtype, shape: tensor.shape)
        // No patch with other values can be read.
        let (left, right) = (factors.leftValues()!, factors.rightValues()!)
        parts.append(
          Part(batch: index, layer: layer, left: left, right: right, leftNorms: left.widened().columnNorms()))
      }
    }
    self.untraced = untraced.sorted()
    self.parts = parts.sorted { ($0.layer, $0.batch) < ($1.layer, $1.batch) }
  }

  /// Whether nothing can be traced.
  public var isEmpty: Bool { parts.isEmpty }

  /// Runs the model on a prompt.
  ///
  /// - Parameter tokens: at least one.
  /// - Throws: an `ErrataError` if the prompt does not fit the model, or the model computes what is not finite.
  public func run(_ tokens: [Int32]) throws -> Result {
    let tree = TokenTree([tokens])
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    var firings: [Firing] = []
    var keys: Matrix<Float>?
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
      layers: 0..<decoder.architecture.layerCount
    ) { observation in
      switch observation {
      case .keys(let layer, let observed):
        keys = parts.contains { $0.layer == layer } ? observed : nil
      case .output(let layer, let stream):
        guard let measured = keys else { break }
        let reference =
          decoder.architecture.normalizesDownOutput
          ? try decoder.perceptronOutput(ofKeys: measured, layer: layer) : stream
        // Granite adds a share of what the down-projection puts out.
        let scale = decoder.architecture.normalizesDownOutput ? 1 : Double(abs(decoder.architecture.branchScale))
        let norms = reference.widened().rowNorms().map { $0 / scale }
        guard norms.allSatisfy(\.isFinite) else {
          throw ErrataError.modelNotFinite(decoder.checkpoint.path)
        }
        firings += parts.filter { $0.layer == layer }.map { firing($0, keys: measured, norms: norms) }
      }
    }
    return Result(firings: firings, next: try next(hidden.rows(at: [tokens.count - 1])))
  }

  /// The distribution of the token after a prompt alone.
  ///
  /// - Throws: as `run` does.
  public static func next(_ decoder: Decoder, after tokens: [Int32]) throws -> TokenDistribution {
    try EditTrace(decoder, batches: []).run(tokens).next
  }

  private func next(_ last: Matrix<Float>) throws -> TokenDistribution {
    let distribution = TokenDistribution(logits: decoder.logits(last), row: 0)
    guard distribution.logProbability(distribution.mostLikely(1)[0]).isFinite else {
      throw ErrataError.modelNotFinite(decoder.checkpoint.path)
    }
    return distribution
  }

  /// - Parameters:
  ///   - keys: tokens x d_in.
  ///   - norms: what is measured against, per token.
  private func firing(_ part: Part, keys: Matrix<Float>, norms: [Double]) -> Firing {
    // B K, E x tokens.
    let products = part.right.multiplied(by: keys, .transposed)
    let changes = part.left.multiplied(by: products).widened().columnNorms()
    var terms = Matrix<Double>(rows: products.rows, columns: norms.count)
    for term in 0..<terms.rows {
      for token in norms.indices {
        terms[term, token] = share(part.leftNorms[term] * Double(abs(products[term, token])), of: norms[token])
      }
    }
    return Firing(batch: part.batch, layer: part.layer, terms: terms, total: zip(changes, norms).map(share))
  }

  /// Nothing is a share of nothing.
  private func share(_ value: Double, of norm: Double) -> Double { norm > 0 ? value / norm : 0 }
}
