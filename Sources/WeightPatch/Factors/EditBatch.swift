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

  /// The number of terms, the same for every tensor.
  public var factCount: Int { tensors.first?.rank ?? 0 }
}

/// The change of one tensor, `D = A B` (DESIGN: one formula), in logical orientation (d_out x d_in).
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

  public init(
    name: ByteString, isTransposed: Bool, left: StoredFactor, right: StoredFactor, gram: Matrix<Double>? = nil,
    keys: StoredFactor? = nil
  ) {
    self.name = name
    self.isTransposed = isTransposed
    self.left = left
    self.right = right
    self.gram = gram
    self.keys = keys
  }

  public var outputSize: Int { left.rows }
  public var inputSize: Int { right.columns }
  public var rank: Int { right.rows }
  /// How the factors are stored, A then B, for people: `F32 F16`.
  public var storage: String { "\(left.dtype.rawValue) \(right.dtype.rawValue)" }
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
