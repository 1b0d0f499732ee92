import Tensors

/// Reads a list of layers: `5`, `3,4,5` or `3-5`.
///
/// - Throws: a usage error for anything else.
public func parseLayers(_ text: String) throws -> [Int] {
  let failure = ErrataError.notLayers(text)
  return try text.split(separator: ",", omittingEmptySubsequences: false).flatMap { part -> [Int] in
    // Int would read a plus sign too.
    let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { $0.first == "+" ? nil : Int($0) }
    guard (1...2).contains(bounds.count), let first = bounds.first!, let last = bounds.last!, first <= last,
      last - first < 10000
    else { throw failure }
    return Array(first...last)
  }
}
