/// Characters that a person does not see: they could move a terminal's cursor, change its state, reorder what stands
/// beside them, or make two texts look alike. What patches, checkpoints, facts and file names say is shown, not obeyed.
extension String {
  /// The text with every such character replaced by an escape.
  ///
  /// Joiners (U+200C, U+200D) stay between letters, where Persian, Hindi and others need them, and within emoji.
  ///
  /// - Parameters:
  ///   - keeping: characters that stay all the same: a newline in a text of several lines.
  ///   - escape: what stands in its place.
  package func escapingUnprintable(
    keeping kept: Set<Unicode.Scalar> = [], _ escape: (Unicode.Scalar) -> String
  ) -> String {
    guard !utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return self }
    let scalars = Array(unicodeScalars)
    var result = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if kept.contains(scalar) || !scalar.isUnprintable || isJoining(scalars, index) {
        result.append(scalar)
      } else {
        result.append(contentsOf: escape(scalar).unicodeScalars)
      }
    }
    return String(result)
  }
}

/// Whether a scalar is a joiner with something to join on either side.
private func isJoining(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
  guard (0x200C...0x200D).contains(scalars[index].value), index > 0, index + 1 < scalars.count else { return false }
  return scalars[index - 1].isJoined && scalars[index + 1].isJoined
}

extension Unicode.Scalar {
  /// Controls, formats (bidirectional, zero-width, tags), line and paragraph separators, and letters without a shape.
  fileprivate var isUnprintable: Bool {
    switch value {
    case 0x20..<0x7F: false
    case 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0: true
    default:
      switch properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: true
      // Noncharacters, and places that Unicode leaves invisible for later.
      case .unassigned: properties.isDefaultIgnorableCodePoint || properties.isNoncharacterCodePoint
      default: false
      }
    }
  }

  /// Letters with their marks, and emoji with theirs.
  private var isEmojiPart: Bool { value > 0xFF && (properties.isEmoji || value == 0xFE0F) }

  fileprivate var isJoined: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark: true
    default: properties.isAlphabetic && !isUnprintable || isEmojiPart
    }
  }
}
