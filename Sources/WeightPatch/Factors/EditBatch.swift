import Tensors

/// One solved system: the factors of every tensor that the batch edits, one term per fact (Spec: edit batches).
///
/// Fact `e` of the batch owns column `e` of every left factor and row `e` of every right factor.
public struct EditBatch: Sendable {
  /// In ascending order of tensor name.
  public let tensors: [LowRankFactors]

  public init(tensors: [LowRankFactors]) {
    self.tensors = tensors.sorted { $0.name < $1.name }
  }

  /// The number of terms, the same for every tensor if terms are facts; else of the tensor that has most.
  public var factCount: Int { tensors.map(\.rank).max() ?? 0 }
}

/// The change of one tensor, `D = A B` (ARCHITECTURE: the one formula), in logical orientation (d_out x d_in), and
/// where that does not say it all, a correction.
public struct LowRankFactors: Sendable {
  /// The tensor's name in the checkpoint.
  public let name: ByteString
  /// Whether the checkpoint stores the transpose, [d_in, d_out], as GPT-2's Conv1D does.
  public let isTransposed: Bool
  /// A, d_out x E; the scale exponents belong to its columns.
  public let left: StoredFactor
  /// B, E x d_in; the scale exponents belong to its rows.
  public let right: StoredFactor
  /// G = K^T C^-1 K, E x E, symmetric; what re-solving the batch needs.
  public let gram: Matrix<Double>?
  /// K^T, E x d_in, if the patch carries the keys.
  public let keys: StoredFactor?
  /// T = B C B^T, E x E, where the metric is not C^-1 (Spec: the metric).
  public let text: Matrix<Double>?
  /// B H, E x h, for the held keys H.
  public let heldProduct: Matrix<Double>?
  /// Steps that follow the rounding; only where terms are components.
  public let correction: StoredCorrection?
  /// As the checkpoint stores the tensor: [d_out, d_in], or [d_in, d_out] if transposed; any shape where there are no
  /// terms.
  public let shape: Shape

  public init(
    name: ByteString, isTransposed: Bool, left: StoredFactor, right: StoredFactor, gram: Matrix<Double>? = nil,
    keys: StoredFactor? = nil, text: Matrix<Double>? = nil, heldProduct: Matrix<Double>? = nil,
    correction: StoredCorrection? = nil
  ) {
    self.name = name
    self.isTransposed = isTransposed
    self.left = left
    self.right = right
    self.gram = gram
    self.keys = keys
    self.text = text
    self.heldProduct = heldProduct
    self.correction = correction
    shape = isTransposed ? [right.columns, left.rows] : [left.rows, right.columns]
  }

  /// A change without terms: A has no columns and B no rows. A tensor that is not a matrix counts as one row.
  public init(name: ByteString, isTransposed: Bool = false, shape: Shape, correction: StoredCorrection) {
    let isMatrix = shape.extents.count == 2
    let (rows, columns) = isMatrix ? (shape.extents[0], shape.extents[1]) : (1, correction.elementCount)
    self.name = name
    self.isTransposed = isTransposed
    left = StoredFactor(dtype: .f32, rows: isTransposed ? columns : rows, columns: 0, bytes: [])
    right = StoredFactor(dtype: .f32, rows: 0, columns: isTransposed ? rows : columns, bytes: [])
    (gram, keys, text, heldProduct) = (nil, nil, nil, nil)
    self.correction = correction
    self.shape = shape
  }

  public var outputSize: Int { left.rows }
  public var inputSize: Int { right.columns }
  public var rank: Int { right.rows }
  /// How the factors are stored, A then B, for people: `F32 F16`.
  public var storage: String { "\(left.dtype.rawValue) \(right.dtype.rawValue)" }
  /// The same, with what else there is: `F32 F16, keys F16`, or `F16 F16, 12 steps I8`, or `12 steps I8`.
  public var wholeStorage: String {
    describeStorage(
      left: rank > 0 ? left.dtype : nil, right: rank > 0 ? right.dtype : nil, keys: keys?.dtype,
      correction: correction.map { ($0.count, $0.dtype) })
  }
}

/// - Parameter correction: the number of steps, and their type.
func describeStorage(left: DType?, right: DType?, keys: DType?, correction: (count: Int, dtype: DType)?) -> String {
  let terms = [left, right].compactMap { $0?.rawValue }.joined(separator: " ")
  let steps = correction.map { "\($0.count) step\($0.count == 1 ? "" : "s") \($0.dtype.rawValue)" }
  return [terms.isEmpty ? nil : terms, keys.map { "keys \($0.rawValue)" }, steps].compactMap(\.self)
    .joined(separator: ", ")
}

/// A factor as it stands in the file: numbers of a narrow type, and a power-of-two scale per fact.
///
/// The value of an element is `stored * 2^exponent`, exactly; it must be a float32 value.
public struct StoredFactor: Sendable, Equatable {
  /// `.f32`, `.f16` or `.i8`.
  public let dtype: DType
  public let rows: Int
  public let columns: Int
  /// Row-major, little-endian.
  public let bytes: [UInt8]
  /// One exponent per fact; nil means all zero (always so for float32).
  public let exponents: [Int8]?

  public init(dtype: DType, rows: Int, columns: Int, bytes: [UInt8], exponents: [Int8]? = nil) {
    self.dtype = dtype
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
    self.exponents = exponents
  }
}
