import Tensors

/// SentencePiece's way with spaces: each is written as a visible character, and one is put before the text.
struct Metaspace: Sendable {
  /// Where one is put before a piece that does not begin with one.
  enum PrependScheme: String, Sendable {
    case always, first, never
  }

  /// The character that stands for a space, in UTF-8; "▁" (U+2581) in all files in use.
  let replacement: [UInt8]
  let prependScheme: PrependScheme
  /// Also splits before each of them.
  let isSplitting: Bool
}

extension Metaspace {
  /// Reads a Metaspace pre-tokenizer or decoder, in the form with `prepend_scheme` and `split` or in the older one with
  /// `add_prefix_space`.
  ///
  /// - Throws: an `ErrataError` for a scheme that is not known or contradicts `add_prefix_space`, or if the replacement
  ///   is not one character.
  init(_ section: Section) throws {
    replacement = try section.member("replacement").character()
    isSplitting = try section.member("split").boolean(fallback: true)
    let scheme = section.member("prepend_scheme")
    let addsPrefix = try section.member("add_prefix_space").boolean(fallback: true)
    if scheme.value.isNull {
      prependScheme = addsPrefix ? .always : .never
      return
    }
    guard let known = PrependScheme(rawValue: try scheme.string()) else {
      throw scheme.unsupported(quoted(try scheme.bytes()), supported: "always, first, never")
    }
    guard addsPrefix || known == .never else {
      throw scheme.unsupported("\(known) with add_prefix_space false", supported: "never with add_prefix_space false")
    }
    prependScheme = known
  }
}
