/// A piece of text on its way to the model: its bytes now, and for each of them where in the input it comes from.
struct AlignedText {
  private(set) var bytes: [UInt8]
  private let origin: Int
  /// The range of the input for each byte; nil while the bytes are those of the input from `origin` on.
  private var sources: [Range<Int>]?

  /// The bytes of the input from `origin` on.
  init(_ bytes: some Sequence<UInt8>, origin: Int) {
    self.bytes = Array(bytes)
    self.origin = origin
  }

  /// The range of the input that the bytes in `range` come from. An empty range stands for the place before a byte, or
  /// after the last.
  func source(of range: Range<Int>) -> Range<Int> {
    guard let sources else { return origin + range.lowerBound..<origin + range.upperBound }
    guard range.lowerBound < sources.count else {
      let end = sources.last?.upperBound ?? origin
      return end..<end
    }
    let lower = sources[range.lowerBound].lowerBound
    return lower..<(range.isEmpty ? lower : sources[range.upperBound - 1].upperBound)
  }

  /// The part in `range`.
  func part(_ range: Range<Int>) -> AlignedText {
    var part = AlignedText(bytes[range], origin: origin + range.lowerBound)
    part.sources = sources.map { Array($0[range]) }
    return part
  }

  /// Puts new bytes in the place of those in each range; every new byte comes from the whole of its range.
  ///
  /// - Precondition: the ranges ascend and do not overlap.
  mutating func replace(_ replacements: [(range: Range<Int>, bytes: [UInt8])]) {
    if replacements.isEmpty { return }
    var newBytes: [UInt8] = []
    var newSources: [Range<Int>] = []
    var kept = 0
    func keep(upTo end: Int) {
      newBytes.append(contentsOf: bytes[kept..<end])
      newSources.append(contentsOf: (kept..<end).map { source(of: $0..<$0 + 1) })
    }
    for (range, replacement) in replacements {
      keep(upTo: range.lowerBound)
      newBytes.append(contentsOf: replacement)
      newSources.append(contentsOf: repeatElement(source(of: range), count: replacement.count))
      kept = range.upperBound
    }
    keep(upTo: bytes.count)
    bytes = newBytes
    sources = newSources
  }
}
