import Tensors

/// The types that a batch's factors are to be stored in: what `--factors` says.
public enum FactorTypes: Sendable, Equatable {
  /// The narrowest of float16 and float32 that keep the edit (`chooseStorage`). Never int8, which costs some percent of
  /// what a fact asks for: that is for a person to decide (Spec: choosing types).
  case automatic
  /// These, whatever they cost: `.f32`, `.f16` or `.i8`.
  case fixed(left: DType, right: DType)

  /// The storage error that is taken for none: what `automatic` keeps to.
  public static let tolerance = 1e-3

  /// Factors in certain types, and what rounding them to these costs.
  package typealias Choice<Stored> = (stored: Stored, error: Double)

  /// The one policy of storing: fixed types are taken whatever they cost; automatic is the first of `candidates`, from
  /// the narrowest to the widest, that costs less than `tolerance`, or the widest.
  ///
  /// - Parameter store: the factors in these types and what rounding them costs; nil if it carries a value out of
  ///   range.
  /// - Throws: an `ErrataError` if the types cannot hold the factors; what `store` throws.
  package func choose<Stored>(
    from candidates: [(left: DType, right: DType)] = [(.f16, .f16), (.f32, .f16), (.f32, .f32)],
    tolerance: Double = Self.tolerance, _ store: (DType, DType) throws -> Choice<Stored>?
  ) throws -> Choice<Stored> {
    if case .fixed(let left, let right) = self {
      guard let choice = try store(left, right) else { throw ErrataError.factorsOutOfRange(self) }
      return choice
    }
    for (left, right) in candidates.dropLast() {
      if let choice = try store(left, right), choice.error < tolerance { return choice }
    }
    // Taken even if it misses the tolerance, since there is nothing wider.
    guard let widest = try store(candidates.last!.left, candidates.last!.right) else {
      throw ErrataError.factorsNotFinite
    }
    return widest
  }
}

/// `auto`, the type of both factors such as `f16`, or those of A and B such as `f16,i8`.
extension FactorTypes: LosslessStringConvertible {
  public init?(_ description: String) {
    if description == "auto" {
      self = .automatic
      return
    }
    let types = description.split(separator: ",", omittingEmptySubsequences: false).map { name in
      StoredFactor.dtypes.first { $0.rawValue.lowercased() == name }
    }
    guard (1...2).contains(types.count), let left = types.first!, let right = types.last! else { return nil }
    self = .fixed(left: left, right: right)
  }

  public var description: String {
    switch self {
    case .automatic: "auto"
    case .fixed(let left, let right) where left == right: left.rawValue.lowercased()
    case .fixed(let left, let right): "\(left.rawValue),\(right.rawValue)".lowercased()
    }
  }
}
