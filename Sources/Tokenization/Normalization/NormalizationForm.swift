import Foundation

/// A Unicode normalization form (UAX #15).
enum NormalizationForm: String, Sendable {
  case canonicalDecomposition = "NFD"
  case canonicalComposition = "NFC"
  case compatibilityDecomposition = "NFKD"
  case compatibilityComposition = "NFKC"
}

extension AlignedText {
  /// Brings the text into a normalization form.
  ///
  /// Composition never crosses the boundary of an extended grapheme cluster: whatever can compose with the character
  /// before it extends its cluster (UAX #29 is written so). So the clusters that change are replaced one by one. Only
  /// after a compatibility decomposition the clusters can be others, so composition is a step of its own there.
  mutating func normalize(to form: NormalizationForm) {
    switch form {
    case .canonicalDecomposition:
      replaceClusters(from: 0xC2) { Array($0.decomposedStringWithCanonicalMapping.ordered.utf8) }
    case .canonicalComposition:
      // U+0300: all characters before it are composed, and none of them joins the one before it.
      replaceClusters(from: 0xCC) { $0.composedBytes }
    case .compatibilityDecomposition:
      replaceClusters(from: 0xC2) { Array($0.decomposedStringWithCompatibilityMapping.ordered.utf8) }
    case .compatibilityComposition:
      normalize(to: .compatibilityDecomposition)
      normalize(to: .canonicalComposition)
    }
  }

  /// Changes the clusters that hold a byte from `firstLead` on, the lead byte of the first character that can change.
  private mutating func replaceClusters(from firstLead: UInt8, _ change: (String) -> [UInt8]) {
    guard bytes.contains(where: { $0 >= firstLead }) else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var position = 0
    for cluster in text {
      let end = position + cluster.utf8.count
      if bytes[position..<end].contains(where: { $0 >= firstLead }) {
        let changed = change(String(cluster))
        if let replacement = Self.difference(bytes[position..<end], changed) { replacements.append(replacement) }
      }
      position = end
    }
    replace(replacements)
  }
}

extension AlignedText {
  /// What changed, without the characters at both ends that did not: the narrower it is the better the ranges. Nil if
  /// nothing changed.
  private static func difference(_ old: ArraySlice<UInt8>, _ new: [UInt8]) -> (range: Range<Int>, bytes: [UInt8])? {
    var (start, end) = (0, 0)
    let shorter = min(old.count, new.count)
    while start < shorter, old[old.startIndex + start] == new[start] { start += 1 }
    if start == old.count, start == new.count { return nil }
    while end < shorter - start, old[old.endIndex - 1 - end] == new[new.count - 1 - end] { end += 1 }
    // Characters are not torn.
    func isWithin(_ bytes: some RandomAccessCollection<UInt8>, _ offset: Int) -> Bool {
      offset < bytes.count && bytes[bytes.index(bytes.startIndex, offsetBy: offset)] & 0xC0 == 0x80
    }
    while start > 0, isWithin(old, start) || isWithin(new, start) { start -= 1 }
    while end > 0, isWithin(old, old.count - end) || isWithin(new, new.count - end) { end -= 1 }
    return (old.startIndex + start..<old.endIndex - end, Array(new[start..<new.count - end]))
  }
}

extension String {
  /// Decomposed again, because Swift 6.3 leaves the marks that a mark decomposes to (U+0F75) where it was.
  fileprivate var ordered: String { decomposedStringWithCanonicalMapping }

  /// Decomposed first, because Swift 6.3 does not compose some sequences of which a part is composed (U+AC00 U+11A8).
  fileprivate var composed: String {
    decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
  }

  /// No character from U+20000 on composes, but Swift 6.3 looks only at the low 17 bits: U+E014D
  /// and U+0300 become U+1E51, as if it were U+014D. So such characters are kept apart.
  fileprivate var composedBytes: [UInt8] {
    var bytes: [UInt8] = []
    var composable = ""
    for scalar in unicodeScalars {
      if scalar.value < 0x20000 {
        composable.unicodeScalars.append(scalar)
      } else {
        bytes += Array(composable.composed.utf8) + Array(String(scalar).composed.utf8)
        composable = ""
      }
    }
    return bytes + Array(composable.composed.utf8)
  }
}
