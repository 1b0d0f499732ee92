import Tensors

/// The values of facts that were searched in parts, from the parts' files.
struct ValueParts {
  /// By fact ID.
  private(set) var values: [String: FoundValue] = [:]
  private var parts: Set<Part> = []

  /// - Parameters:
  ///   - paths: of the files, in any order.
  ///   - identity: what values depend on, see `EditComputation.valueIdentity`.
  ///   - size: the model's hidden size.
  /// - Throws: an `ErrataError` if one is no file of values, damaged, or of another search.
  init(_ paths: [String], _ identity: Digest, _ settings: EditSettings, size: Int) throws {
    for path in paths {
      guard let file = try ValueFile(contentsOf: path, learningRate: settings.learningRate, size: size) else {
        throw ErrataError.notValues(path)
      }
      guard file.identity == identity else { throw ErrataError.valuesOfAnotherSearch(path) }
      values.merge(file.values) { first, _ in first }
      if let part = file.part { parts.insert(part) }
    }
  }

  /// That some facts have no value, with the parts that were not given.
  func missing(_ count: Int, of factCount: Int) -> ErrataError {
    let counts = Set(parts.map(\.count))
    guard counts.count == 1, let partCount = counts.first else {
      return ErrataError.valuesMissing(count, of: factCount, parts: [])
    }
    let others = (1...partCount).compactMap { Part($0, of: partCount) }.filter { !parts.contains($0) }
    return ErrataError.valuesMissing(count, of: factCount, parts: others)
  }
}
