/// What a Split component makes of the matches of its pattern and of the text between them. The names and the meaning
/// of rows of matches are those of `SplitDelimiterBehavior` in the `tokenizers` crate.
enum SplitBehavior: String, CaseIterable, Sendable {
  case isolated = "Isolated"
  case removed = "Removed"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// The pieces of a text.
  ///
  /// - Parameters:
  ///   - matches: in ascending order. An empty one separates too.
  ///   - end: where the text ends; it begins at 0.
  ///   - isInverted: the matches are the text, and what is between them is what separates.
  func pieces(of matches: [Range<Int>], end: Int, isInverted: Bool) -> [Range<Int>] {
    var parts: [(range: Range<Int>, isSeparator: Bool)] = []
    var position = 0
    for match in matches {
      if position < match.lowerBound { parts.append((position..<match.lowerBound, isInverted)) }
      parts.append((match, !isInverted))
      position = match.upperBound
    }
    if position < end { parts.append((position..<end, isInverted)) }
    let pieces: [Range<Int>] =
      switch self {
      case .isolated: parts.map(\.range)
      case .removed: parts.filter { !$0.isSeparator }.map(\.range)
      case .contiguous: Self.join(parts) { $0 == $1 }
      case .mergedWithPrevious: Self.join(parts) { !$0 && $1 }
      // Read from the end, a separator joins the part before it unless that is a separator too.
      case .mergedWithNext: Array(Self.join(parts.reversed()) { !$0 && $1 }.reversed())
      }
    return pieces.filter { !$0.isEmpty }
  }

  /// Joins neighbours where `joins` says so of whether each of the two is a separator.
  private static func join(
    _ parts: [(range: Range<Int>, isSeparator: Bool)], _ joins: (Bool, Bool) -> Bool
  ) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var previous: Bool?
    for (range, isSeparator) in parts {
      if let previous, joins(previous, isSeparator), let last = pieces.last {
        pieces[pieces.count - 1] = min(last.lowerBound, range.lowerBound)..<max(last.upperBound, range.upperBound)
      } else {
        pieces.append(range)
      }
      previous = isSeparator
    }
    return pieces
  }
}
