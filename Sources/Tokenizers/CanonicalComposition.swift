import Foundation

extension AlignedText {
  /// Applies Unicode normalization form C.
  ///
  /// Composition never crosses the boundary of an extended grapheme cluster: whatever can compose with the character
  /// before it extends its cluster (UAX #29 is written so). So the clusters that change are replaced one by one.
  mutating func composeCanonically() {
    guard bytes.contains(where: { $0 >= firstLeadByteOfChange }) else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    guard !text.composed.utf8.elementsEqual(text.utf8) else { return }
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var position = 0
    for cluster in text {
      let end = position + cluster.utf8.count
      let composed = cluster.composed
      if !composed.elementsEqual(bytes[position..<end]) { replacements.append((position..<end, composed)) }
      position = end
    }
    replace(replacements)
  }
}

/// The lead byte of U+0300: all characters before it are composed, and none of them joins the one before it.
private let firstLeadByteOfChange: UInt8 = 0xCC

extension String {
  /// Decomposed first, because Swift 6.3 does not compose some sequences of which a part is composed (U+AC00 U+11A8).
  fileprivate var composed: String {
    decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
  }
}

extension Character {
  /// No character from U+20000 on composes, but Swift 6.3 looks only at the low 17 bits: U+E014D
  /// and U+0300 become U+1E51, as if it were U+014D. So such characters are kept apart.
  fileprivate var composed: [UInt8] {
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
