/// What is done to the text before it is split.
struct Normalizer: Sendable {
  private enum Step { case canonicalComposition }

  private let steps: [Step]

  /// Reads `normalizer`.
  ///
  /// - Throws: an `ErrataError` for a kind of normalizer that is not supported.
  init(_ section: Section) throws {
    steps = try section.components("normalizers").map { component in
      switch try component.type() {
      case "NFC": .canonicalComposition
      case let type: throw component.unsupported(type, supported: "NFC, Sequence, null")
      }
    }
  }

  func apply(to text: inout AlignedText) {
    for step in steps {
      switch step {
      case .canonicalComposition: text.composeCanonically()
      }
    }
  }
}
